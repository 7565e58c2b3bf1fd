"""DBOS beside the others: an application, a door, and a database server if there is one."""

import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import httpx
from dbos import DBOSClient

from antom_refunds.domain.order import RefundOrder
from bench.peers.common import told
from bench.peers.common.parts import Parts, ours
from bench.peers.dbos_app.app import ORDERS_PATH
from bench.peers.dbos_app.database import Database, Postgresql, Sqlite
from bench.peers.peer import Antom, End
from starter.ports import ANY, HOST, free_ports, is_open

# Ends show up in the order of their commits, which is not quite that of the times they bear.
_MARGIN: Final = timedelta(seconds=30)


class DbosPeer(Parts):
    """DBOS, whose engine is a library in the application and a database."""

    def __init__(
        self, folder: Path, antom: Antom, database: Literal["sqlite", "postgresql"] = "sqlite"
    ) -> None:
        """Raises SettingsError if PostgreSQL is wanted and not installed."""
        super().__init__(folder)
        self._antom = antom
        self._database: Database = Sqlite(folder) if database == "sqlite" else Postgresql(folder)
        self.name = f"DBOS on {self._database.name}"
        self.about = f"dbos {metadata.version('dbos')}; {self._database.about}"
        self.names = ("server", "app", "door") if self._database.server else ("app", "door")
        (self._port,) = free_ports([ANY])
        self._http = httpx.AsyncClient(base_url=f"http://{HOST}:{self._port}", trust_env=False)
        self._client: DBOSClient | None = None
        self._ends: dict[str, End] = {}

    async def start(self) -> None:
        """Raises SettingsError if a part does not start."""
        await self._database.prepare()
        told.write(self._antom, self._told)
        await self.start_all()
        self._client = DBOSClient(
            system_database_url=self._database.url, retry_connection_errors=False
        )

    async def stop(self) -> None:
        if self._client is not None:
            self._client.destroy()
        await self._http.aclose()
        await self.stop_all()

    async def ask(self, order: RefundOrder) -> None:
        """Raises httpx.HTTPError while the application is away."""
        body, form = order.model_dump_json(), {"content-type": "application/json"}
        answer = await self._http.post(ORDERS_PATH, content=body, headers=form)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        """Raises an error of the database's driver while the database is away."""
        if self._client is None:
            return {}
        ended = await self._client.list_workflows_async(
            status="SUCCESS", load_input=False, completed_after=self._last_end()
        )
        self._ends |= {
            each.workflow_id: _completed(each.output, each.completed_at)
            for each in ended
            if isinstance(each.output, End) and each.completed_at is not None
        }
        return self._ends

    def stored_bytes(self) -> int:
        return self._database.stored_bytes()

    def command(self, part: str) -> list[str]:
        app = "bench.peers.dbos_app"
        match part:
            case "server":
                return list(self._database.server)
            case "app":
                return ours(f"{app}.app", self._told, self._database.url, self._port)
            case _:
                return ours(f"{app}.door", self._told, self._database.url)

    async def is_ready(self, part: str) -> bool:
        match part:
            case "server":
                return await self._database.is_ready()
            case "app":
                return is_open(self._port)
            case _:
                return is_open(self._antom.notify_port)

    def stop_signal(self, part: str) -> signal.Signals:
        # PostgreSQL takes SIGTERM for "once everybody has left", SIGINT for "now".
        return signal.SIGINT if part == "server" else signal.SIGTERM

    @property
    def _told(self) -> Path:
        return self.folder / "told.json"

    def _last_end(self) -> str | None:
        """Since when ends may be new, as ISO 8601; None for ever."""
        last = max((end.at for end in self._ends.values()), default=None)
        return None if last is None else (last - _MARGIN).isoformat()


def _completed(end: End, epoch_milliseconds: int) -> End:
    """When DBOS recorded it: with SQLite and Python 3.11 it only knows the second."""
    recorded = datetime.fromtimestamp(epoch_milliseconds / 1000, UTC)
    return End(end.state, max(end.at, recorded))
