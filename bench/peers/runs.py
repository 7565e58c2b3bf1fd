"""A job on an engine: as a burst, and at a steady rate with or without faults."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from random import Random
from typing import Any, Final, Self

from pydantic import Field

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from antom_refunds.simulator.records import LedgerSnapshot, RefundStatus
from bench.environment import CONCURRENCY
from bench.figures import FrozenModel, Percentiles
from bench.peers.engine import End, Engine
from bench.peers.environment import POLL_SECONDS, EngineRun, not_before_antom, running
from bench.peers.job import Job, SettlementKind

PER_SECOND: Final = 15.0
# What is killed once each in a run with faults, in any order.
KILLED: Final = ("app", "app", "app", "server", "webhook")
_BURST_SECONDS: Final = 60
_DRAIN_SECONDS: Final = 90
_DOWN_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 0.5
_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}


class Audit(FrozenModel):
    """How many refunds were requested and are final, and the ids of wrong ones.

    `moved_twice`: money moved more than once. `disagreeing`: the engine reports an end, and the
    ledger another one or other money. `unfinished`: the engine reports no end.
    """

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


class Run(FrozenModel):
    """One run of one engine; seconds are from the request, or from when it was due.

    `immediate` are the refunds to which Antom's waits do not apply. `about` has the versions.
    """

    engine: str
    about: str = Field(default="", exclude=True)
    to_end: Percentiles
    immediate_to_end: Percentiles
    audit: Audit


class BurstRun(Run):
    """The whole job as one burst.

    `early` is how many ends the engine dated before Antom's. `seconds` is from the first request to
    the last end. `cpu` is milliseconds per refund by process, `calls` and `stored` (bytes) are per
    refund too.
    """

    early: int
    seconds: float
    calls: float
    cpu: dict[str, float]
    stored: float

    @property
    def per_second(self) -> float:
        return self.audit.ended / self.seconds if self.seconds else 0.0

    @property
    def cpu_total(self) -> float:
        """The requester's too: an engine's client works in its caller."""
        return sum(self.cpu.values())


class Kill(FrozenModel):
    """SIGKILL for this process, this many seconds after the first request."""

    at: float
    process: str


class SteadyRun(Run):
    """At a steady rate; `kills` are the ones that happened, `refused` counts requests that were not
    accepted at the first try."""

    kills: tuple[Kill, ...] = ()
    refused: int


async def run_burst(key: str, job: Job) -> BurstRun:
    """Raises SettingsError if the engine does not start."""
    size = len(job.refunds)
    async with running(key, job) as run:
        stored, before = run.stored_bytes(), run.cpu()
        after = await _until_ended(run, job)
        common, ends, early, ledger = await _results(key, run, job)
        ids = job.ids()
        last = max((end.at for each, end in ends.items() if each in ids), default=None)
        first = min(run.requested.values())
        return BurstRun(
            **common,
            early=early,
            seconds=(last - first).total_seconds() if last else 0.0,
            calls=sum(each.count for each in ledger.calls if each.subject in ids) / size,
            cpu={name: round((after[name] - before[name]) * 1000 / size, 2) for name in before},
            stored=(run.stored_bytes() - stored) / size,
        )


async def _results(
    key: str, run: EngineRun, job: Job
) -> tuple[dict[str, Any], Mapping[str, End], int, LedgerSnapshot]:
    """The fields of every run, the ends, how many were early, and the ledger."""
    reported = await run.ends()
    ledger = await run.antom.ledger()
    ends, early = not_before_antom(reported, ledger)
    fields = {
        "engine": key,
        "about": run.engine.about,
        "to_end": run.durations(ends, job.ids()),
        "immediate_to_end": run.durations(ends, job.ids(SettlementKind.IMMEDIATE)),
        "audit": Audit.of(job.orders, ends, ledger),
    }
    return fields, ends, early, ledger


async def _until_ended(run: EngineRun, job: Job) -> dict[str, float]:
    """CPU seconds when all refunds are final, or at the time limit.

    Read before each check, which costs the engine CPU time too.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_BURST_SECONDS):
            await run.burst(job.orders, concurrency=CONCURRENCY)
            while True:
                cpu = run.cpu()
                if await run.have_ended(job.ids()):
                    return cpu
                await asyncio.sleep(POLL_SECONDS)
    return run.cpu()


def draw_kills(job: Job, seed: int) -> tuple[Kill, ...]:
    """Each process in any order, one kill in each fifth of the time."""
    # Reproducible on purpose; nothing secret depends on it.
    dice = Random(f"peers/blows/{seed}")  # noqa: S311
    processes = dice.sample(KILLED, k=len(KILLED))
    part = len(job.refunds) / PER_SECOND / len(processes)
    times = [(place + dice.random()) * part for place in range(len(processes))]
    return tuple(Kill(at=at, process=each) for at, each in zip(times, processes, strict=True))


async def run_steady(key: str, job: Job, kills: Iterable[Kill] = ()) -> SteadyRun:
    """Raises SettingsError if the engine does not start."""
    async with running(key, job) as run:
        happened: list[Kill] = []
        limit = len(job.refunds) / PER_SECOND + _DRAIN_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                async with asyncio.TaskGroup() as group:
                    group.create_task(run.steady(job.orders, per_second=PER_SECOND))
                    group.create_task(_kill(run.engine, kills, happened))
                await run.wait_for(job.ids())
        common, *_ = await _results(key, run, job)
        return SteadyRun(**common, kills=tuple(happened), refused=len(run.refused))


async def _kill(engine: Engine, kills: Iterable[Kill], happened: list[Kill]) -> None:
    """One after another, each at its time or when the process before it is up again."""
    started = time.monotonic()
    for kill in kills:
        await asyncio.sleep(max(0.0, started + kill.at - time.monotonic()))
        if kill.process not in engine.pids():
            continue
        happened.append(Kill(at=round(time.monotonic() - started, 2), process=kill.process))
        await engine.kill(kill.process)
        await asyncio.sleep(_DOWN_SECONDS)
        while True:  # as a supervisor would
            try:
                await engine.restart(kill.process)
                break
            except SettingsError:
                await asyncio.sleep(_RETRY_SECONDS)
