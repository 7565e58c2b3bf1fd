"""What thousands of waiting refunds cost, and whether their polls keep the rate limit."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final, NamedTuple, Self

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client

from antom_refunds import Money, RefundClient, RefundOrder, RefundState, contract
from antom_refunds.asgi_server import serve_in_background
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.settings import Address, env_name
from antom_refunds.simulator.server import create_app
from bench.environment import UnlimitedStack, limited_gather, running_stack
from bench.figures import FrozenModel, Line, busiest, per_second
from bench.harness import Findings, Log, MachineInfo
from bench.process_stats import cpu_meter, memory_bytes
from starter.tcp_ports import HOST

_PROCESSES: Final = ("worker", "temporal")
_KIB: Final = 1024
# What was started is done by then: modules are imported, and Temporal has written everything.
_WARM_SECONDS: Final = 4
_TRACE_SECONDS: Final = 3
# A simulated payment searches all of its refunds at each call.
_REFUNDS_PER_PAYMENT: Final = 100
_WAITING: Final = f"{contract.Attribute.STATE.value} = '{RefundState.PROCESSING.value}'"
# An overloaded server loses tasks, which means doubt: so many may be started and not accepted yet.
_AHEAD_MAX: Final = 300
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 20.0


class Plan(NamedTuple):
    """How many refunds and how long, in seconds; `limit` is calls to Antom per second.

    No refund is started later than `filling_max` after the first. A `speedup` below 1 stretches the
    waits: refunds that have waited for long poll rarely, and these have only minutes.
    """

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


class Window(FrozenModel):
    """A time in which nothing was started: calls to Antom, CPU seconds by process."""

    seconds: float
    calls: int
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    def load(self, *processes: str) -> float:
        """CPU seconds per second, of both processes if none is named."""
        return sum(self.cpu[each] for each in processes or _PROCESSES) / self.seconds


class Memory(FrozenModel):
    """Bytes by process with this many refunds; Temporal's database is part of its memory."""

    refunds: int
    bytes: dict[str, int]


class Level(FrozenModel):
    """`waiting` refunds in processing, of all that were started; reached after `filling` s."""

    waiting: int
    memory: Memory
    filling: float
    window: Window


class CallRate(FrozenModel):
    """Calls to Antom: all, the most within any second and any ten seconds, and by second."""

    calls: int
    fastest_second: int
    fastest_ten: int
    by_second: tuple[int, ...]

    @classmethod
    def of(cls, called: Iterable[float]) -> Self:
        """Of calls at these times."""
        times = sorted(called)
        return cls(
            calls=len(times),
            fastest_second=busiest(times, 1),
            fastest_ten=busiest(times, 10),
            by_second=per_second(times),
        )


class Recovery(FrozenModel):
    """After `outage` seconds without a worker a new one finds everything that became due.

    `idle` is the time without a worker.
    """

    idle: Window
    window: Window
    rate: CallRate
    memory: Memory


class WaitingFindings(Findings):
    """One run from nothing to the last level, and a worker that was killed at the end.

    `history_events` and `history_bytes` are those of one waiting refund.
    """

    title: ClassVar[str] = "Waiting refunds"

    limit: float
    speedup: float
    cached_max: int
    history_events: int
    history_bytes: int
    idle: Level
    levels: tuple[Level, ...]
    rate: CallRate
    trace: tuple[Memory, ...]
    recovery: Recovery

    @property
    def started_per_second(self) -> float:
        return self.levels[-1].memory.refunds / sum(level.filling for level in self.levels)

    def load_by_calls(self, *processes: str) -> Line:
        """CPU seconds per second over calls per second; both processes if none is named."""
        levels = [each.window for each in (self.idle, *self.levels)]
        windows = (*levels, self.recovery.window)
        return Line.through((each.rate, each.load(*processes)) for each in windows)

    def kib_each(self, process: str, *, least: int = 0, most: float = 1e9) -> float | None:
        """KiB that each refund adds between these numbers of refunds; None if not measured."""
        known = [each.memory for each in self.levels if least <= each.memory.refunds <= most]
        if len(known) < 2:  # noqa: PLR2004 - a slope needs two points
            return None
        added = known[-1].bytes[process] - known[0].bytes[process]
        return added / (known[-1].refunds - known[0].refunds) / _KIB

    @property
    def room(self) -> float:
        """How many refunds Temporal's growth would allow in this machine's memory."""
        last, each = self.levels[-1].memory, self.kib_each("temporal") or 0.0
        free = self.machine.memory_gib * _KIB**2 - sum(last.bytes.values()) / _KIB
        return last.refunds + free / each if each > 0 else 0.0

    @classmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """Level after level; at each of them nothing is started for a while. Then the outage."""
        plan, machine = QUICK if quick else FULL, MachineInfo.now()
        async with running(plan) as run:
            idle = await run.level(0.0)
            levels = await run.levels(log)
            events, size = await run.history()
            rate = CallRate.of(run.times)
            recovery = await run.recovery(log)
        return cls(
            machine=machine,
            limit=plan.limit,
            speedup=plan.speedup,
            cached_max=plan.cached_max,
            history_events=events,
            history_bytes=size,
            idle=idle,
            levels=tuple(levels),
            rate=rate,
            trace=tuple(run.trace),
            recovery=recovery,
        )


def _order(number: int) -> RefundOrder:
    payment_id = f"pay-{number // _REFUNDS_PER_PAYMENT}"
    amount = Money(currency="EUR", minor=1)
    return RefundOrder(refund_request_id=f"waiting-{number}", payment_id=payment_id, amount=amount)


@dataclass(slots=True)
class WaitingRun:
    """One stack with refunds of payments that settle long after the measurement.

    `times` is when each call so far was sent, `started` how many refunds there are, `waiting` how
    many of them were in processing recently; `trace` is the memory while they grew.
    """

    plan: Plan
    stack: UnlimitedStack
    temporal: Client
    times: Sequence[float]
    started: int = 0
    waiting: int = 0
    trace: list[Memory] = field(default_factory=list)

    async def levels(self, log: Log) -> list[Level]:
        """Each level that is reached in time, and how far the last one came."""
        until, levels = time.monotonic() + self.plan.filling_max, list[Level]()
        for number in self.plan.levels:
            if (began := time.monotonic()) >= until:
                break
            tracing = asyncio.create_task(self._trace())
            while self.started < number and time.monotonic() < until:
                await self._grow(min(self.started + _AHEAD_MAX, number))
                await self._settle(self.started - _AHEAD_MAX)
            await self._settle(self.started)
            tracing.cancel()
            filling = time.monotonic() - began
            log(f"{self.waiting:,} of {self.started:,} wait after {filling:.0f} s")
            levels.append(await self.level(filling))
        return levels

    async def _grow(self, to: int) -> None:
        await limited_gather(map(_order, range(self.started, to)), self._start)
        self.started = to

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

    async def _trace(self) -> None:
        while True:
            self.trace.append(self.memory())
            await asyncio.sleep(_TRACE_SECONDS)

    def memory(self) -> Memory:
        used = {name: memory_bytes(self.stack.pid_of(name)) for name in _PROCESSES}
        return Memory(refunds=self.started, bytes=used)

    async def window(self, seconds: float, *processes: str) -> Window:
        pids = {name: self.stack.pid_of(name) for name in processes or _PROCESSES}
        began, spent, calls = time.perf_counter(), cpu_meter(pids, "driver"), len(self.times)
        await asyncio.sleep(seconds)
        cpu, made = spent(), len(self.times) - calls
        return Window(seconds=time.perf_counter() - began, calls=made, cpu=cpu)

    async def level(self, filling: float) -> Level:
        """The present one, while nothing is started."""
        await asyncio.sleep(_WARM_SECONDS)
        window, memory = await self.window(self.plan.window), self.memory()
        return Level(waiting=self.waiting, memory=memory, filling=filling, window=window)

    async def history(self) -> tuple[int, int]:
        """Events and bytes of the first refund's history."""
        workflow_id = contract.workflow_id(_order(0).refund_request_id, merchant=DEFAULT_MERCHANT)
        described = await self.temporal.get_workflow_handle(workflow_id).describe()
        info = described.raw_description.workflow_execution_info
        return info.history_length, info.history_size_bytes

    async def recovery(self, log: Log) -> Recovery:
        """An outage of the worker, and a new one."""
        log(f"no worker for {self.plan.outage:.0f} s")
        self.stack.kill("worker")
        idle = await self.window(self.plan.outage, "temporal")
        earlier = len(self.times)
        await self.stack.start("worker")
        await asyncio.sleep(_WARM_SECONDS)
        window = await self.window(self.plan.recovery)
        rate = CallRate.of(self.times[earlier:])
        return Recovery(idle=idle, window=window, rate=rate, memory=self.memory())


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
