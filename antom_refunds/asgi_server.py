"""Serving ASGI apps inside a process that has its own way of stopping."""

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
    bound = listen if isinstance(listen, socket.socket) else bind(listen)
    quiet = RepeatedWarningFilter()
    _SERVER_LOG.addFilter(quiet)
    try:
        async with embedded_server(config, bound):
            yield int(bound.getsockname()[1])
    finally:
        _SERVER_LOG.removeFilter(quiet)


def bind(listen: Address) -> socket.socket:
    """A socket that listens there; raises SettingsError if the address is already in use."""
    try:
        return open_listener(listen.host, listen.port)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen}: {error.strerror}") from error
