"""Serves ASGI apps inside a process that handles its own shutdown."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from antom_refunds.bounded_http import HEAD_BYTES_MAX, bounded_protocol
from antom_refunds.embedded_server import embedded_server, open_listener
from antom_refunds.log_limit import RepeatedWarningFilter
from antom_refunds.settings import Address, SettingsError

_SERVER_LOG: Final = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def serve_in_background(
    app: ASGIApp, listen: Address | socket.socket, *, head_limit: timedelta = timedelta(seconds=10)
) -> AsyncIterator[int]:
    """Serve `app` within the block; yields the port.

    `listen` is an address, or a socket from bind(). A connection whose request head is not
    complete within `head_limit` is closed. Raises SettingsError if the address is in use.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
        # h11 limits the size of a request's head and parses headers according to RFC 9110.
        # httptools does neither, and its speed does not matter next to a call to Temporal.
        http=bounded_protocol(head_limit),
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        ws="none",
    )
    bound = listen if isinstance(listen, socket.socket) else bind(listen)
    quiet = RepeatedWarningFilter()
    _SERVER_LOG.addFilter(quiet)
    try:
        async with embedded_server(config, bound):
            yield int(bound.getsockname()[1])
    finally:
        _SERVER_LOG.removeFilter(quiet)


def bind(listen: Address) -> socket.socket:
    """A listening socket; raises SettingsError if the address is already in use."""
    try:
        return open_listener(listen.host, listen.port)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen}: {error.strerror}") from error
