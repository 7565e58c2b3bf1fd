"""Ways to break the doors: the webhook that Antom calls, and the client that callers ask."""

from typing import Any

from temporalio.exceptions import WorkflowAlreadyStartedError

from antom_refunds import contract
from antom_refunds.client import RefundClient, Started
from antom_refunds.contract import RefundOutcome
from antom_refunds.delivery import Delivery
from antom_refunds.domain import fold
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import verification
from bench.storm.mutations.replacement import replace


def contradiction_dropped() -> None:
    """What contradicts an end is dropped by the workflow, and the webhook calls nobody."""
    replace(fold, "contradicts", lambda *_: False)
    replace(contract, "contradicts_outcome", lambda *_: False)


def early_ack() -> None:
    """The webhook acknowledges at once, and then forgets to tell the workflow."""

    async def deliver(*_: object, **__: object) -> Delivery:
        return Delivery.DELIVERED

    replace(NotificationDelivery, "deliver", deliver)


def stranger_trusted() -> None:
    """Notifications are believed whoever signed them."""
    replace(verification, "verify", lambda *_: None)


def other_fields() -> None:
    """The fields of an order are not held against those that its id stands for."""

    async def already_started(self: RefundClient, order: RefundOrder) -> Started:
        view = await self.describe(order.refund_request_id, merchant=order.merchant)
        workflow_id = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
        return Started(workflow_id=workflow_id, run_id=view.run_id, is_new=False)

    replace(RefundClient, "_already_started", already_started)


def bare_error() -> None:
    """Whoever asks for a refund that stands meets the engine's own error."""

    async def already_started(_: RefundClient, order: RefundOrder) -> Started:
        raise WorkflowAlreadyStartedError(order.refund_request_id, contract.WORKFLOW)

    replace(RefundClient, "_already_started", already_started)


def closed_is_failure() -> None:
    """Callers are told of a closed refund that it failed."""
    honest = RefundClient.outcome

    async def outcome(self: RefundClient, *which: Any, **wait: Any) -> RefundOutcome | None:
        told: RefundOutcome | None = await honest(self, *which, **wait)
        if told is None or told.state is not RefundState.CLOSED:
            return told
        return told.model_copy(update={"state": RefundState.FAILED})

    replace(RefundClient, "outcome", outcome)
