"""The databases that DBOS runs on: a SQLite file, or a PostgreSQL cluster of its own."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from antom_refunds.settings import SettingsError
from bench.peers.common.parts import size_of
from starter.ports import ANY, HOST, free_ports

_OWNER: Final = "refunds"
_NOBODY: Final = "65534"
_DEBIANS_PLACE: Final = Path("/usr/lib/postgresql")


class Database(Protocol):
    """Where DBOS keeps everything; `about` names the version and the settings that matter."""

    name: str
    about: str
    url: str
    server: Sequence[str]  # the command of its server, if it has one

    async def prepare(self) -> None:
        """Make it, if it is not there yet; raises SettingsError."""

    async def is_ready(self) -> bool:
        """Whether the server takes connections."""

    def stored_bytes(self) -> int:
        """Bytes on disk by now."""


class Sqlite:
    """A file, with a log that is written ahead (bench/peers/dbos_app/journal.py)."""

    name = "SQLite"
    about = f"SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous=normal"
    server: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sqlite"
        self.url = f"sqlite:///{self._folder / 'dbos.sqlite'}"

    async def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    async def is_ready(self) -> bool:
        return True

    def stored_bytes(self) -> int:
        return size_of(self._folder)


class Postgresql:
    """A cluster on a loopback port with PostgreSQL's own defaults, so every commit is synced."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError if PostgreSQL is not installed."""
        self._cluster = folder / "postgresql"
        (port,) = free_ports([ANY])
        self._address = ("--host", HOST, "--port", str(port), "--username", _OWNER)
        self.url = f"postgresql://{_OWNER}@{HOST}:{port}/refunds"
        settings = (f"listen_addresses={HOST}", f"port={port}", "unix_socket_directories=")
        told = [part for setting in settings for part in ("-c", setting)]
        self.server: Sequence[str] = [
            *_as_nobody(),
            _tool("postgres"),
            "-D",
            str(self._cluster),
            *told,
        ]
        self.about = f"{_version()}, fsync and synchronous_commit on, LISTEN/NOTIFY"

    async def prepare(self) -> None:
        if self._cluster.exists():
            return
        self._cluster.parent.mkdir(parents=True, exist_ok=True)
        # Everybody on the loopback address is trusted: a rehearsal holds no secrets.
        told = ("--pgdata", str(self._cluster), "--username", _OWNER, "--auth", "trust")
        if not await _succeeds(*_as_nobody(), _tool("initdb"), *told):
            raise SettingsError("initdb could not make a PostgreSQL cluster")

    async def is_ready(self) -> bool:
        # An open port is not enough: while it recovers it takes no connections.
        return await _succeeds(_tool("pg_isready"), *self._address)

    def stored_bytes(self) -> int:
        return size_of(self._cluster)


def _as_nobody() -> list[str]:
    """PostgreSQL refuses to be root: in a user namespace of its own, root has another number."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]


def _tool(name: str) -> str:
    debians = sorted(_DEBIANS_PLACE.glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debians[-1]) if debians else None)
    if found is None:
        raise SettingsError(f"PostgreSQL's {name} is missing: run scripts/setup-peers")
    return found


def _version() -> str:
    said = subprocess.run([_tool("postgres"), "--version"], check=True, capture_output=True)  # noqa: S603 - a tool of this machine
    # postgres (PostgreSQL) 15.16 (Debian 15.16-0+deb12u1)
    return f"PostgreSQL {said.stdout.decode().split()[2]}"


async def _succeeds(*command: str) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    return await process.wait() == 0
