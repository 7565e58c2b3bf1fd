"""An engine with its application, as processes that can be started, killed and restarted."""

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from pydantic import TypeAdapter

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.environment import ROOT
from bench.process_stats import with_descendants
from starter.stack import inherited_environment
from starter.tcp_ports import HOST

_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class End:
    """How and when a refund became final, by the engine's own record."""

    state: RefundState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AntomConfig:
    """What every application is configured with.

    `gateway` is the simulator's URL; key files are PEM. Notifications arrive at `notify_port` and
    `notify_path` of the loopback address. `speedup` divides all waits.
    """

    gateway: str
    client_id: str
    private_key: Path
    antom_public_key: Path
    notify_port: int
    notify_path: str
    speedup: float

    def write(self, path: Path) -> None:
        path.write_bytes(TypeAdapter(AntomConfig).dump_json(self))

    @staticmethod
    def read(path: str) -> "AntomConfig":
        return TypeAdapter(AntomConfig).validate_json(Path(path).read_bytes())


class Engine(ABC):
    """The processes are `app`, which calls Antom, `webhook`, and the engine's own `server`.

    `names` lists them in the order of starting. All data is below `folder`.
    """

    names: tuple[str, ...] = ("server", "app", "webhook")
    module: ClassVar[str] = ""

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        """Raises SettingsError if the engine is not installed."""
        self.folder = folder
        self.antom = antom
        self._processes: dict[str, Process] = {}

    @property
    @abstractmethod
    def about(self) -> str:
        """Versions and settings that matter, in one line."""

    @abstractmethod
    def command(self, name: str) -> list[str]:
        """What starts this process."""

    @abstractmethod
    async def is_ready(self, name: str) -> bool:
        """Whether this process can do its work."""

    @abstractmethod
    async def request(self, order: RefundOrder) -> None:
        """Start this refund: durable when it returns, and safe to repeat.

        Raises an error while the engine is unavailable.
        """

    @abstractmethod
    async def ends(self) -> Mapping[str, End]:
        """Every final refund by its refundRequestId; raises while the engine is unavailable."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """Bytes on disk."""

    def environment(self, name: str) -> dict[str, str]:  # noqa: ARG002 - for engines that differ
        return {"NO_PROXY": HOST}

    def stop_signal(self, name: str) -> signal.Signals:  # noqa: ARG002 - for engines that differ
        return signal.SIGTERM

    async def start(self) -> None:
        """Start every process; ready for requests. Raises SettingsError."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.antom.write(self.config_file)
        for name in self.names:
            await self.restart(name)

    async def stop(self) -> None:
        for name in reversed(list(self._processes)):
            process = self._processes[name]
            if process.returncode is None:
                _send(process.pid, self.stop_signal(name))
                try:
                    async with asyncio.timeout(_STOP_SECONDS):
                        await process.wait()
                except TimeoutError:
                    await self.kill(name)

    @property
    def config_file(self) -> Path:
        return self.folder / "config.json"

    def module_command(self, role: str, *arguments: object) -> list[str]:
        """The command of one role of the application: MODULE ROLE CONFIG ARGUMENTS."""
        given = [role, str(self.config_file), *map(str, arguments)]
        return [sys.executable, "-m", self.module, *given]

    def pids(self) -> Mapping[str, int]:
        """The running processes."""
        running = self._processes.items()
        return {name: process.pid for name, process in running if process.returncode is None}

    async def restart(self, name: str) -> None:
        """Start this process; ready when it returns. Raises SettingsError if it is not in time."""
        log = self.folder / "logs" / f"{name}.log"
        process = self._processes[name] = await self._spawn(name, log)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await self.is_ready(name):
                    if process.returncode is not None:
                        raise SettingsError(f"{name} did not start (see {log})")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise SettingsError(f"{name} is not ready in time (see {log})") from error

    async def kill(self, name: str) -> None:
        """SIGKILL for this process and its descendants."""
        process = self._processes[name]
        pids = [process.pid]
        with suppress(FileNotFoundError, ProcessLookupError):  # a child may end meanwhile
            pids = list(with_descendants(pids))
        for pid in pids:
            _send(pid, signal.SIGKILL)
        await process.wait()

    async def _spawn(self, name: str, log: Path) -> Process:
        command = self.command(name)
        environment = {**inherited_environment(), **self.environment(name)}
        try:
            with log.open("ab") as output:
                return await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, stdout=output, stderr=output, cwd=ROOT,
                    env=environment, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            raise SettingsError(f"{name} cannot start: {error}") from error


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in this folder, except files that vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
