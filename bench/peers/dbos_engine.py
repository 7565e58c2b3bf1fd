"""DBOS: an application, a webhook, and SQLite or a PostgreSQL server."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx
from dbos import DBOSClient

from antom_refunds.domain.order import RefundOrder
from antom_refunds.settings import SettingsError
from bench.peers.dbos_app import ORDERS_PATH
from bench.peers.engine import End, Engine
from starter.tcp_ports import HOST

_OWNER: Final = "refunds"
_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root: in a user namespace root has another number.
_AS_NOBODY: Final = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
_UNPRIVILEGED: Final = _AS_NOBODY if os.geteuid() == 0 else ()
# Workflows are listed in the order of their commits, which may differ from that of their times.
_MARGIN: Final = timedelta(seconds=30)


class DbosEngine(Engine):
    """DBOS on SQLite."""

    roles: tuple[str, ...] = ("app", "webhook")
    module = "bench.peers.dbos_app"

    @property
    def about(self) -> str:
        database = f"SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous=normal"
        return f"dbos {metadata.version('dbos')}; {database}"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.data / 'dbos.sqlite'}"

    async def start_all(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.arguments = (self.url,)
        await super().start_all()

    async def stop_all(self) -> None:
        if "client" in self.__dict__:
            self.client.destroy()
        await self.http.aclose()
        await super().stop_all()

    @cached_property
    def client(self) -> DBOSClient:
        return DBOSClient(system_database_url=self.url, retry_connection_errors=False)

    @cached_property
    def http(self) -> httpx.AsyncClient:
        url = f"http://{HOST}:{self.ports.worker}"
        return httpx.AsyncClient(
            base_url=url, trust_env=False, headers={"content-type": "application/json"}
        )

    @cached_property
    def _ends(self) -> dict[str, End]:
        return {}

    def server_command(self) -> list[str]:
        raise SettingsError("SQLite has no server")

    async def request(self, order: RefundOrder) -> None:
        (await self.http.post(ORDERS_PATH, content=order.model_dump_json())).raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        last = max((end.at for end in self._ends.values()), default=None)
        since = None if last is None else (last - _MARGIN).isoformat()
        completed = await self.client.list_workflows_async(
            status="SUCCESS", load_input=False, completed_after=since
        )
        for each in completed:
            if isinstance(each.output, End) and each.completed_at is not None:
                # When DBOS recorded it: with SQLite and Python 3.11 only to the second.
                recorded = datetime.fromtimestamp(each.completed_at / 1000, UTC)
                end = End(each.output.state, max(each.output.at, recorded))
                self._ends[each.workflow_id] = end
        return self._ends


class DbosPostgresqlEngine(DbosEngine):
    """DBOS on a PostgreSQL cluster with its defaults, so every commit is synced."""

    roles = ("server", "app", "webhook")

    @property
    def about(self) -> str:
        output = subprocess.run([_tool("postgres"), "--version"], check=True, capture_output=True)  # noqa: S603 - a tool of this machine
        version = output.stdout.decode().split()[2]  # postgres (PostgreSQL) 15.16 (...)
        settings = f"PostgreSQL {version}, fsync and synchronous_commit on, LISTEN/NOTIFY"
        return f"dbos {metadata.version('dbos')}; {settings}"

    @property
    def url(self) -> str:
        return f"postgresql://{_OWNER}@{HOST}:{self.ports.temporal}/refunds"

    async def start_all(self) -> None:
        # Every user of the loopback address is trusted: a measurement holds no secrets.
        options = ("--pgdata", str(self.data), "--username", _OWNER, "--auth", "trust")
        if not await _succeeds(*_UNPRIVILEGED, _tool("initdb"), *options):
            raise SettingsError("initdb could not make a PostgreSQL cluster")
        await super().start_all()

    def server_command(self) -> list[str]:
        port = f"port={self.ports.temporal}"
        settings = (f"listen_addresses={HOST}", port, "unix_socket_directories=")
        options = [part for setting in settings for part in ("-c", setting)]
        return [*_UNPRIVILEGED, _tool("postgres"), "-D", str(self.data), *options]

    async def is_ready(self, name: str) -> bool:
        # An open port is not enough: while the server recovers it accepts no connections.
        address = ("--host", HOST, "--port", str(self.ports.temporal), "--username", _OWNER)
        return name != "server" or await _succeeds(_tool("pg_isready"), *address)


def _tool(name: str) -> str:
    installed = sorted(_DEBIAN_FOLDER.glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        raise SettingsError(f"PostgreSQL's {name} is missing: run scripts/setup-peers")
    return found


async def _succeeds(*command: str) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    return await process.wait() == 0
