"""One engine that runs, with a simulator of its own, and what requests refunds from it."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.records import LedgerSnapshot
from bench.environment import UnlimitedStack, limited_gather
from bench.figures import Percentiles
from bench.peers.engine import AntomConfig, End, Engine
from bench.peers.engines import make_engine
from bench.peers.job import CLIENT_ID, SPEEDUP, Job, warm_up_job
from bench.process_stats import cpu_by_process
from starter.key_pairs import write_pair
from starter.local_merchants import LocalMerchant
from starter.tcp_ports import ANY_PORT, Ports, find_free_ports

REQUESTER: Final = "requester"
POLL_SECONDS: Final = 1.0
_WARM_POLL_SECONDS: Final = 0.2
_WARM_LIMIT_SECONDS: Final = 30
# One try: an engine with a killed process may delay a call.
_TRY_SECONDS: Final = 10
_RETRY_SECONDS: Final = 0.2
_WAL: Final = "-wal"


@dataclass(slots=True)
class EngineRun:
    """One engine, and a business service that requests refunds from it; its caller sets limits.

    `requested` is when each refund was requested, or should have been; `refused` are ids that
    were not accepted at the first try.
    """

    engine: Engine
    folder: Path
    antom: SimulatorClient
    requested: dict[str, datetime] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    async def burst(self, orders: Sequence[RefundOrder], *, concurrency: int) -> None:
        """Request all of them; each one that is accepted makes room for another."""

        async def request(order: RefundOrder) -> None:
            self.requested[order.refund_request_id] = datetime.now(UTC)
            await self._request(order)

        await limited_gather(orders, request, concurrency)

    async def steady(self, orders: Sequence[RefundOrder], *, per_second: float) -> None:
        """Request at this rate, however long the earlier ones take."""
        started = time.time()

        async def request(order: RefundOrder, due: float) -> None:
            self.requested[order.refund_request_id] = datetime.fromtimestamp(due, UTC)
            await asyncio.sleep(max(0.0, due - time.time()))
            await self._request(order)

        timed = enumerate(orders)
        await asyncio.gather(*(request(each, started + n / per_second) for n, each in timed))

    async def _request(self, order: RefundOrder) -> None:
        while True:
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    return await self.engine.request(order)
            except Exception:  # noqa: BLE001 - each engine has its own errors when unavailable
                self.refused.add(order.refund_request_id)
                await asyncio.sleep(_RETRY_SECONDS)

    async def ends(self) -> Mapping[str, End]:
        """The ends that the engine reports in time; none while it is unavailable."""
        with suppress(Exception):
            async with asyncio.timeout(_TRY_SECONDS):
                return await self.engine.ends()
        return {}

    async def have_ended(self, ids: frozenset[str]) -> bool:
        """Whether all of these are final, according to the engine."""
        return ids <= (await self.ends()).keys()

    async def wait_for(self, ids: frozenset[str], poll: float = POLL_SECONDS) -> None:
        """Until all of these are final."""
        while not await self.have_ended(ids):  # noqa: ASYNC110 - other processes have no event
            await asyncio.sleep(poll)

    async def add(self, job: Job) -> None:
        """Make the job's payments and faults known to the simulator."""
        await self.antom.add_payments(*(each.payment for each in job.refunds))
        await self.antom.add_scripts(*(script for each in job.refunds for script in each.scripts))

    async def warm_up(self) -> None:
        job = warm_up_job()
        await self.add(job)
        async with asyncio.timeout(_WARM_LIMIT_SECONDS):
            await self.burst(job.orders, concurrency=len(job.orders))
            await self.wait_for(job.ids(), _WARM_POLL_SECONDS)
        self.requested.clear()
        self.refused.clear()

    def stored_bytes(self) -> int:
        """What is stored permanently: SQLite's logs are first written to their databases."""
        for log in self.folder.rglob(f"*{_WAL}"):
            with closing(sqlite3.connect(str(log).removesuffix(_WAL), timeout=10)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.engine.stored_bytes()

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far by process; the requester is this one."""
        return cpu_by_process(self.engine.pids(), own=REQUESTER)

    def durations(self, ends: Mapping[str, End], ids: Iterable[str]) -> Percentiles:
        """Seconds from the request to the end, of refunds that are final."""
        both = (each for each in ids if each in ends and each in self.requested)
        return Percentiles.of(
            (ends[each].at - self.requested[each]).total_seconds() for each in both
        )


@asynccontextmanager
async def running(key: str, job: Job) -> AsyncIterator[EngineRun]:
    """This engine while inside, warmed up, with new folders; the simulator knows the job.

    Raises SettingsError if something does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        stack = _simulator(Path(folder) / "antom")
        home = Path(folder) / "engine"
        home.mkdir()
        try:
            await stack.start("simulator")
            engine = make_engine(key, home, _config(stack))
            try:
                await engine.start()
                async with SimulatorClient(stack.simulator_url) as antom:
                    run = EngineRun(engine, home, antom)
                    await run.warm_up()
                    await run.add(job)
                    yield run
            finally:
                await engine.stop()
        finally:
            await stack.stop_all()


def _simulator(home: Path) -> UnlimitedStack:
    (home / "logs").mkdir(parents=True)
    write_pair(home / "keys", "antom")
    merchant = LocalMerchant("default", CLIENT_ID, *write_pair(home / "keys", "merchant"))
    return UnlimitedStack(home, Ports(*find_free_ports([ANY_PORT] * 5)), SPEEDUP, (merchant,))


def _config(stack: UnlimitedStack) -> AntomConfig:
    merchant = stack.merchants["default"]
    return AntomConfig(
        gateway=stack.simulator_url,
        client_id=merchant.client_id,
        private_key=merchant.private_key,
        antom_public_key=stack.home / "keys" / "antom-public.pem",
        notify_port=stack.ports.webhook,
        notify_path=urlsplit(stack.notify_url).path,
        speedup=stack.speedup,
    )


def not_before_antom(
    ends: Mapping[str, End], ledger: LedgerSnapshot
) -> tuple[Mapping[str, End], int]:
    """The ends, none earlier than at Antom; and how many the engine dated earlier.

    With an engine that stores whole seconds refunds would otherwise end before they began.
    """
    finals = {each.refund_request_id: each.ended_at for each in ledger.refunds if each.ended_at}
    early = {each for each, end in ends.items() if each in finals and end.at < finals[each]}
    return {
        each: replace(end, at=finals[each]) if each in early else end for each, end in ends.items()
    }, len(early)
