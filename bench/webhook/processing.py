"""Refunds that stand in processing: accepted by Antom, their result pending."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import compress
from typing import Final, Self, TypeVar

from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.records import Refund
from antom_refunds.simulator.remote import SimulatorRemote
from bench.stage import QuickStack, open_payment

AT_ONCE: Final = 40
# The usual schedule inquires 5 s after Antom accepted, and next 15 s later.
FIRST_INQUIRY_PAST: Final = timedelta(seconds=5.5)
_PAYMENT: Final = "pay-in-process"
_FAR: Final = timedelta(days=1)
_GLANCE: Final = timedelta(milliseconds=50)
_PATIENCE: Final = timedelta(minutes=1)
_ENOUGH: Final = 0.9
Thing = TypeVar("Thing")
Made = TypeVar("Made")


async def by_few(
    things: Iterable[Thing], one: Callable[[Thing], Awaitable[Made]], at_once: int = AT_ONCE
) -> list[Made]:
    """This for each of them, in their order, so many at the same time."""
    gate = asyncio.Semaphore(at_once)

    async def through(thing: Thing) -> Made:
        async with gate:
            return await one(thing)

    return await asyncio.gather(*map(through, things))


@dataclass(frozen=True, slots=True)
class Queue:
    """Where refunds wait for Antom's last word; the simulator itself never says it."""

    refunds: RefundClient
    notifications: NotificationDelivery
    simulator_url: str

    @classmethod
    async def open(cls, stack: QuickStack) -> Self:
        """With a payment whose refunds take a day."""
        await open_payment(stack, _PAYMENT, is_async=True, settle_after=_FAR)
        temporal = await stack.temporal()
        return cls(RefundClient(temporal), NotificationDelivery(temporal), stack.simulator_url)

    async def filled(self, name: str, count: int) -> list[Refund]:
        """So many refunds more, as Antom's books have them, but for a few whose call got lost.

        Raises RuntimeError if these are more than a few: nothing could be measured then.
        """
        ids = [f"{name}-{number}" for number in range(count)]
        await by_few(ids, self._start)
        accepted = await by_few(ids, self._is_accepted)
        if accepted.count(True) < count * _ENOUGH:
            raise RuntimeError(f"Antom accepted {accepted.count(True)} of {count} refunds in time")
        async with SimulatorRemote(self.simulator_url) as antom:
            books = {each.refund_request_id: each for each in (await antom.ledger()).refunds}
        return [books[each] for each in compress(ids, accepted)]

    async def _start(self, refund_request_id: str) -> None:
        await self.refunds.start(
            RefundOrder(
                refund_request_id=refund_request_id,
                payment_id=_PAYMENT,
                amount=Money(currency="EUR", minor=1250),
            )
        )

    async def _is_accepted(self, refund_request_id: str) -> bool:
        """False if its call was lost: the next one is minutes away."""
        for _ in range(_PATIENCE // _GLANCE):
            state = (await self.refunds.describe(refund_request_id)).state
            if state is not RefundState.REQUESTED:
                return state is RefundState.PROCESSING
            await asyncio.sleep(_GLANCE.total_seconds())
        return False

    async def emptied(self, ids: Sequence[str]) -> None:
        """When these refunds have succeeded; raises TimeoutError if one does not."""
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            ends = await by_few(ids, self.refunds.outcome)
        wrong = [end for end in ends if end.state is not RefundState.SUCCEEDED]
        if wrong:
            raise RuntimeError(f"{len(wrong)} refunds ended otherwise than they were told")
