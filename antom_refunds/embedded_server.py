"""A uvicorn server inside a process that handles signals itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

_BACKLOG: Final = 2048


class _EmbeddedServer(uvicorn.Server):
    """A server that does not install signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def embedded_server(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `config` on this socket within the block; closes the socket at the end."""
    server = _EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket on this address; port 0 selects a free port.

    Raises OSError if the address is in use or does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Accepted connections inherit this option; asyncio does not set it for such a listener.
    # Without it, a response's body waits 40 ms for the TCP acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
