"""Events meet in one workflow task in any order: an outcome is returned, no evidence is lost.

The Python SDK runs the jobs of a task in two batches today, and will run them in one: both are
tested.
"""

import asyncio

import pytest
import temporalio.worker._workflow as sdk
from temporalio.api.enums.v1 import EventType
from temporalio.worker._workflow_instance import _WorkflowLogicFlag as Flag

from antom_refunds.contract import Instruction, Resolution
from antom_refunds.delivery import Delivery
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="the wrong order")
FAILED = Resolution(by="ops", reason="ticket", proof="ticket 7", state="failed")


@pytest.fixture(params=["two_batches", "single_batch"], autouse=True)
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "single_batch":
        flags = frozenset({Flag.PROCESS_WORKFLOW_ACTIVATION_JOBS_AS_SINGLE_BATCH})
        monkeypatch.setattr(sdk, "_DEFAULT_ENABLED_WORKFLOW_LOGIC_FLAGS", flags)


def notification(order: RefundOrder, kind: EvidenceKind) -> Evidence:
    return Evidence(
        source=Source.NOTIFICATION,
        kind=kind,
        code="SUCCESS" if kind is EvidenceKind.SUCCEEDED else "PROCESS_FAIL",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )


async def kinds(harness: Harness, order: RefundOrder) -> list[EventType.ValueType]:
    return [event.event_type for event in (await harness.history(order)).events]


async def until_event(harness: Harness, order: RefundOrder, kind: EventType.ValueType) -> None:
    async with asyncio.timeout(20):
        while kind not in await kinds(harness, order):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)


async def instruct(harness: Harness, order: RefundOrder, how: str) -> asyncio.Task[str] | None:
    """Wait until the server has the update; an update without a worker leaves no event."""
    if how == "cancel":
        await harness.handle(order).cancel()
        return None
    own = order.refund_request_id
    call = (
        harness.refunds.call_off(own, OPS)
        if how == "call_off"
        else harness.refunds.resolve(own, FAILED)
    )
    task = asyncio.create_task(call)
    await asyncio.sleep(0.3)
    return task


async def _start_and_respond_unseen(harness: Harness, order: RefundOrder) -> None:
    """Start this refund; Antom's response to it is stored while no workflow worker is running."""
    async with harness.activity_worker({"default": harness.antom}):
        async with harness.workflow_worker(cached_workflows_max=0):
            await harness.start_in_flight(order)
        harness.transport.release()
        await until_event(harness, order, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)


@pytest.mark.parametrize("how", ["cancel", "call_off"])
@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_a_stop_and_antoms_response_meet_in_one_task(
    idle_harness: Harness, how: str, *, is_answered_first: bool
) -> None:
    harness = idle_harness
    order = harness.payable_order()
    reply = None
    async with harness.activity_worker({"default": harness.antom}):
        async with harness.workflow_worker(cached_workflows_max=0):
            await harness.start_in_flight(order)
        if not is_answered_first:
            reply = await instruct(harness, order, how)
        harness.transport.release()
        await until_event(harness, order, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        if is_answered_first:
            reply = await instruct(harness, order, how)

    async with harness.running_worker():
        outcome = await harness.wait_for_outcome(order)
        if reply is not None:
            await asyncio.gather(reply, return_exceptions=True)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in await kinds(harness, order)


async def test_cancellations_with_live_workers_always_end_in_an_outcome(harness: Harness) -> None:
    for turn in range(12):
        order = harness.payable_order()
        harness.transport.arrived.clear()
        await harness.start_in_flight(order)
        harness.transport.release()
        await asyncio.sleep(turn % 6 * 0.003)
        await harness.handle(order).cancel()

        assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


async def test_two_opposite_final_results_in_one_task_are_both_kept(idle_harness: Harness) -> None:
    harness = idle_harness
    order = harness.payable_order()
    await _start_and_respond_unseen(harness, order)
    own = order.refund_request_id
    await harness.notifications.deliver(
        own, notification(order, EvidenceKind.FAILED), delivery_id="x"
    )

    async with harness.running_worker():
        outcome = await harness.wait_for_outcome(order)

    assert outcome.is_contradicted
    assert outcome.attention_reason


async def test_an_operators_resolution_and_antoms_response_in_one_task_are_both_kept(
    idle_harness: Harness,
) -> None:
    harness = idle_harness
    order = harness.payable_order()
    await _start_and_respond_unseen(harness, order)
    reply = await instruct(harness, order, "resolve")

    async with harness.running_worker():
        outcome = await harness.wait_for_outcome(order)
        assert reply is not None
        await asyncio.gather(reply, return_exceptions=True)

    assert outcome.state is RefundState.SUCCEEDED or outcome.is_contradicted


async def test_a_call_sent_again_while_processing_is_awaited_at_the_end(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    harness.script(order, Operation.INQUIRY, FaultKind.NOT_FOUND)
    harness.transport.hold()
    await harness.start(order)
    for _ in ("the refund call", "the inquiry"):
        await harness.transport.arrived.wait()
        harness.transport.arrived.clear()
        harness.transport.release()
        harness.transport.hold()
    await harness.transport.arrived.wait()

    delivery = await harness.notifications.deliver(
        order.refund_request_id, notification(order, EvidenceKind.SUCCEEDED), delivery_id="x"
    )
    await until_event(harness, order, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert delivery is Delivery.DELIVERED
    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 2
    assert (await kinds(harness, order)).count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 3


async def test_a_call_in_flight_at_the_end_is_awaited_and_applied(harness: Harness) -> None:
    order = harness.payable_order()
    await harness.start_in_flight(order)

    await harness.refunds.resolve(order.refund_request_id, FAILED)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.FAILED
    assert outcome.is_contradicted
    assert (await harness.until_case(order, CaseKind.CONTRADICTION)).is_in_inbox
    assert harness.movements(order) == 1


async def test_a_notified_success_that_the_response_contradicts_is_shown(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "REFUND_AMOUNT_EXCEED")
    await harness.start_in_flight(order)

    own = order.refund_request_id
    await harness.notifications.deliver(
        own, notification(order, EvidenceKind.SUCCEEDED), delivery_id="x"
    )
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.is_contradicted
    assert (await harness.until_case(order, CaseKind.CONTRADICTION)).is_in_inbox
    assert harness.calls(order, CallKind.INQUIRY) >= 1
