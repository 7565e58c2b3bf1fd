"""A competitor's processes: started one after another, killed, revived, stopped in reverse."""

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from antom_refunds.settings import SettingsError
from starter.ports import HOST
from starter.stack import inherited_environment

ROOT: Final = Path(__file__).parents[3]
_READY_LIMIT: Final = timedelta(seconds=60)
_STOP_LIMIT: Final = timedelta(seconds=10)
_POLL_SECONDS: Final = 0.05


class Parts(ABC):
    """Processes by name, in the order in which they need each other."""

    names: tuple[str, ...]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, Process] = {}

    @abstractmethod
    def command(self, part: str) -> list[str]:
        """What starts this part, first time and again."""

    @abstractmethod
    async def is_ready(self, part: str) -> bool:
        """Whether it does its work by now."""

    def stop_signal(self, part: str) -> signal.Signals:  # noqa: ARG002 - for parts that differ
        """What asks it to go."""
        return signal.SIGTERM

    def pids(self) -> Mapping[str, int]:
        """The running processes by part."""
        return {
            name: process.pid
            for name, process in self._processes.items()
            if process.returncode is None
        }

    async def revive(self, part: str) -> None:
        """Start it; ready when it returns. Raises SettingsError if it does not get ready."""
        log = self.folder / "logs" / f"{part}.log"
        process = self._processes[part] = await self._spawned(part, log)
        try:
            async with asyncio.timeout(_READY_LIMIT.total_seconds()):
                while not await self.is_ready(part):
                    if process.returncode is not None:
                        raise SettingsError(f"{part} did not start (see {log})")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise SettingsError(f"{part} is not ready in time (see {log})") from error

    async def kill(self, part: str) -> None:
        """SIGKILL for it and all that it started."""
        process = self._processes[part]
        for pid in list(_family(process.pid)):
            _send(pid, signal.SIGKILL)
        await process.wait()

    async def start_all(self) -> None:
        """Start every part in order; raises SettingsError."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        for name in self.names:
            await self.revive(name)

    async def stop_all(self) -> None:
        """Stop every part in reverse order, politely first."""
        for name in reversed(list(self._processes)):
            await self._stop(name)

    async def _stop(self, part: str) -> None:
        process = self._processes[part]
        if process.returncode is not None:
            return
        _send(process.pid, self.stop_signal(part))
        try:
            async with asyncio.timeout(_STOP_LIMIT.total_seconds()):
                await process.wait()
        except TimeoutError:
            await self.kill(part)

    async def _spawned(self, part: str, log: Path) -> Process:
        command = self.command(part)
        try:
            with log.open("ab") as output:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=ROOT,
                    env={**inherited_environment(), "NO_PROXY": HOST},
                    start_new_session=True,
                )
        except OSError as error:
            raise SettingsError(f"{part} cannot start: {error}") from error


def ours(module: str, *arguments: object) -> list[str]:
    """The command of a Python module of this project."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def size_of(folder: Path) -> int:
    """Bytes of all files below; those that vanish meanwhile count for nothing."""
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _family(pid: int) -> Iterator[int]:
    """The process and its descendants: some of them lead sessions of their own."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
