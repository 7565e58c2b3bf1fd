"""Bursts of refunds and of what they are held against, on one server, with what each part spent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import Client

from antom_refunds import attributes, contract
from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund
from bench.books import cpu_seconds
from bench.floor.bare import LISTED, QUEUE, WORKFLOW
from bench.machine import About
from bench.measurement import Findings, Say
from bench.stage import beside, open_payments, standing

# So that each kind is the first equally often.
_ROUNDS: Final = 6
_BURST: Final = 400
_AT_ONCE: Final = 40

One = Callable[[int], Awaitable[object]]


class Burst(BaseModel):
    """One burst: how many ended a second, and the CPU milliseconds that each cost, by part."""

    model_config = ConfigDict(frozen=True)

    per_second: float
    cpu_ms: dict[str, float]


class FloorFindings(Findings):
    """Bursts of each kind, in the order of the rounds."""

    burst: int
    at_once: int
    floor: tuple[Burst, ...]
    listed: tuple[Burst, ...]
    refunds: tuple[Burst, ...]


async def measure(quick: bool, say: Say) -> FloorFindings:  # noqa: FBT001 - as the kit calls it
    """Bursts in turn, who is first changes; the first round warms up and does not count."""
    about, rounds, burst = About.now(), *((1, 100) if quick else (_ROUNDS, _BURST))
    floor: list[Burst] = []
    listed: list[Burst] = []
    refunds: list[Burst] = []
    async with standing() as stack, beside(stack, "bench.floor.bare") as bare:
        await open_payments(stack, *(_payment(which) for which in range(burst)))
        temporal = await stack.temporal()
        server = {"temporal": stack.pid_of("temporal")}
        theirs = {**server, "worker": bare.pid}
        ours = {**server, **{part: stack.pid_of(part) for part in ("worker", "simulator")}}
        kinds = [(floor, theirs, _bare), (listed, theirs, _listed), (refunds, ours, _refund)]
        for number in range(rounds + 1):
            first = number % len(kinds)
            for bursts, pids, kind in kinds[first:] + kinds[:first]:
                bursts.append(await _burst(pids, kind(temporal, number), burst))
            say(f"floor {floor[-1].per_second:.0f}/s, refunds {refunds[-1].per_second:.0f}/s")
    return FloorFindings(
        about=about,
        burst=burst,
        at_once=_AT_ONCE,
        floor=tuple(floor[1:]),
        listed=tuple(listed[1:]),
        refunds=tuple(refunds[1:]),
    )


def _payment(which: int) -> str:
    """Each of a burst has its own, as in life: a payment with a thousand refunds is none."""
    return f"pay-{which}"


def _bare(temporal: Client, number: int) -> One:
    async def one(which: int) -> None:
        await temporal.execute_workflow(WORKFLOW, id=f"bare-{number}-{which}", task_queue=QUEUE)

    return one


def _listed(temporal: Client, number: int) -> One:
    async def one(which: int) -> None:
        order = _order(f"listed-{number}-{which}", which)
        await temporal.execute_workflow(
            LISTED,
            id=order.refund_request_id,
            task_queue=QUEUE,
            memo={contract.MEMO_OVERDUE_AFTER: Policy().patience.total_seconds()},
            search_attributes=attributes.at_start(Refund(order=order), due_at=datetime.now(UTC)),
        )

    return one


def _refund(temporal: Client, number: int) -> One:
    refunds = RefundClient(temporal)

    async def one(which: int) -> None:
        order = _order(f"refund-{number}-{which}", which)
        await refunds.start(order)
        await refunds.outcome(order.refund_request_id)

    return one


def _order(refund_request_id: str, which: int) -> RefundOrder:
    amount = Money(currency="EUR", minor=1)
    return RefundOrder(
        refund_request_id=refund_request_id, payment_id=_payment(which), amount=amount
    )


async def _burst(pids: Mapping[str, int], one: One, size: int) -> Burst:
    """So many, a few of them at once; the driver counts as a part, since it shares the machine."""
    before = _spent(pids)
    begun = time.perf_counter()
    await _through(one, size)
    lasted = time.perf_counter() - begun
    cpu_ms = {part: (spent - before[part]) / size * 1000 for part, spent in _spent(pids).items()}
    return Burst(per_second=size / lasted, cpu_ms=cpu_ms)


def _spent(pids: Mapping[str, int]) -> dict[str, float]:
    parts = {part: cpu_seconds(pid) for part, pid in pids.items()}
    return {**parts, "driver": time.process_time()}


async def _through(one: One, size: int) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def passing(which: int) -> None:
        async with gate:
            await one(which)

    await asyncio.gather(*(passing(which) for which in range(size)))
