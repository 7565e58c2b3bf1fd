"""A job on an engine: as a burst, and at a steady rate with or without faults."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, Field

from antom_refunds import Money, RefundOrder, RefundState
from antom_refunds.settings import SettingsError
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.records import LedgerSnapshot, RefundStatus
from bench.environment import CONCURRENCY, cpu_meter, limited_gather
from bench.figures import Percentiles
from bench.peers.engine import End, Engine, make_engine
from bench.peers.job import Job, SettlementKind, warm_up_job

PER_SECOND: Final = 15.0
# What is killed once each in a run with faults, in any order.
KILLED: Final = ("app", "app", "app", "server", "webhook")
_BURST_SECONDS: Final = 60
_DRAIN_SECONDS: Final = 90
_DOWN_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 1.0
_WARM_UP_SECONDS: Final = 30
# One try: an engine with a killed process may delay a call.
_TRY_SECONDS: Final = 10
_RETRY_SECONDS: Final = 0.2
_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}


class Audit(BaseModel, frozen=True):
    """How many refunds are final, and the ids of wrong ones, compared with the ledger."""

    requested: int
    ended: int
    moved_twice: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.moved_twice or self.disagreeing or self.unfinished)

    @classmethod
    def of(
        cls, orders: Iterable[RefundOrder], ends: Mapping[str, End], ledger: LedgerSnapshot
    ) -> Self:
        """The ledger must be younger than the ends."""
        requested = {order.refund_request_id: order for order in orders}
        moved: defaultdict[str, list[Money]] = defaultdict(list)
        for movement in ledger.movements:
            moved[movement.refund_request_id].append(movement.amount)
        statuses = {refund.refund_request_id: refund.status for refund in ledger.refunds}

        def agrees(each: str) -> bool:
            is_success = ends[each].state is RefundState.SUCCEEDED
            expected = [requested[each].amount] if is_success else []
            status = _STATUS.get(ends[each].state)
            return status is not None and status is statuses.get(each) and moved[each] == expected

        both = sorted(requested.keys() & ends.keys())
        return cls(
            requested=len(requested),
            ended=len(both),
            moved_twice=tuple(sorted(each for each, amounts in moved.items() if len(amounts) > 1)),
            disagreeing=tuple(each for each in both if not agrees(each)),
            unfinished=tuple(sorted(requested.keys() - ends.keys())),
        )


class Kill(NamedTuple):
    """SIGKILL for this process, this many seconds after the first request."""

    at: float
    process: str


class Run(BaseModel, frozen=True):
    """One run of one engine; times in seconds are from when a refund was due.

    `cpu` in milliseconds by process, `calls` and `stored` in bytes are per refund.
    """

    about: str = ""
    to_end: Percentiles
    immediate_to_end: Percentiles
    audit: Audit
    seconds: float = 0
    calls: float = 0
    cpu: Mapping[str, float] = Field(default_factory=dict)
    stored: float = 0
    kills: tuple[Kill, ...] = ()
    refused: int = 0

    @property
    def per_second(self) -> float:
        return self.audit.ended / self.seconds if self.seconds else 0.0

    @property
    def cpu_total(self) -> float:
        """The requester's too: an engine's client works in its caller."""
        return sum(self.cpu.values())


@dataclass(slots=True)
class EngineRun:
    """A service that requests refunds from one engine; `requested` is when each was due."""

    engine: Engine
    antom: SimulatorClient
    spent: Callable[[], dict[str, float]] = dict
    requested: dict[str, datetime] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    async def burst(self, orders: Iterable[RefundOrder], concurrency: int = CONCURRENCY) -> None:
        """Request all of them; each one that is accepted makes room for another."""
        await limited_gather(orders, self._request, concurrency)

    async def steady(self, orders: Iterable[RefundOrder], per_second: float = PER_SECOND) -> None:
        """Request at this rate, however long the earlier ones take."""
        started = time.time()
        timed = enumerate(orders)
        await asyncio.gather(*(self._request(each, started + n / per_second) for n, each in timed))

    async def _request(self, order: RefundOrder, due: float | None = None) -> None:
        due = time.time() if due is None else due
        self.requested[order.refund_request_id] = datetime.fromtimestamp(due, UTC)
        await asyncio.sleep(max(0.0, due - time.time()))
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

    async def wait_for(self, job: Job) -> dict[str, float]:
        """Until all of these are final; the CPU seconds by then, read before each check."""
        while True:
            spent = self.spent()
            if job.ids() <= (await self.ends()).keys():
                return spent
            await asyncio.sleep(_POLL_SECONDS)

    async def add(self, job: Job) -> None:
        """Make the job's payments and faults known to the simulator."""
        await self.antom.add_payments(*(each.payment for each in job.refunds))
        await self.antom.add_scripts(*(script for each in job.refunds for script in each.scripts))

    async def result(self, job: Job, **figures: object) -> Run:
        """The run so far, with these further figures."""
        ends, ids = await self.ends(), job.ids()
        ledger = await self.antom.ledger()
        # inquiryPayment names the payment alone.
        subjects = ids | {order.payment_id for order in job.orders}
        calls = sum(each.count for each in ledger.calls if each.subject in subjects)
        both = ends.keys() & self.requested
        times = {each: (ends[each].at - self.requested[each]).total_seconds() for each in both}
        last = max((ends[each].at for each in ends.keys() & ids), default=None)
        immediate = job.ids(SettlementKind.IMMEDIATE) & times.keys()
        return Run.model_validate({
            "about": self.engine.about,
            "to_end": Percentiles.of(times.values()),
            "immediate_to_end": Percentiles.of(times[each] for each in immediate),
            "audit": Audit.of(job.orders, ends, ledger),
            "seconds": (last - min(self.requested.values())).total_seconds() if last else 0.0,
            "calls": calls / len(ids),
            "refused": len(self.refused),
            **figures,
        })  # fmt: skip


@asynccontextmanager
async def running(key: str, job: Job) -> AsyncIterator[EngineRun]:
    """This engine, new and warmed up; raises SettingsError if something does not start."""
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(key, Path(folder) / "engine")
        try:
            await engine.start_all()
            async with SimulatorClient(engine.simulator_url) as antom:
                warm_up, first = EngineRun(engine, antom), warm_up_job()
                await warm_up.add(first)
                async with asyncio.timeout(_WARM_UP_SECONDS):
                    await warm_up.burst(first.orders)
                    await warm_up.wait_for(first)
                await warm_up.add(job)
                yield EngineRun(engine, antom)
        finally:
            await engine.stop_all()


async def run_burst(key: str, job: Job) -> Run:
    """The whole job as one burst; raises SettingsError if the engine does not start."""
    async with running(key, job) as run:
        stored = run.engine.stored_bytes()
        run.spent = cpu_meter(run.engine.pids(), own="requester")
        try:
            async with asyncio.timeout(_BURST_SECONDS):
                await run.burst(job.orders)
                spent = await run.wait_for(job)
        except TimeoutError:
            spent = run.spent()
        size = len(job.refunds)
        cpu = {name: round(seconds * 1000 / size, 2) for name, seconds in spent.items()}
        added = run.engine.stored_bytes() - stored
        return await run.result(job, cpu=cpu, stored=added / size)


def draw_kills(job: Job, seed: int) -> tuple[Kill, ...]:
    """Each process in any order, one kill in each fifth of the time."""
    # Reproducible on purpose; nothing secret depends on it.
    dice = Random(f"peers/blows/{seed}")  # noqa: S311
    processes = dice.sample(KILLED, k=len(KILLED))
    part = len(job.refunds) / PER_SECOND / len(processes)
    times = [(place + dice.random()) * part for place in range(len(processes))]
    return tuple(Kill(at=at, process=each) for at, each in zip(times, processes, strict=True))


async def run_steady(key: str, job: Job, kills: Iterable[Kill] = ()) -> Run:
    """At a steady rate; raises SettingsError if the engine does not start."""
    async with running(key, job) as run:
        happened: list[Kill] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(len(job.refunds) / PER_SECOND + _DRAIN_SECONDS):
                await asyncio.gather(run.steady(job.orders), _kill(run.engine, kills, happened))
                await run.wait_for(job)
        return await run.result(job, kills=tuple(happened))


async def _kill(engine: Engine, kills: Iterable[Kill], happened: list[Kill]) -> None:
    """One after another, each at its time or when the process before it is up again."""
    started = time.monotonic()
    for kill in kills:
        await asyncio.sleep(max(0.0, started + kill.at - time.monotonic()))
        if kill.process not in engine.pids():
            continue
        happened.append(Kill(at=round(time.monotonic() - started, 2), process=kill.process))
        await engine.kill_and_wait(kill.process)
        while kill.process not in engine.pids():  # as a supervisor would
            await asyncio.sleep(_DOWN_SECONDS)
            with suppress(SettingsError):
                await engine.start(kill.process)
