"""Anybody with access to Temporal can send a refund anything: nothing of it wedges one."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from antom_refunds import attributes, contract
from antom_refunds.contract import Resolution
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.refund import RefundState
from tests.engine import NOTIFY_URL, Stage

GOOD = {"by": "o", "reason": "r", "proof": "p", "state": "failed"}
JSON = {"encoding": b"json/plain"}
ODD_SIGNALS: dict[str, list[Payload]] = {
    "no payload": [],
    "null": [Payload(metadata={"encoding": b"binary/null"})],
    "two payloads": [Payload(metadata=JSON, data=b"{}")] * 2,
    "a list": [Payload(metadata=JSON, data=b"[1]")],
    "a half": [Payload(metadata=JSON, data=b'{"source":"notice"}')],
    "no JSON": [Payload(metadata=JSON, data=b"{")],
    "bytes": [Payload(metadata={"encoding": b"binary/plain"}, data=b"\xff")],
    "an unknown encoding": [Payload(metadata={"encoding": b"x"}, data=b"x")],
}


async def signal(stage: Stage, workflow_id: str, payloads: list[Payload]) -> None:
    await stage.temporal.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=stage.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=contract.SIGNAL_NOTIFY,
            input=Payloads(payloads=payloads) if payloads else None,
            identity="ui",
        )
    )


def is_failed_task(event: HistoryEvent) -> bool:
    """Whether the workflow's code broke; a task that lost a race with an event is just repeated."""
    raced = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    is_failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return is_failed and event.workflow_task_failed_event_attributes.cause != raced


async def failed_tasks(stage: Stage, workflow_id: str) -> int:
    history = await stage.temporal.get_workflow_handle(workflow_id).fetch_history()
    return sum(is_failed_task(event) for event in history.events)


@pytest.mark.parametrize("odd", ODD_SIGNALS)
async def test_a_signal_that_is_no_evidence_is_dropped_and_the_next_one_is_heard(
    stage: Stage, odd: str
) -> None:
    order = await stage.start(stage.paid(is_async=True, notify_url=NOTIFY_URL))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    await signal(stage, stage.handle(order).id, ODD_SIGNALS[odd])
    stage.settle(order)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert await failed_tasks(stage, stage.handle(order).id) == 0


@pytest.mark.parametrize("source", [Source.OPERATOR, Source.ANSWER, Source.INQUIRY, Source.CLOCK])
async def test_only_a_notification_may_come_by_a_signal(stage: Stage, source: Source) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    own = order.refund_request_id
    said = Evidence(
        source=source,
        word=Word.FAILED,
        code="X",
        refund_request_id=own,
        payment_id=order.payment_id,
        amount=order.amount,
    )

    await stage.notifications.deliver(own, said, delivery_id="x")
    stage.settle(order)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED


async def test_texts_of_a_signal_are_bounded(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    own = order.refund_request_id
    said = Evidence(
        source=Source.NOTICE,
        word=Word.FAILED,
        code="C" * 100_000,
        message="m" * 100_000,
        refund_request_id=own,
        amount=order.amount,
    )

    await stage.notifications.deliver(own, said, delivery_id="x")
    outcome = await stage.end(order)

    assert outcome.state is RefundState.FAILED
    assert len(outcome.message) <= contract.TEXT_MAX


@pytest.mark.parametrize("update", ["check_now", "resolve", "call_off"])
@pytest.mark.parametrize("args", [[], [GOOD, 2], [None], ["x"], [{"by": 1}]])
async def test_an_update_with_odd_input_is_refused_with_a_sentence(
    stage: Stage, update: str, args: list[Any]
) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await stage.handle(order).execute_update(update, args=args)

    assert "refused: " in str(refused.value.cause)
    stage.settle(order)
    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert await failed_tasks(stage, stage.handle(order).id) == 0


@pytest.mark.parametrize(
    "args", [[], [None], ["x"], [{"refund_request_id": "r"}], [{}, {}], [[1]], [3]]
)
async def test_a_start_that_is_no_order_fails_at_once_with_a_sentence(
    stage: Stage, args: list[Any]
) -> None:
    handle = await stage.temporal.start_workflow(
        contract.WORKFLOW,
        args=args,
        id=f"refund/default/{uuid4().hex}",
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 20)

    assert "the refund's order: " in str(failed.value.cause)
    assert await failed_tasks(stage, handle.id) == 0


async def test_a_start_under_another_refunds_id_fails_at_once(stage: Stage) -> None:
    order = stage.paid()
    handle = await stage.temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=f"refund/default/{uuid4().hex}",
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 20)

    assert "start it under that id" in str(failed.value.cause)


async def test_a_start_cannot_bring_knowledge_of_its_own(stage: Stage) -> None:
    order = stage.paid()
    known = {"refund": {"order": order.model_dump(mode="json"), "state": "succeeded"}}
    handle = await stage.temporal.start_workflow(
        contract.WORKFLOW,
        args=[order, known],
        id=stage.handle(order).id,
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 20)


async def test_a_signal_to_a_start_that_is_no_order_changes_nothing(idle_stage: Stage) -> None:
    stage = idle_stage
    workflow_id = f"refund/default/{uuid4().hex}"
    handle = await stage.temporal.start_workflow(
        contract.WORKFLOW, args=[], id=workflow_id, task_queue=contract.REFUNDS_QUEUE
    )
    await signal(stage, workflow_id, [])

    async with stage.working():
        with pytest.raises(WorkflowFailureError):
            await asyncio.wait_for(handle.result(), 20)


async def test_a_refund_started_with_nothing_but_its_order_is_like_any_other(
    stage: Stage,
) -> None:
    order = stage.paid(is_async=True)
    await stage.temporal.start_workflow(
        contract.WORKFLOW, order, id=stage.handle(order).id, task_queue=contract.REFUNDS_QUEUE
    )
    stage.started.append(order.refund_request_id)

    view = await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    again = await stage.refunds.start(order)

    assert (view.payment_id, view.amount, view.merchant) == (
        order.payment_id,
        order.amount,
        order.merchant,
    )
    assert view.due_at
    assert not again.is_new
    stage.settle(order)
    assert (await stage.end(order)).state is RefundState.SUCCEEDED


async def test_attributes_that_lie_at_the_start_are_set_right(stage: Stage) -> None:
    order = stage.paid(is_async=True)
    lies = TypedSearchAttributes(
        [
            SearchAttributePair(attributes.STATE, "succeeded"),
            SearchAttributePair(attributes.AMOUNT_MINOR, 1),
        ]
    )
    await stage.temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=stage.handle(order).id,
        task_queue=contract.REFUNDS_QUEUE,
        search_attributes=lies,
        memo={contract.MEMO_OVERDUE_AFTER: "soon"},
    )
    stage.started.append(order.refund_request_id)

    view = await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.amount == order.amount
    await stage.refunds.resolve(order.refund_request_id, Resolution.model_validate(GOOD))
