"""DBOS: an application, a webhook, and SQLite or a PostgreSQL server.

`python -m bench.peers.dbos_peer app|webhook DATABASE_URL` is one of its processes. As in DBOS's own
examples, the workflows run inside the web application that starts them.
"""

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
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSConfiguredInstance, SetWorkflowID
from fastapi import FastAPI
from sqlalchemy import Engine as Database
from sqlalchemy import event

from antom_refunds import Policy, RefundOrder
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.refund import Refund
from antom_refunds.merchants import build_clients
from antom_refunds.settings import Settings, SettingsError
from bench.peers.antom_calls import AntomCalls, PollingState
from bench.peers.engine import End, Engine
from bench.peers.webhook import run_role, serve, serve_webhook
from starter.tcp_ports import HOST

_ORDERS_PATH: Final = "/refunds"
_NOTIFICATIONS: Final = "notifications"
# Recovery finds the instance by this name.
_INSTANCE: Final = "refunds"
_OWNER: Final = "refunds"
_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root: in a user namespace root has another number.
_AS_NOBODY: Final = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
_UNPRIVILEGED: Final = _AS_NOBODY if os.geteuid() == 0 else ()
# Workflows are listed in the order of their commits, which may differ from that of their times.
_MARGIN: Final = timedelta(seconds=30)


@DBOS.dbos_class()
class Refunds(DBOSConfiguredInstance):
    """Each call is a step, each wait a `recv` with a timeout, which is durable."""

    def __init__(self, calls: AntomCalls, policy: Policy) -> None:
        self._calls = calls
        self._policy = policy
        super().__init__(config_name=_INSTANCE)

    @DBOS.workflow()
    async def refund(self, order: RefundOrder) -> End:
        """One refund until it is final. The output is recorded once, so the clock does no harm."""
        state = PollingState(Refund(order=order))
        refund = await state.run(self._policy, _notified, self.call)
        return End(refund.state, datetime.now(UTC))

    @DBOS.step()
    async def call(self, refund: Refund) -> Evidence:
        """One call; repeated with the same id and bytes if this process dies meanwhile."""
        return await self._calls.call(refund)


async def _notified(wait: timedelta) -> Evidence | None:
    """DBOS's `recv`, which is durable."""
    evidence: Evidence | None = await DBOS.recv_async(
        _NOTIFICATIONS, timeout_seconds=wait.total_seconds()
    )
    return evidence


def create_app(refunds: Refunds) -> FastAPI:
    """Takes orders: acknowledged when DBOS has them; equal ids are one workflow."""
    app = FastAPI(title="Refunds on DBOS", openapi_url=None)

    @app.post(_ORDERS_PATH, status_code=202)
    async def order_refund(order: RefundOrder) -> None:
        with SetWorkflowID(order.refund_request_id):
            await DBOS.start_workflow_async(refunds.refund, order)

    return app


def use_write_ahead_log() -> None:
    """For every SQLite connection, as Temporal's server has it here; DBOS has no setting for it."""

    def set_pragmas(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Database, "connect", set_pragmas)


async def run_app(settings: Settings, database_url: str) -> None:
    """Until SIGTERM; unfinished workflows of an earlier process continue."""
    use_write_ahead_log()
    config = DBOSConfig(
        name="antom-refunds", system_database_url=database_url, console_log_level="WARNING"
    )
    async with build_clients(settings)["default"] as antom:
        DBOS(config=config)
        refunds = Refunds(AntomCalls(antom), settings.policy)
        DBOS.launch()
        try:
            await serve(create_app(refunds), settings.health_listen)
        finally:
            DBOS.destroy()


async def run_webhook(settings: Settings, database_url: str) -> None:
    """Until SIGTERM."""
    use_write_ahead_log()
    # Without a database Antom gets 503 immediately instead of waiting for it.
    client = DBOSClient(system_database_url=database_url, retry_connection_errors=False)

    async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        send = client.send_async
        await send(refund_request_id, evidence, _NOTIFICATIONS, idempotency_key=delivery_id)

    try:
        await serve_webhook(settings, deliver)
    finally:
        client.destroy()


class DbosEngine(Engine):
    """DBOS on SQLite."""

    roles: tuple[str, ...] = ("app", "webhook")
    module = "bench.peers.dbos_peer"

    @property
    def about(self) -> str:
        database = f"SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous=normal"
        return f"dbos {metadata.version('dbos')}; {database}"

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
        headers = {"content-type": "application/json"}
        url = f"http://{HOST}:{self.ports.worker}"
        return httpx.AsyncClient(base_url=url, trust_env=False, headers=headers)

    async def request(self, order: RefundOrder) -> None:
        (await self.http.post(_ORDERS_PATH, content=order.model_dump_json())).raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        last = max((end.at for end in self.known.values()), default=None)
        since = None if last is None else (last - _MARGIN).isoformat()
        completed = await self.client.list_workflows_async(
            status="SUCCESS", load_input=False, completed_after=since
        )
        for each in completed:
            if isinstance(each.output, End) and each.completed_at is not None:
                # When DBOS recorded it: with SQLite and Python 3.11 only to the second.
                recorded = datetime.fromtimestamp(each.completed_at / 1000, UTC)
                end = End(each.output.state, max(each.output.at, recorded))
                self.known[each.workflow_id] = end
        return self.known


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


if __name__ == "__main__":
    run_role(run_app, run_webhook)
