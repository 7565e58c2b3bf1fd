"""Bursts of refunds and of bare workflows in turn, on one server, with what each part spent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import Client

from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from bench.books import cpu_seconds
from bench.floor.bare import QUEUE, WORKFLOW
from bench.machine import About
from bench.measurement import Findings, Say
from bench.stage import beside, open_payments, standing

_ROUNDS: Final = 7
_BURST: Final = 400
_AT_ONCE: Final = 40

One = Callable[[int], Awaitable[object]]


class Burst(BaseModel):
    """One burst: how many ended a second, and the CPU milliseconds that each cost, by part."""

    model_config = ConfigDict(frozen=True)

    per_second: float
    cpu_ms: dict[str, float]


class FloorFindings(Findings):
    """Bursts in pairs, in the order in which they were run: first the floor, then refunds."""

    burst: int
    at_once: int
    floor: tuple[Burst, ...]
    refunds: tuple[Burst, ...]


async def measure(quick: bool, say: Say) -> FloorFindings:  # noqa: FBT001 - as the kit calls it
    """Alternating bursts; the first pair warms everything up and does not count."""
    about, rounds, burst = About.now(), *((1, 100) if quick else (_ROUNDS, _BURST))
    floor, refunds = [], []
    async with standing() as stack, beside(stack, "bench.floor.bare") as bare:
        await open_payments(stack, *(_payment(which) for which in range(burst)))
        temporal = await stack.temporal()
        server = {"temporal": stack.pid_of("temporal")}
        theirs = {**server, "worker": bare.pid}
        ours = {**server, **{part: stack.pid_of(part) for part in ("worker", "simulator")}}
        for number in range(rounds + 1):
            floor.append(await _burst(theirs, _bare(temporal, number), burst))
            refunds.append(await _burst(ours, _refund(temporal, number), burst))
            say(f"floor {floor[-1].per_second:.0f}/s, refunds {refunds[-1].per_second:.0f}/s")
    return FloorFindings(
        about=about,
        burst=burst,
        at_once=_AT_ONCE,
        floor=tuple(floor[1:]),
        refunds=tuple(refunds[1:]),
    )


def _payment(which: int) -> str:
    """Each of a burst has its own, as in life: a payment with a thousand refunds is none."""
    return f"pay-{which}"


def _bare(temporal: Client, number: int) -> One:
    async def one(which: int) -> None:
        await temporal.execute_workflow(WORKFLOW, id=f"bare-{number}-{which}", task_queue=QUEUE)

    return one


def _refund(temporal: Client, number: int) -> One:
    refunds = RefundClient(temporal)

    async def one(which: int) -> None:
        order = RefundOrder(
            refund_request_id=f"refund-{number}-{which}",
            payment_id=_payment(which),
            amount=Money(currency="EUR", minor=1),
        )
        await refunds.start(order)
        await refunds.outcome(order.refund_request_id)

    return one


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
