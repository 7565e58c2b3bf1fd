"""The simulator as a process, or as a guest in somebody else's event loop."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Final

import uvicorn

from antom_refunds.simulator.app import create_app
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.sockets import CuttableProtocol
from antom_refunds.simulator.world import World

log = logging.getLogger(__name__)

_SHUTDOWN_SECONDS: Final = 1
_KEEP_ALIVE_SECONDS: Final = 75


async def serve(config: SimulatorConfig) -> None:
    """Serve until the process is told to stop; raises KeyFileError or OSError before that."""
    async with config.world() as world:
        with _listener(config.host, config.port) as listener:
            address = _address(listener)
            log.info("simulator.listening", extra={"address": address, "pace": config.pace})
            await uvicorn.Server(_settings(world)).serve(sockets=[listener])


@contextlib.asynccontextmanager
async def listening(world: World, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve this world within the running event loop; yields its base URL."""
    server = _Guest(_settings(world))
    with _listener(host, port) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield _address(listener)
        finally:
            server.should_exit = True
            await serving


class _Guest(uvicorn.Server):
    """A server that leaves the process's signals to its host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _settings(world: World) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(world),
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # A connection that is closed while the client reuses it would be a fault nobody asked for.
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def _listener(host: str, port: int) -> socket.socket:
    """Listening already, so that nobody who knows the address can come too early."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Inherited by every connection; without it an answer's body waits 40 ms for its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
