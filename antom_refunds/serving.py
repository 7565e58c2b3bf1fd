"""Serving ASGI apps inside a process that has its own way of stopping."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from antom_refunds.settings import Address, SettingsError


class _Server(uvicorn.Server):
    """A server that leaves signals to the process around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listen: Address) -> AsyncIterator[int]:
    """Serves while inside; gives the port. Raises SettingsError if the address cannot be had."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    server = _Server(config)
    bound = _bound(listen)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def _bound(listen: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        bound = socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen}: {error.strerror}") from error
    # Inherited by every connection, where asyncio does not set it for a listener made like this:
    # otherwise an answer waits 40 ms for the acknowledgement of its own head.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
