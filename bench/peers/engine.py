"""An engine with its application: processes beside a simulator of their own, by name."""

import asyncio
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Final

import psutil

from antom_refunds import RefundOrder, RefundState
from antom_refunds.settings import SettingsError
from bench.environment import UnlimitedStack, with_descendants
from bench.peers.job import SPEEDUP
from starter.tcp_ports import ANY_PORT, Ports, find_free_ports

_READY_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_WAL: Final = "-wal"
OURS: Final = "ours"
# Title, module and class of each; libraries are imported only when their turn comes.
_ENGINES: Final = {
    OURS: ("antom-refunds", "temporal", "OurEngine"),
    "timer_loop": ("Temporal timer loop", "temporal", "TimerLoopEngine"),
    "dbos_sqlite": ("DBOS on SQLite", "dbos_peer", "DbosEngine"),
    "dbos_postgresql": ("DBOS on PostgreSQL", "dbos_peer", "DbosPostgresqlEngine"),
    "restate": ("Restate", "restate_peer", "RestateEngine"),
}
TITLES: Final = {key: title for key, (title, *_) in _ENGINES.items()}


@dataclass(frozen=True, slots=True)
class End:
    """How and when a refund became final, by the engine's own record."""

    state: RefundState
    at: datetime


class Engine(UnlimitedStack, ABC):
    """Its processes are `app`, which calls Antom, `webhook`, and the engine's own `server`.

    They start in the order of `roles`; `module` with a role and `arguments` is one of them.
    """

    roles: tuple[str, ...] = ("server", "app", "webhook")
    module: ClassVar[str] = ""
    arguments: tuple[str, ...] = ()

    @property
    @abstractmethod
    def about(self) -> str:
        """Versions and settings that matter, in one line."""

    def server_command(self) -> list[str]:
        """What starts the server, which listens at the stack's port for Temporal."""
        raise NotImplementedError

    @abstractmethod
    async def request(self, order: RefundOrder) -> None:
        """Start this refund: durable when it returns, safe to repeat; raises while unavailable."""

    @abstractmethod
    async def ends(self) -> Mapping[str, End]:
        """Every final refund by its refundRequestId; raises while the engine is unavailable."""

    @property
    def data(self) -> Path:
        """The folder of everything that is stored."""
        return self.home / "data"

    @cached_property
    def known(self) -> dict[str, End]:
        """The ends that were read before, where reading is incremental."""
        return {}

    async def is_ready(self, name: str) -> bool:  # noqa: ARG002 - for engines that differ
        """Whether a process that listens can do its work."""
        return True

    async def start_all(self) -> None:
        """Start every process; ready for requests. Raises SettingsError."""
        for name in ("simulator", *self.roles):
            await self.start(name)

    async def start(self, name: str) -> None:
        """Start one process; ready when it returns. Raises SettingsError if it is not in time."""
        await super().start(name)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await self.is_ready(name):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise SettingsError(f"{name} is not ready in time (see {self.home}/logs)") from error

    def process_spec(self, name: str) -> tuple[list[str], int]:
        match name:
            case "server":
                return self.server_command(), self.ports.temporal
            case "app" | "webhook":
                port = self.ports.worker if name == "app" else self.ports.webhook
                return [sys.executable, "-m", self.module, name, *self.arguments], port
            case _:
                return super().process_spec(name)

    def pids(self) -> dict[str, int]:
        """The running processes, the simulator excluded."""
        running = {name: each for name, each in self._processes.items() if each.returncode is None}
        return {name: running[name].pid for name in self.roles if name in running}

    async def kill_and_wait(self, name: str) -> None:
        """SIGKILL for this process and its descendants."""
        with suppress(psutil.NoSuchProcess):  # a child may end meanwhile
            for process in with_descendants(self.pid_of(name)):
                process.kill()
        self.kill(name)
        await self.stop(name)

    def stored_bytes(self) -> int:
        """What is stored permanently: SQLite's logs are first written to their databases."""
        total = 0
        for log in self.data.rglob(f"*{_WAL}"):
            with closing(sqlite3.connect(str(log).removesuffix(_WAL), timeout=10)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for path in self.data.rglob("*"):
            with suppress(OSError):  # it vanished meanwhile
                total += path.stat().st_size if path.is_file() else 0
        return total


def make_engine(key: str, home: Path) -> Engine:
    """In a new folder; raises ImportError where its library is missing."""
    _, module, name = _ENGINES[key]
    kind: type[Engine] = getattr(import_module(f"bench.peers.{module}"), name)
    return kind.create(home, Ports(*find_free_ports([ANY_PORT] * 5)), speedup=SPEEDUP)
