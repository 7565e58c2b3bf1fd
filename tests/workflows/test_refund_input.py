"""Invalid input by other clients of Temporal never blocks a refund."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)

from antom_refunds import attributes, contract
from antom_refunds.contract import Resolution
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.refund import RefundState
from tests.harness import NOTIFY_URL, Harness

GOOD = {"by": "o", "reason": "r", "proof": "p", "state": "failed"}
JSON = {"encoding": b"json/plain"}
ODD_SIGNALS: dict[str, list[Payload]] = {
    "no payload": [],
    "null": [Payload(metadata={"encoding": b"binary/null"})],
    "two payloads": [Payload(metadata=JSON, data=b"{}")] * 2,
    "a list": [Payload(metadata=JSON, data=b"[1]")],
    "a half": [Payload(metadata=JSON, data=b'{"source": "notification"}')],
    "no JSON": [Payload(metadata=JSON, data=b"{")],
    "bytes": [Payload(metadata={"encoding": b"binary/plain"}, data=b"\xff")],
    "an unknown encoding": [Payload(metadata={"encoding": b"x"}, data=b"x")],
}


async def signal(harness: Harness, workflow_id: str, payloads: list[Payload]) -> None:
    await harness.temporal.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=harness.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=contract.SIGNAL_NOTIFY,
            input=Payloads(payloads=payloads) if payloads else None,
            identity="ui",
        )
    )


def is_failed_task(event: HistoryEvent) -> bool:
    """Whether the workflow raised; a task that conflicts with a new event is only repeated."""
    raced = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    is_failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return is_failed and event.workflow_task_failed_event_attributes.cause != raced


async def failed_tasks(harness: Harness, workflow_id: str) -> int:
    history = await harness.temporal.get_workflow_handle(workflow_id).fetch_history()
    return sum(is_failed_task(event) for event in history.events)


@pytest.mark.parametrize("odd", ODD_SIGNALS)
async def test_a_signal_without_evidence_is_ignored_and_the_next_one_is_applied(
    harness: Harness, odd: str
) -> None:
    order = await harness.start(harness.payable_order(is_async=True, notify_url=NOTIFY_URL))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    await signal(harness, harness.handle(order).id, ODD_SIGNALS[odd])
    harness.settle(order)
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert await failed_tasks(harness, harness.handle(order).id) == 0


@pytest.mark.parametrize("source", [Source.OPERATOR, Source.RESPONSE, Source.INQUIRY, Source.CLOCK])
async def test_only_a_notification_is_accepted_by_signal(harness: Harness, source: Source) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    own = order.refund_request_id
    forged = Evidence(
        source=source,
        kind=EvidenceKind.FAILED,
        code="X",
        refund_request_id=own,
        payment_id=order.payment_id,
        amount=order.amount,
    )

    await harness.notifications.deliver(own, forged, delivery_id="x")
    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


async def test_texts_of_a_signal_are_bounded(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    own = order.refund_request_id
    forged = Evidence(
        source=Source.NOTIFICATION,
        kind=EvidenceKind.FAILED,
        code="C" * 100_000,
        message="m" * 100_000,
        refund_request_id=own,
        amount=order.amount,
    )

    await harness.notifications.deliver(own, forged, delivery_id="x")
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.FAILED
    assert len(outcome.message) <= contract.TEXT_MAX


@pytest.mark.parametrize("update", ["check_now", "resolve", "call_off"])
@pytest.mark.parametrize("args", [[], [GOOD, 2], [None], ["x"], [{"by": 1}]])
async def test_an_update_with_invalid_input_is_rejected_with_a_message(
    harness: Harness, update: str, args: list[Any]
) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await harness.handle(order).execute_update(update, args=args)

    assert "refused: " in str(refused.value.cause)
    harness.settle(order)
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert await failed_tasks(harness, harness.handle(order).id) == 0


@pytest.mark.parametrize(
    "args", [[], [None], ["x"], [{"refund_request_id": "r"}], [{}, {}], [[1]], [3]]
)
async def test_a_start_without_an_order_fails_immediately_with_a_message(
    harness: Harness, args: list[Any]
) -> None:
    handle = await harness.temporal.start_workflow(
        contract.WORKFLOW,
        args=args,
        id=f"refund/default/{uuid4().hex}",
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 20)

    assert "the refund's order: " in str(failed.value.cause)
    assert await failed_tasks(harness, handle.id) == 0


async def test_a_start_under_another_refunds_id_fails_immediately(harness: Harness) -> None:
    order = harness.payable_order()
    handle = await harness.temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=f"refund/default/{uuid4().hex}",
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 20)

    assert "start it under that id" in str(failed.value.cause)


async def test_a_start_cannot_contain_evidence(harness: Harness) -> None:
    order = harness.payable_order()
    known = {"refund": {"order": order.model_dump(mode="json"), "state": "succeeded"}}
    handle = await harness.temporal.start_workflow(
        contract.WORKFLOW,
        args=[order, known],
        id=harness.handle(order).id,
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 20)


async def test_a_signal_to_a_start_without_an_order_changes_nothing(idle_harness: Harness) -> None:
    harness = idle_harness
    workflow_id = f"refund/default/{uuid4().hex}"
    handle = await harness.temporal.start_workflow(
        contract.WORKFLOW, args=[], id=workflow_id, task_queue=contract.REFUNDS_QUEUE
    )
    await signal(harness, workflow_id, [])

    async with harness.running_worker():
        with pytest.raises(WorkflowFailureError):
            await asyncio.wait_for(handle.result(), 20)


async def test_an_update_that_starts_a_refund_without_an_order_is_rejected_with_the_message(
    harness: Harness,
) -> None:
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        contract.WORKFLOW,
        {"amount": "much"},
        id=f"refund/default/rf_{uuid4().hex}",
        task_queue=contract.REFUNDS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await harness.temporal.execute_update_with_start_workflow(
            contract.UPDATE_CHECK_NOW,
            {"by": "o", "reason": "r"},
            start_workflow_operation=start,
        )

    assert "the refund's order" in str(refused.value.cause)


async def test_a_refund_started_with_only_its_order_behaves_normally(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    await harness.temporal.start_workflow(
        contract.WORKFLOW, order, id=harness.handle(order).id, task_queue=contract.REFUNDS_QUEUE
    )
    harness.started.append(order.refund_request_id)

    view = await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    again = await harness.refunds.start(order)

    assert (view.payment_id, view.amount, view.merchant) == (
        order.payment_id,
        order.amount,
        order.merchant,
    )
    assert view.overdue_at
    assert not again.is_new
    harness.settle(order)
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


async def test_wrong_attributes_at_the_start_are_corrected(harness: Harness) -> None:
    order = harness.payable_order(is_async=True)
    lies = TypedSearchAttributes(
        [
            SearchAttributePair(attributes.STATE, "succeeded"),
            SearchAttributePair(attributes.AMOUNT_MINOR, 1),
        ]
    )
    await harness.temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=harness.handle(order).id,
        task_queue=contract.REFUNDS_QUEUE,
        search_attributes=lies,
        memo={contract.MEMO_OVERDUE_AFTER: "soon"},
    )
    harness.started.append(order.refund_request_id)

    view = await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.amount == order.amount
    await harness.refunds.resolve(order.refund_request_id, Resolution.model_validate(GOOD))
