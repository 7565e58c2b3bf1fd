"""DBOS: an application, a webhook, and SQLite or a PostgreSQL server."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx
from dbos import DBOSClient

from antom_refunds.domain.order import RefundOrder
from antom_refunds.settings import SettingsError
from bench.peers.dbos_app import ORDERS_PATH
from bench.peers.engine import AntomConfig, End, Engine, folder_bytes
from starter.tcp_ports import ANY_PORT, HOST, find_free_ports, is_open

_OWNER: Final = "refunds"
_NOBODY: Final = "65534"
_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")
# Workflows are listed in the order of their commits, which may differ from that of their times.
_MARGIN: Final = timedelta(seconds=30)


class DbosEngine(Engine):
    """DBOS on SQLite."""

    names: tuple[str, ...] = ("app", "webhook")
    module = "bench.peers.dbos_app"
    database = f"SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous=normal"

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        super().__init__(folder, antom)
        self.data = folder / "data"
        self.url = f"sqlite:///{self.data / 'dbos.sqlite'}"
        (self._port,) = find_free_ports([ANY_PORT])
        self._http = httpx.AsyncClient(base_url=f"http://{HOST}:{self._port}", trust_env=False)
        self._client: DBOSClient | None = None
        self._ends: dict[str, End] = {}

    @property
    def about(self) -> str:
        return f"dbos {metadata.version('dbos')}; {self.database}"

    async def prepare(self) -> None:
        self.data.mkdir(parents=True)

    async def start(self) -> None:
        await self.prepare()
        await super().start()
        self._client = DBOSClient(system_database_url=self.url, retry_connection_errors=False)

    async def stop(self) -> None:
        if self._client is not None:
            self._client.destroy()
        await self._http.aclose()
        await super().stop()

    async def request(self, order: RefundOrder) -> None:
        body, headers = order.model_dump_json(), {"content-type": "application/json"}
        answer = await self._http.post(ORDERS_PATH, content=body, headers=headers)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        if self._client is None:
            return {}
        last = max((end.at for end in self._ends.values()), default=None)
        since = None if last is None else (last - _MARGIN).isoformat()
        completed = await self._client.list_workflows_async(
            status="SUCCESS", load_input=False, completed_after=since
        )
        self._ends |= {
            each.workflow_id: _end(each.output, each.completed_at)
            for each in completed
            if isinstance(each.output, End) and each.completed_at is not None
        }
        return self._ends

    def stored_bytes(self) -> int:
        return folder_bytes(self.data)

    def command(self, name: str) -> list[str]:
        return self.module_command(name, self.url, *([self._port] if name == "app" else []))

    async def is_ready(self, name: str) -> bool:
        return is_open(self._port if name == "app" else self.antom.notify_port)


class DbosPostgresqlEngine(DbosEngine):
    """DBOS on a PostgreSQL cluster with its defaults, so every commit is synced."""

    names = ("server", "app", "webhook")

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        super().__init__(folder, antom)
        (self._server_port,) = find_free_ports([ANY_PORT])
        self.url = f"postgresql://{_OWNER}@{HOST}:{self._server_port}/refunds"
        self.database = f"{_version()}, fsync and synchronous_commit on, LISTEN/NOTIFY"

    async def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Every user of the loopback address is trusted: a measurement holds no secrets.
        options = ("--pgdata", str(self.data), "--username", _OWNER, "--auth", "trust")
        if not await _succeeds(*_unprivileged(), _tool("initdb"), *options):
            raise SettingsError("initdb could not make a PostgreSQL cluster")

    def command(self, name: str) -> list[str]:
        if name != "server":
            return super().command(name)
        port = f"port={self._server_port}"
        settings = (f"listen_addresses={HOST}", port, "unix_socket_directories=")
        options = [part for setting in settings for part in ("-c", setting)]
        return [*_unprivileged(), _tool("postgres"), "-D", str(self.data), *options]

    async def is_ready(self, name: str) -> bool:
        if name != "server":
            return await super().is_ready(name)
        # An open port is not enough: while it recovers it accepts no connections.
        address = ("--host", HOST, "--port", str(self._server_port), "--username", _OWNER)
        return await _succeeds(_tool("pg_isready"), *address)

    def stop_signal(self, name: str) -> signal.Signals:
        # PostgreSQL waits for its clients after SIGTERM, and not after SIGINT.
        return signal.SIGINT if name == "server" else signal.SIGTERM


def _end(end: End, epoch_milliseconds: int) -> End:
    """When DBOS recorded it: with SQLite and Python 3.11 only to the second."""
    return End(end.state, max(end.at, datetime.fromtimestamp(epoch_milliseconds / 1000, UTC)))


def _unprivileged() -> Sequence[str]:
    """PostgreSQL refuses to run as root: in a user namespace root has another number."""
    if os.geteuid() != 0:
        return ()
    return ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")


def _tool(name: str) -> str:
    installed = sorted(_DEBIAN_FOLDER.glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        raise SettingsError(f"PostgreSQL's {name} is missing: run scripts/setup-peers")
    return found


def _version() -> str:
    output = subprocess.run([_tool("postgres"), "--version"], check=True, capture_output=True)  # noqa: S603 - a tool of this machine
    return f"PostgreSQL {output.stdout.decode().split()[2]}"  # postgres (PostgreSQL) 15.16 (...)


async def _succeeds(*command: str) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    return await process.wait() == 0
