"""What thousands of waiting refunds cost, and whether their polls keep the rate limit."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final, Self

from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import DEFAULT_MERCHANT, RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import env_name
from antom_refunds.simulator.control_client import SimulatorClient
from bench.environment import CONCURRENCY, UnlimitedStack, running_stack
from bench.figures import FrozenModel, Line, bucket_size, busiest, per_second
from bench.harness import Findings, Log, MachineInfo
from bench.process_stats import cpu_seconds, memory_bytes

_PROCESSES: Final = ("worker", "temporal")
_TEN: Final = 10  # seconds: long enough to even out a burst
_KIB: Final = 1024
# What was started is done by then: modules are imported, and Temporal has written everything.
_WARM_SECONDS: Final = 4
_TRACE_SECONDS: Final = 3
# A simulated payment searches all of its refunds at each call.
_REFUNDS_PER_PAYMENT: Final = 100
_WAITING: Final = f"{contract.Attribute.STATE.value} = '{RefundState.PROCESSING.value}'"
_AHEAD_MAX: Final = 300
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 20.0


class Plan(FrozenModel):
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
    windows: int
    outage: float
    recovery: float


FULL: Final = Plan(
    levels=(1_000, 5_000, 10_000, 20_000), limit=100, speedup=1 / 60, cached_max=5_000,
    filling_max=510, window=15, windows=2, outage=60, recovery=45,
)  # fmt: skip
QUICK: Final = Plan(
    levels=(200, 400, 600), limit=50, speedup=1, cached_max=400,
    filling_max=30, window=3, windows=1, outage=8, recovery=8,
)  # fmt: skip


class Window(FrozenModel):
    """A time in which nothing was started: calls to Antom, CPU seconds by process."""

    seconds: float
    calls: int
    cpu: dict[str, float]

    def cpu_of(self, processes: Sequence[str]) -> float:
        """Of both processes if none is named."""
        return sum(self.cpu[each] for each in processes or _PROCESSES)


class Memory(FrozenModel):
    """Bytes by process with this many refunds; Temporal's database is part of its memory."""

    refunds: int
    bytes: dict[str, int]


class Level(FrozenModel):
    """`waiting` refunds in processing, of all that were started; reached after `filling` s."""

    waiting: int
    memory: Memory
    filling: float
    windows: tuple[Window, ...]

    @property
    def calls(self) -> float:
        """Per second."""
        return sum(each.calls for each in self.windows) / sum(e.seconds for e in self.windows)

    def cpu(self, *processes: str) -> float:
        """Seconds per second, of both processes if none is named."""
        spent = sum(each.cpu_of(processes) for each in self.windows)
        return spent / sum(each.seconds for each in self.windows)


class CallRate(FrozenModel):
    """Calls to Antom: all, the most within any second and any ten seconds, and by second.

    `bucket` is the smallest token bucket, refilled at the limit, that admits all of them.
    """

    calls: int
    fastest_second: int
    fastest_ten: int
    bucket: float
    by_second: tuple[int, ...]

    @classmethod
    def of(cls, times: Sequence[float], limit: float) -> Self:
        """Of calls at these sorted times."""
        return cls(
            calls=len(times),
            fastest_second=busiest(times, 1),
            fastest_ten=busiest(times, _TEN),
            bucket=round(bucket_size(times, limit), 1),
            by_second=per_second(times),
        )


class Recovery(FrozenModel):
    """After `outage` seconds without a worker a new one finds everything that became due.

    `idle_cpu` is what Temporal spent during the outage, in seconds.
    """

    outage: float
    idle_cpu: float
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
    def last(self) -> Level:
        return self.levels[-1]

    @property
    def started_per_second(self) -> float:
        return self.last.memory.refunds / sum(level.filling for level in self.levels)

    def cpu_by_calls(self, *processes: str) -> Line:
        """CPU seconds per second over calls per second; both processes if none is named."""
        windows = [each for level in (self.idle, *self.levels) for each in level.windows]
        return Line.through(
            (each.calls / each.seconds, each.cpu_of(processes) / each.seconds)
            for each in (*windows, self.recovery.window)
        )

    def kib_each(self, process: str, *, least: int = 0, most: float = 1e9) -> float | None:
        """KiB that each refund adds between these numbers of refunds; None if not measured."""
        known = [each.memory for each in self.levels if least <= each.memory.refunds <= most]
        if len(known) < 2:  # noqa: PLR2004 - a slope needs two points
            return None
        added = known[-1].bytes[process] - known[0].bytes[process]
        return added / (known[-1].refunds - known[0].refunds) / _KIB

    @property
    def room(self) -> float | None:
        """How many refunds Temporal's growth would allow in this machine's memory."""
        each = self.kib_each("temporal")
        if not each or each < 0:
            return None
        free = self.machine.memory_gib * _KIB**3 - sum(self.last.memory.bytes.values())
        return self.last.memory.refunds + free / each / _KIB

    @classmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """Level after level; at each of them nothing is started for a while. Then the outage."""
        plan, machine = QUICK if quick else FULL, MachineInfo.now()
        async with running(plan) as run:
            idle = await run.level(0.0)
            levels = await run.levels(log)
            events, size = await run.population.history()
            times = sorted(run.times())
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
            rate=CallRate.of(times, plan.limit),
            trace=tuple(run.trace),
            recovery=recovery,
        )


@dataclass(slots=True)
class RefundPopulation:
    """Refunds of payments that settle long after the measurement.

    `started` is how many there are, `seen` how many of them were in processing recently.
    """

    temporal: Client
    started: int = 0
    seen: int = 0

    async def grow(self, to: int, *, until: float) -> None:
        """Start refunds up to this number, or until this monotonic time.

        Never many more than are accepted: an overloaded server loses tasks, which means doubt.
        """
        refunds = RefundClient(self.temporal)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await asyncio.gather(*(self._start(refunds, to, until) for _ in range(CONCURRENCY)))
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.seen = await self._waiting()
            await asyncio.sleep(_POLL_SECONDS)

    async def _start(self, refunds: RefundClient, to: int, until: float) -> None:
        while self.started < to and time.monotonic() < until:
            if self.started - self.seen >= _AHEAD_MAX:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            order, self.started = _order(self.started), self.started + 1
            while True:
                with suppress(TemporalUnavailableError):
                    await refunds.start(order)
                    break
                await asyncio.sleep(_RETRY_SECONDS)

    async def settle(self) -> int:
        """How many are in processing when all are, or when the number no longer changes."""
        since = time.monotonic()
        while self.seen < self.started and time.monotonic() - since < _SETTLE_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            seen, self.seen = self.seen, await self._waiting()
            since = since if seen == self.seen else time.monotonic()
        return self.seen

    async def _waiting(self) -> int:
        return (await self.temporal.count_workflows(_WAITING)).count

    async def history(self) -> tuple[int, int]:
        """Events and bytes of the first refund's history."""
        workflow_id = contract.workflow_id(_order(0).refund_request_id, merchant=DEFAULT_MERCHANT)
        described = await self.temporal.get_workflow_handle(workflow_id).describe()
        info = described.raw_description.workflow_execution_info
        return info.history_length, info.history_size_bytes


def _order(number: int) -> RefundOrder:
    payment_id = f"pay-{number // _REFUNDS_PER_PAYMENT}"
    amount = Money(currency="EUR", minor=1)
    return RefundOrder(refund_request_id=f"waiting-{number}", payment_id=payment_id, amount=amount)


@dataclass(slots=True)
class WaitingRun:
    """One stack with its refunds; `trace` is the memory every few seconds while they grew."""

    plan: Plan
    stack: UnlimitedStack
    population: RefundPopulation
    call_log: Path
    trace: list[Memory] = field(default_factory=list)

    def memory(self) -> Memory:
        used = {name: memory_bytes(self.stack.pid_of(name)) for name in _PROCESSES}
        return Memory(refunds=self.population.started, bytes=used)

    def times(self) -> list[float]:
        """When each call so far was sent, in the order of arrival."""
        complete, _, _ = self.call_log.read_text().rpartition("\n")
        return list(map(float, complete.split()))

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(self.stack.pid_of(name)) for name in _PROCESSES}

    async def window(self, seconds: float) -> Window:
        started, before, calls = time.perf_counter(), self._cpu(), len(self.times())
        await asyncio.sleep(seconds)
        after = self._cpu()
        return Window(
            seconds=time.perf_counter() - started,
            calls=len(self.times()) - calls,
            cpu={name: after[name] - before[name] for name in before},
        )

    async def level(self, filling: float) -> Level:
        await asyncio.sleep(_WARM_SECONDS)
        windows = tuple([await self.window(self.plan.window) for _ in range(self.plan.windows)])
        waiting = self.population.seen
        return Level(waiting=waiting, memory=self.memory(), filling=filling, windows=windows)

    async def levels(self, log: Log) -> list[Level]:
        until = time.monotonic() + self.plan.filling_max
        levels: list[Level] = []
        for number in self.plan.levels:
            started = time.monotonic()
            if started >= until:
                break
            tracing = asyncio.create_task(self._trace())
            await self.population.grow(number, until=until)
            waiting = await self.population.settle()
            tracing.cancel()
            filling = time.monotonic() - started
            log(f"{waiting:,} of {self.population.started:,} wait after {filling:.0f} s")
            levels.append(await self.level(filling))
        return levels

    async def _trace(self) -> None:
        while True:
            self.trace.append(self.memory())
            await asyncio.sleep(_TRACE_SECONDS)

    async def recovery(self, log: Log) -> Recovery:
        log(f"no worker for {self.plan.outage:.0f} s")
        self.stack.kill("worker")
        before = cpu_seconds(self.stack.pid_of("temporal"))
        await asyncio.sleep(self.plan.outage)
        idle = cpu_seconds(self.stack.pid_of("temporal")) - before
        earlier = len(self.times())
        await self.stack.start("worker")
        await asyncio.sleep(_WARM_SECONDS)
        window = await self.window(self.plan.recovery)
        rate = CallRate.of(sorted(self.times()[earlier:]), self.plan.limit)
        return Recovery(
            outage=self.plan.outage, idle_cpu=idle, window=window, rate=rate, memory=self.memory()
        )


@asynccontextmanager
async def running(plan: Plan) -> AsyncIterator[WaitingRun]:
    """The usual stack with this plan's limits, and a simulator that logs its calls."""
    settings = {
        env_name("antom_calls_per_second"): str(plan.limit),
        env_name("cached_workflows_max"): str(plan.cached_max),
    }
    async with AsyncExitStack() as inside:
        starting = running_stack("temporal", speedup=plan.speedup, settings=settings)
        stack = await inside.enter_async_context(starting)
        config = stack.home / "simulator.json"
        config.write_text(stack.simulator_config().model_dump_json())
        call_log = stack.home / "calls.log"
        await stack.spawn_module("bench.waiting_antom", config, call_log)
        antom = await inside.enter_async_context(SimulatorClient(stack.simulator_url))
        await antom.wait_until_ready()
        orders = map(_order, range(0, plan.levels[-1], _REFUNDS_PER_PAYMENT))
        payments = (order.payment_id for order in orders)
        await stack.add_payments(*payments, is_async=True, settle_after=timedelta(days=1))
        await stack.start("worker")
        yield WaitingRun(plan, stack, RefundPopulation(await stack.temporal()), call_log)
