"""What thousands of waiting refunds cost, and whether their polls keep the rate limit."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

import psutil
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client

from antom_refunds import Money, RefundClient, RefundOrder, RefundState, contract
from antom_refunds.asgi_server import serve_in_background
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.settings import Address, env_name
from antom_refunds.simulator.server import create_app
from bench.environment import (
    UnlimitedStack,
    cpu_meter,
    limited_gather,
    memory_bytes,
    running_stack,
)
from bench.figures import Figures, Line, Log, call_rate
from starter.tcp_ports import HOST

_PROCESSES: Final = ("worker", "temporal")
_KIB: Final = 1024
_MIB: Final = 1024**2
# What was started is done by then: modules are imported, and Temporal has written everything.
_WARM_SECONDS: Final = 4
# A simulated payment searches all of its refunds at each call.
_REFUNDS_PER_PAYMENT: Final = 100
_WAITING: Final = f"{contract.Attribute.STATE.value} = '{RefundState.PROCESSING.value}'"
# An overloaded server loses tasks, which means doubt: so many may be started and not accepted yet.
_AHEAD_MAX: Final = 300
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 20.0


class Plan(NamedTuple):
    """How many refunds and how long, in seconds; a `speedup` below 1 stretches their waits."""

    levels: tuple[int, ...]
    limit: int
    speedup: float
    cached_max: int
    filling_max: float
    window: float
    outage: float
    recovery: float


FULL: Final = Plan(
    levels=(1_000, 5_000, 10_000, 20_000), limit=100, speedup=1 / 60, cached_max=5_000,
    filling_max=510, window=30, outage=60, recovery=45,
)  # fmt: skip
QUICK: Final = Plan(
    levels=(200, 400, 600), limit=50, speedup=1, cached_max=400,
    filling_max=30, window=3, outage=8, recovery=8,
)  # fmt: skip


class Level(NamedTuple):
    """`waiting` of `refunds` are in processing, reached after `filling` seconds, and left alone.

    `calls` to Antom and `load` (CPU seconds, by process) are per second; `mib` by process, that of
    Temporal with its database.
    """

    refunds: int
    waiting: int
    filling: float
    calls: float
    load: dict[str, float]
    mib: dict[str, float]


async def measure(log: Log, *, quick: bool) -> Figures:
    """Level after level; at each of them nothing is started for a while. Then the outage."""
    plan = QUICK if quick else FULL
    async with running(plan) as run:
        idle = await run.level(0.0)
        levels = [idle, *await run.levels(log)]
        history, rate = await run.history(), call_rate(run.times)
        recovery = await run.recovery(log)
    return {
        **summarise(plan, levels, recovery["recovered"]), **history, **recovery,
        "recovered": recovery["recovered"]._asdict(), "trace": run.trace, "rate": rate,
    }  # fmt: skip


def summarise(plan: Plan, levels: Sequence[Level], recovered: Level) -> Figures:
    """The first level is without refunds. Lines are CPU over calls, both per second."""
    windows, last = (*levels, recovered), levels[-1]

    worker, temporal = (
        Line.through((each.calls, each.load[name]) for each in windows) for name in _PROCESSES
    )
    both = Line(worker.start + temporal.start, worker.slope + temporal.slope)
    kib = _kib_each(levels[1:], "temporal") or 0.0
    free = psutil.virtual_memory().total / _KIB - sum(last.mib.values()) * _KIB
    return {
        "limit": plan.limit,
        "slowdown": 1 / plan.speedup,
        "cached_max": plan.cached_max,
        "outage_seconds": plan.outage,
        "levels": [each._asdict() for each in levels],
        "kib_cached": _kib_each(levels[1:], "worker", most=plan.cached_max),
        "kib_further": _kib_each(levels[1:], "worker", least=plan.cached_max),
        "kib_temporal": kib,
        "room": last.refunds + free / kib if kib > 0 else None,
        "started_per_second": last.refunds / sum(each.filling for each in levels),
        "poll_ms": {"worker": worker.slope * 1000, "temporal": temporal.slope * 1000},
        "load_at_rest": both.start,
        "load_hourly": last.waiting / 3600 * both.slope,
    }


def _kib_each(
    levels: Sequence[Level], process: str, *, least: int = 0, most: float = 1e9
) -> float | None:
    """KiB that each refund adds between these numbers of refunds; None if not measured."""
    known = [each for each in levels if least <= each.refunds <= most]
    if len(known) < 2:  # noqa: PLR2004 - a slope needs two points
        return None
    added = known[-1].mib[process] - known[0].mib[process]
    return added * _KIB / (known[-1].refunds - known[0].refunds)


def _order(number: int) -> RefundOrder:
    payment_id = f"pay-{number // _REFUNDS_PER_PAYMENT}"
    amount = Money(currency="EUR", minor=1)
    return RefundOrder(refund_request_id=f"waiting-{number}", payment_id=payment_id, amount=amount)


@dataclass(slots=True)
class WaitingRun:
    """One stack with refunds that settle long after; `times` is when each call was sent."""

    plan: Plan
    stack: UnlimitedStack
    temporal: Client
    times: Sequence[float]
    started: int = 0
    waiting: int = 0
    trace: list[Figures] = field(default_factory=list)

    async def levels(self, log: Log) -> list[Level]:
        """Each level that is reached in time, and how far the last one came."""
        until, levels = time.monotonic() + self.plan.filling_max, list[Level]()
        for number in self.plan.levels:
            if (began := time.monotonic()) >= until:
                break
            while self.started < number and time.monotonic() < until:
                more = range(self.started, min(self.started + _AHEAD_MAX, number))
                await limited_gather(map(_order, more), self._start)
                self.started = more.stop
                await self._settle(self.started - _AHEAD_MAX)
                self.trace.append({"refunds": self.started, "mib": self._mib()})
            await self._settle(self.started)
            filling = time.monotonic() - began
            log(f"{self.waiting:,} of {self.started:,} wait after {filling:.0f} s")
            levels.append(await self.level(filling))
        return levels

    async def _start(self, order: RefundOrder) -> None:
        while True:
            with suppress(TemporalUnavailableError):
                await RefundClient(self.temporal).start(order)
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _settle(self, number: int) -> None:
        """Until this many are in processing, or until their number no longer changes."""
        since = time.monotonic()
        while self.waiting < number and time.monotonic() - since < _SETTLE_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            seen, self.waiting = self.waiting, (await self.temporal.count_workflows(_WAITING)).count
            since = since if seen == self.waiting else time.monotonic()

    def _mib(self) -> dict[str, float]:
        return {e: round(memory_bytes(self.stack.pid_of(e)) / _MIB, 2) for e in _PROCESSES}

    async def _window(self, seconds: float, *processes: str) -> tuple[float, dict[str, float]]:
        """Calls to Antom and CPU seconds by process, both per second."""
        pids = {name: self.stack.pid_of(name) for name in processes}
        began, spent, calls = time.perf_counter(), cpu_meter(pids, "driver"), len(self.times)
        await asyncio.sleep(seconds)
        cpu, made, passed = spent(), len(self.times) - calls, time.perf_counter() - began
        return made / passed, {name: cpu[name] / passed for name in processes}

    async def level(self, filling: float, seconds: float | None = None) -> Level:
        """The present one, while nothing is started."""
        await asyncio.sleep(_WARM_SECONDS)
        calls, load = await self._window(seconds or self.plan.window, *_PROCESSES)
        return Level(self.started, self.waiting, filling, calls, load, self._mib())

    async def history(self) -> Figures:
        """Of the first refund."""
        workflow_id = contract.workflow_id(_order(0).refund_request_id, merchant=DEFAULT_MERCHANT)
        described = await self.temporal.get_workflow_handle(workflow_id).describe()
        info = described.raw_description.workflow_execution_info
        size = info.history_size_bytes / _KIB
        return {"history_events": info.history_length, "history_kib": size}

    async def recovery(self, log: Log) -> Figures:
        """An outage of the worker, after which a new one finds everything that became due."""
        log(f"no worker for {self.plan.outage:.0f} s")
        self.stack.kill("worker")
        _, load = await self._window(self.plan.outage, "temporal")
        earlier = len(self.times)
        await self.stack.start("worker")
        recovered = await self.level(0.0, self.plan.recovery)
        rate = call_rate(self.times[earlier:])
        return {"outage_load": load["temporal"], "rate_recovered": rate, "recovered": recovered}


def timed(antom: ASGIApp, times: list[float]) -> ASGIApp:
    """Antom, which also appends to `times` when each call was sent, in Unix time."""

    async def antom_with_times(scope: Scope, receive: Receive, send: Send) -> None:
        # The signed time of sending: on a busy machine it is read much later.
        if scope["path"].startswith("/ams/"):
            times.append(int(Request(scope).headers["request-time"]) / 1000)
        await antom(scope, receive, send)

    return antom_with_times


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[WaitingRun]:
    """The usual stack with this plan's limits, its simulator in this process."""
    settings = {
        env_name("antom_calls_per_second"): str(plan.limit),
        env_name("cached_workflows_max"): str(plan.cached_max),
    }
    times: list[float] = []
    async with (
        running_stack("temporal", speedup=plan.speedup, settings=settings) as stack,
        stack.simulator_config().build_simulator() as simulator,
        serve_in_background(
            timed(create_app(simulator), times), Address(host=HOST, port=stack.ports.simulator)
        ),
    ):
        orders = map(_order, range(0, plan.levels[-1], _REFUNDS_PER_PAYMENT))
        payments = (order.payment_id for order in orders)
        await stack.add_payments(*payments, is_async=True, settle_after=timedelta(days=1))
        await stack.start("worker")
        yield WaitingRun(plan, stack, await stack.temporal(), times)
