"""Thousands of automated signals and updates block neither operators nor notifications."""

import asyncio
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from antom_refunds.contract import CallInput, Continuation, Instruction, Resolution
from antom_refunds.domain import policy
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import NOTIFY_URL, Harness

OPS = Instruction(by="automation", reason="every second")
PROOF = Resolution(by="ops", reason="ticket", proof="ticket 4", state="succeeded")


@pytest.fixture
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continue as new after a few events."""
    monkeypatch.setattr(policy, "HISTORY_EVENTS_MAX", 60)


async def run_ids(harness: Harness, workflow_id: str) -> set[str]:
    runs = harness.temporal.list_workflows(f"WorkflowId = '{workflow_id}'")
    return {run.run_id async for run in runs}


async def test_a_long_history_continues_as_new_with_all_evidence(
    harness: Harness, short_histories: None
) -> None:
    order = await harness.start(harness.payable_order(is_async=True, notify_url=NOTIFY_URL))
    first = (await harness.until(order, lambda view: view.state is RefundState.PROCESSING)).run_id
    for _ in range(40):
        await harness.refunds.check_now(order.refund_request_id, OPS)

    view = await harness.until(order, lambda view: view.run_id != first)
    harness.settle(order)
    outcome = await harness.wait_for_outcome(order)

    assert view.state is RefundState.PROCESSING
    assert view.payment_id == order.payment_id
    assert view.overdue_at
    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1
    assert not (await harness.refunds.start(order)).is_new
    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert len(dossier.entries) >= 2
    continuation, call_input = await passed_on(harness, order)
    assert call_input.quiet_since == continuation.quiet_since
    assert not call_input.is_first_run


async def passed_on(harness: Harness, order: RefundOrder) -> tuple[Continuation, CallInput]:
    """What the last run got from the one before it, and the input of its first activity."""
    events = (await harness.history(order)).events
    scheduled = next(
        event.activity_task_scheduled_event_attributes.input.payloads
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    )
    started = events[0].workflow_execution_started_event_attributes.input.payloads
    decode = harness.temporal.data_converter.decode
    _, continuation = await decode(started, [RefundOrder, Continuation])
    (call_input,) = await decode(scheduled, [CallInput])
    return continuation, call_input


@pytest.mark.slow
async def test_doubt_continues_as_new_with_the_same_bytes(
    harness: Harness, short_histories: None
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *[FaultKind.HTTP_500] * 3)
    harness.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 40)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    for _ in range(15):
        await harness.refunds.check_now(order.refund_request_id, OPS)
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.payloads(order) == 1
    assert harness.movements(order) == 1


@pytest.mark.slow
async def test_an_operator_can_resolve_after_thousands_of_signals_and_updates(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "HISTORY_EVENTS_MAX", 300)
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    handle = harness.handle(order)
    for _ in range(20):
        await asyncio.gather(*(handle.signal("notify", uuid4().hex) for _ in range(50)))

    reply = await harness.refunds.resolve(order.refund_request_id, PROOF)

    assert "succeeded" in reply
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
