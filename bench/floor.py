"""How fast a refund is, compared with the minimal workflow."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client

from antom_refunds import attributes, contract
from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund
from bench.bare_workflows import CALLING, LISTED, QUEUE
from bench.environment import CONCURRENCY, limited_gather, running_stack, sidecar
from bench.figures import FrozenModel, MedianRange
from bench.harness import Findings, Log, rotated
from bench.machine import MachineInfo
from bench.process_stats import cpu_by_process

_ROUNDS: Final = 6  # each of three kinds is the first equally often
_BURST: Final = 400
_GOAL: Final = 0.8
_DRIVER: Final = "driver"

RunOne = Callable[[int], Awaitable[object]]


class Burst(FrozenModel):
    """One burst: how many ended per second, and CPU milliseconds for each, by process."""

    per_second: float
    cpu_ms: dict[str, float]


class FloorFindings(Findings):
    """Bursts of `bare`, `listed` and `refund` workflows, in the order of the rounds."""

    burst: int
    concurrency: int
    bursts: dict[str, tuple[Burst, ...]]

    @property
    def goal(self) -> float:
        return _GOAL

    @property
    def rounds(self) -> int:
        return len(self.bursts["refund"])

    def rate(self, kind: str) -> MedianRange:
        """Workflows per second."""
        return MedianRange.of(burst.per_second for burst in self.bursts[kind])

    def ratio(self, kind: str) -> MedianRange:
        """Their rate divided by that of the bare workflow in the same round."""
        pairs = zip(self.bursts[kind], self.bursts["bare"], strict=True)
        return MedianRange.of(burst.per_second / bare.per_second for burst, bare in pairs)

    def cpu(self, kind: str, process: str) -> MedianRange | None:
        """CPU milliseconds per workflow; None for a process that is not involved."""
        spent = [each.cpu_ms[process] for each in self.bursts[kind] if process in each.cpu_ms]
        return MedianRange.of(spent) if spent else None


async def measure(quick: bool, log: Log) -> FloorFindings:  # noqa: FBT001 - a measurement's form
    """Bursts in turn; the first round warms up and does not count."""
    machine, rounds, size = MachineInfo.now(), *((1, 100) if quick else (_ROUNDS, _BURST))
    bursts: dict[str, list[Burst]] = {"bare": [], "listed": [], "refund": []}
    async with running_stack() as stack, sidecar(stack, "bench.bare_workflows") as bare:
        await stack.add_payments(*(_payment(which) for which in range(size)))
        temporal = await stack.temporal()
        server = {"temporal": stack.pid_of("temporal")}
        bare_pids = {**server, "worker": bare.pid}
        pids = {**server, **{name: stack.pid_of(name) for name in ("worker", "simulator")}}
        kinds = [
            ("bare", bare_pids, _run_bare),
            ("listed", bare_pids, _run_listed),
            ("refund", pids, _run_refund),
        ]
        for number in range(rounds + 1):
            for kind, measured, runner in rotated(kinds, number):
                bursts[kind].append(await _burst(measured, runner(temporal, number), size))
            latest = (f"{kind} {made[-1].per_second:.0f}/s" for kind, made in bursts.items())
            log(", ".join(latest))
    return FloorFindings(
        machine=machine,
        burst=size,
        concurrency=CONCURRENCY,
        bursts={kind: tuple(made[1:]) for kind, made in bursts.items()},
    )


def _payment(which: int) -> str:
    """Each refund of a burst has its own payment, as in production."""
    return f"pay-{which}"


def _run_bare(temporal: Client, number: int) -> RunOne:
    return lambda which: temporal.execute_workflow(
        CALLING, id=f"bare-{number}-{which}", task_queue=QUEUE
    )


def _run_listed(temporal: Client, number: int) -> RunOne:
    async def run(which: int) -> None:
        order = _order(f"listed-{number}-{which}", which)
        await temporal.execute_workflow(
            LISTED,
            id=order.refund_request_id,
            task_queue=QUEUE,
            memo={contract.MEMO_OVERDUE_AFTER: Policy().scaled_overdue_after.total_seconds()},
            search_attributes=attributes.initial(Refund(order=order), overdue_at=datetime.now(UTC)),
        )

    return run


def _run_refund(temporal: Client, number: int) -> RunOne:
    refunds = RefundClient(temporal)

    async def run(which: int) -> None:
        order = _order(f"refund-{number}-{which}", which)
        await refunds.start(order)
        await refunds.outcome(order.refund_request_id)

    return run


def _order(refund_request_id: str, which: int) -> RefundOrder:
    amount = Money(currency="EUR", minor=1)
    return RefundOrder(
        refund_request_id=refund_request_id, payment_id=_payment(which), amount=amount
    )


async def _burst(pids: Mapping[str, int], run: RunOne, size: int) -> Burst:
    """The driver is measured too, since it shares the machine."""
    before = cpu_by_process(pids, own=_DRIVER)
    started = time.perf_counter()
    await limited_gather(range(size), run)
    seconds = time.perf_counter() - started
    after = cpu_by_process(pids, own=_DRIVER)
    cpu_ms = {name: (after[name] - before[name]) / size * 1000 for name in before}
    return Burst(per_second=size / seconds, cpu_ms=cpu_ms)
