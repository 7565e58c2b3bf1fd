"""The sides: refunds told by a signed notification or directly, bare workflows by a signal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.antom import reading
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotice
from antom_refunds.delivery import Delivery
from antom_refunds.domain.order import DEFAULT_MERCHANT
from bench.latency.bare import QUEUE, SIGNAL, WORKFLOW
from bench.latency.record import Told
from bench.webhook.notices import Notice, Pen
from bench.webhook.pipe import Pool, wire_form
from bench.webhook.processing import Queue, by_few

Tells = Callable[[], Awaitable[Told]]


class Teller(Protocol):
    """Opens workflows that wait for their last word."""

    async def opened(self, name: str, count: int) -> list[Tells]:
        """So many of them, each as the deed of telling it."""


@dataclass(frozen=True, slots=True)
class Notified:
    """Ours: through the webhook process, which verifies, stores, and only then answers."""

    queue: Queue
    pen: Pen
    pool: Pool

    async def opened(self, name: str, count: int) -> list[Tells]:
        """Refunds that stand in processing, with their notifications unsent."""
        notices = await _unsent(self.queue, self.pen, name, count)
        return [partial(self._tell, notice) for notice in notices]

    async def _tell(self, notice: Notice) -> Told:
        message = wire_form(notice.request)
        sent = datetime.now(UTC)
        status, answer = await self.pool.exchange(message)
        answered = datetime.now(UTC)
        if answer != ACKNOWLEDGEMENT:
            raise ValueError(f"a notification was answered with HTTP {status}")
        return Told(_workflow_id(notice), sent, answered)


@dataclass(frozen=True, slots=True)
class Direct:
    """Ours without a webhook: the driver's own client tells what the notification says."""

    queue: Queue
    pen: Pen

    async def opened(self, name: str, count: int) -> list[Tells]:
        """Refunds that stand in processing, with what they are to be told."""
        notices = await _unsent(self.queue, self.pen, name, count)
        return [partial(self._tell, notice) for notice in notices]

    async def _tell(self, notice: Notice) -> Told:
        evidence = reading.noticed(RefundNotice.model_validate_json(notice.body))
        sent = datetime.now(UTC)
        delivery = await self.queue.notifications.deliver(
            notice.refund_request_id, evidence, delivery_id=notice.refund_request_id
        )
        answered = datetime.now(UTC)
        if delivery is not Delivery.DELIVERED:
            raise ValueError(f"a refund was told its end, and is {delivery}")
        return Told(_workflow_id(notice), sent, answered)


@dataclass(frozen=True, slots=True)
class Bare:
    """The floor: signalled by the driver's own client."""

    temporal: Client

    async def opened(self, name: str, count: int) -> list[Tells]:
        """Workflows that wait for their signal."""
        ids = await by_few((f"{name}-{number}" for number in range(count)), self._open)
        return [partial(self._tell, each) for each in ids]

    async def _open(self, workflow_id: str) -> str:
        await self.temporal.start_workflow(WORKFLOW, id=workflow_id, task_queue=QUEUE)
        return workflow_id

    async def _tell(self, workflow_id: str) -> Told:
        handle = self.temporal.get_workflow_handle(workflow_id)
        sent = datetime.now(UTC)
        await handle.signal(SIGNAL)
        return Told(workflow_id, sent, datetime.now(UTC))


async def _unsent(queue: Queue, pen: Pen, name: str, count: int) -> list[Notice]:
    """The notifications of so many refunds that stand in processing."""
    return [await pen.write(record) for record in await queue.filled(name, count)]


def _workflow_id(notice: Notice) -> str:
    return contract.workflow_id(notice.refund_request_id, merchant=DEFAULT_MERCHANT)
