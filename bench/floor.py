"""How fast a refund is, compared with the minimal workflow."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client

from antom_refunds import Money, Policy, RefundClient, RefundOrder, attributes, contract
from antom_refunds.domain.refund import Refund
from bench.bare_workflows import CALLING, LISTED, QUEUE
from bench.environment import CONCURRENCY, cpu_meter, limited_gather, running_stack
from bench.figures import Burst, Figures, Log, burst_figures, median_range, rotated

_KINDS: Final = ("bare", "listed", "refund")
_GOAL: Final = 0.8


async def measure(log: Log, *, quick: bool) -> Figures:
    """Bursts in turn; the first round warms up and does not count."""
    # In six rounds each of three kinds is the first equally often.
    rounds, size = (1, 100) if quick else (6, 400)
    bursts: dict[str, list[Burst]] = {kind: [] for kind in _KINDS}
    async with running_stack() as stack:
        bare = await stack.spawn_module("bench.bare_workflows")
        await stack.add_payments(*(f"pay-{which}" for which in range(size)))
        temporal = await stack.temporal()
        pids = {name: stack.pid_of(name) for name in ("temporal", "worker", "simulator")}
        bare_pids = {"temporal": pids["temporal"], "worker": bare.pid}
        for number in range(rounds + 1):
            log(f"floor: round {number} of {rounds}")
            for kind in rotated(_KINDS, number):
                run = _runner(kind, temporal, number)
                measured = pids if kind == "refund" else bare_pids
                bursts[kind].append(await _burst(measured, run, size))
    return summarise({kind: made[1:] for kind, made in bursts.items()})


def summarise(bursts: Mapping[str, Sequence[Burst]]) -> Figures:
    """`ratio` is a rate divided by that of the bare workflow in the same round."""
    kinds = {kind: burst_figures(made) for kind, made in bursts.items()}
    for kind, made in bursts.items():
        pairs = zip(made, bursts["bare"], strict=True)
        kinds[kind]["ratio"] = median_range(bare.seconds / each.seconds for each, bare in pairs)
    is_reached = kinds["refund"]["ratio"]["median"] >= _GOAL
    return {"concurrency": CONCURRENCY, "goal": _GOAL, "is_reached": is_reached, "kinds": kinds}


def _runner(kind: str, temporal: Client, number: int) -> Callable[[int], Awaitable[object]]:
    """Runs one workflow; each refund of a burst has its own payment, as in production."""
    refunds, overdue = RefundClient(temporal), Policy().scaled_overdue_after.total_seconds()

    async def run(which: int) -> None:
        name, amount = f"{kind}-{number}-{which}", Money(currency="EUR", minor=1)
        order = RefundOrder(refund_request_id=name, payment_id=f"pay-{which}", amount=amount)
        if kind == "bare":
            await temporal.execute_workflow(CALLING, id=name, task_queue=QUEUE)
        elif kind == "listed":
            found = attributes.initial(Refund(order=order), overdue_at=datetime.now(UTC))
            await temporal.execute_workflow(
                LISTED, id=name, task_queue=QUEUE, search_attributes=found,
                memo={contract.MEMO_OVERDUE_AFTER: overdue},
            )  # fmt: skip
        else:
            await refunds.start(order)
            await refunds.outcome(name)

    return run


async def _burst(
    pids: Mapping[str, int], run: Callable[[int], Awaitable[object]], size: int
) -> Burst:
    """The driver is measured too, since it shares the machine."""
    spent, started = cpu_meter(pids, own="driver"), time.perf_counter()
    await limited_gather(range(size), run)
    seconds = time.perf_counter() - started
    return Burst(sent=size, accepted=size, seconds=seconds, cpu=spent())
