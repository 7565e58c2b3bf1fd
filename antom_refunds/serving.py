"""Serving ASGI apps inside a process that has its own way of stopping."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from antom_refunds.bounded_http import HEAD_BYTES_MAX, bounded_protocol
from antom_refunds.log_limit import RepeatedWarnings
from antom_refunds.settings import Address, SettingsError

_SERVER_LOG: Final = logging.getLogger("uvicorn.error")


class _Server(uvicorn.Server):
    """A server that leaves signals to the process around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: ASGIApp, listen: Address | socket.socket, *, head_limit: timedelta = timedelta(seconds=10)
) -> AsyncIterator[int]:
    """Serves while inside; yields the port.

    A connection whose request head is not complete within `head_limit` is closed. Raises
    SettingsError if the address is already in use; a socket of bind() is taken as it is.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
        # h11 limits the size of a request's head and reads headers as RFC 9110 says; httptools
        # does neither, and its speed is lost beside a call to Temporal.
        http=bounded_protocol(head_limit),
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        ws="none",
    )
    server = _Server(config)
    bound = listen if isinstance(listen, socket.socket) else bind(listen)
    quiet = RepeatedWarnings()
    _SERVER_LOG.addFilter(quiet)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        _SERVER_LOG.removeFilter(quiet)


def bind(listen: Address) -> socket.socket:
    """A socket that listens there; raises SettingsError if the address is already in use."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        bound = socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen}: {error.strerror}") from error
    # Inherited by every connection, where asyncio does not set it for a listener made like this:
    # otherwise an answer waits 40 ms for the acknowledgement of its own head.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
