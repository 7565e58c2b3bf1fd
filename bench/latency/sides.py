"""The two sides: a refund told by a signed notification, a bare workflow told by a signal."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.domain.order import DEFAULT_MERCHANT
from bench.latency.bare import QUEUE, SIGNAL, WORKFLOW
from bench.latency.record import Told
from bench.webhook.notices import Notice, Pen
from bench.webhook.pipe import Pool, wire_form
from bench.webhook.processing import Queue, by_few


@dataclass(frozen=True, slots=True)
class Refunds:
    """Ours: through the webhook process, which verifies, stores, and only then answers."""

    queue: Queue
    pen: Pen
    pool: Pool

    async def opened(self, name: str, count: int) -> list[Notice]:
        """The unsent notifications of so many refunds that stand in processing."""
        return [await self.pen.write(record) for record in await self.queue.filled(name, count)]

    async def tell(self, notice: Notice) -> Told:
        message = wire_form(notice.request)
        sent = datetime.now(UTC)
        status, answer = await self.pool.exchange(message)
        answered = datetime.now(UTC)
        if answer != ACKNOWLEDGEMENT:
            raise ValueError(f"a notification was answered with HTTP {status}")
        ours = contract.workflow_id(notice.refund_request_id, merchant=DEFAULT_MERCHANT)
        return Told(ours, sent, answered)


@dataclass(frozen=True, slots=True)
class Bare:
    """The floor: signalled by the driver's own client."""

    temporal: Client

    async def opened(self, name: str, count: int) -> list[str]:
        """So many workflows that wait for their signal."""
        return await by_few((f"bare-{name}-{number}" for number in range(count)), self._open)

    async def _open(self, workflow_id: str) -> str:
        await self.temporal.start_workflow(WORKFLOW, id=workflow_id, task_queue=QUEUE)
        return workflow_id

    async def tell(self, workflow_id: str) -> Told:
        handle = self.temporal.get_workflow_handle(workflow_id)
        sent = datetime.now(UTC)
        await handle.signal(SIGNAL)
        return Told(workflow_id, sent, datetime.now(UTC))
