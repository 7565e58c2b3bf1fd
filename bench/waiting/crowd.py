"""The refunds that wait: started, and counted by what Temporal itself shows of them."""

import asyncio
import time
from typing import Final

from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import DEFAULT_MERCHANT, RefundOrder
from antom_refunds.domain.refund import RefundState

# A simulated payment looks through all of its refunds each time.
REFUNDS_PER_PAYMENT: Final = 100
_AT_ONCE: Final = 40
_WAITING: Final = f"{contract.Attribute.STATE.value} = '{RefundState.PROCESSING.value}'"
_AHEAD_MAX: Final = 300
_GLANCE: Final = 1.0
_AGAIN: Final = 0.2
_PATIENCE: Final = 20.0


def id_of(number: int) -> str:
    """The refundRequestId of this number."""
    return f"waiting-{number}"


def payment_of(number: int) -> str:
    """Which payment the refund of this number is about."""
    return f"pay-{number // REFUNDS_PER_PAYMENT}"


class Crowd:
    """Refunds of payments that settle long after everything is over.

    `asked` is how many were started, `seen` how many of them stood in processing lately.
    """

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal
        self._refunds = RefundClient(temporal)
        self.asked = 0
        self.seen = 0

    async def grow(self, to: int, *, until: float) -> None:
        """Start refunds until there are so many, or until this monotonic time.

        Never many more than are accepted: an engine in a rush loses tasks, and that is doubt.
        """
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look())
            await asyncio.gather(*(self._start(to, until) for _ in range(_AT_ONCE)))
            looking.cancel()

    async def _look(self) -> None:
        while True:
            self.seen = await self.waiting()
            await asyncio.sleep(_GLANCE)

    async def _start(self, to: int, until: float) -> None:
        while self.asked < to and time.monotonic() < until:
            if self.asked - self.seen >= _AHEAD_MAX:
                await asyncio.sleep(_AGAIN)
                continue
            number, self.asked = self.asked, self.asked + 1
            await self._insist(_order(number))

    async def _insist(self, order: RefundOrder) -> None:
        while True:
            try:
                await self._refunds.start(order)
            except TemporalUnavailableError:
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def settle(self) -> int:
        """How many stand in processing when all do, or when no more come to for a while."""
        since = time.monotonic()
        while self.seen < self.asked and time.monotonic() - since < _PATIENCE:
            await asyncio.sleep(_GLANCE)
            seen, self.seen = self.seen, await self.waiting()
            since = since if seen == self.seen else time.monotonic()
        return self.seen

    async def waiting(self) -> int:
        """How many stand in processing."""
        return (await self._temporal.count_workflows(_WAITING)).count

    async def history(self) -> tuple[int, int]:
        """Events and bytes of the first refund's history."""
        workflow_id = contract.workflow_id(id_of(0), merchant=DEFAULT_MERCHANT)
        described = await self._temporal.get_workflow_handle(workflow_id).describe()
        shown = described.raw_description.workflow_execution_info
        return shown.history_length, shown.history_size_bytes


def _order(number: int) -> RefundOrder:
    return RefundOrder(
        refund_request_id=id_of(number),
        payment_id=payment_of(number),
        amount=Money(currency="EUR", minor=1),
    )
