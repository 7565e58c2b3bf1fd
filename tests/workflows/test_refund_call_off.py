"""An accepted call-off remains in force: no refund call is sent after it."""

import asyncio

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from antom_refunds import contract
from antom_refunds.contract import Instruction
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import InstructionRejectedError
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="the wrong order")


@pytest.mark.parametrize(
    ("response", "inquiries"),
    [
        (FaultKind.CUT_BEFORE, ()),
        ("ACCESS_DENIED", ()),
        ("UNKNOWN_EXCEPTION", ()),
        (FaultKind.CUT_BEFORE, ("PROCESS_FAIL", FaultKind.HTTP_500, FaultKind.CUT_BEFORE)),
        (FaultKind.HTTP_500, (FaultKind.GARBLED, FaultKind.NOT_FOUND_NULL)),
        ("RISK_REJECT", ("ACCESS_DENIED", "ACCESS_DENIED", "ACCESS_DENIED")),
    ],
)
async def test_a_call_off_with_a_call_in_flight_moves_no_money_after_it(
    harness: Harness, response: FaultKind | str, inquiries: tuple[FaultKind | str, ...]
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, response)
    if inquiries:
        harness.script(order, Operation.INQUIRY, *inquiries)
    await harness.start_in_flight(order)

    await harness.refunds.call_off(order.refund_request_id, OPS)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state in {RefundState.CLOSED, RefundState.FAILED}
    assert harness.calls(order, CallKind.REFUND) == 1
    assert harness.movements(order) == 0


async def test_a_call_off_while_blocked_is_accepted(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *["ACCESS_DENIED"] * 100)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.BLOCKED)

    await harness.refunds.call_off(order.refund_request_id, OPS)
    calls_before = harness.calls(order, CallKind.REFUND)
    outcome = await harness.wait_for_outcome(order)

    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert outcome.attention_reason is None
    assert harness.calls(order, CallKind.REFUND) <= calls_before + 1
    assert harness.movements(order) == 0


async def test_a_refund_of_an_unknown_merchant_is_called_off_without_an_inquiry(
    idle_harness: Harness,
) -> None:
    order = await idle_harness.start(idle_harness.payable_order())

    async with idle_harness.workflow_worker(), idle_harness.activity_worker({}):
        await idle_harness.until(order, lambda view: view.state is RefundState.BLOCKED)
        await idle_harness.refunds.call_off(order.refund_request_id, OPS)
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.CLOSED
    assert outcome.attention_reason is None


async def test_a_call_off_keeps_the_response_to_the_call_in_flight(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "ACCESS_DENIED", "ACCESS_DENIED")
    await harness.start_in_flight(order)
    harness.transport.arrived.clear()
    harness.transport.release()
    harness.transport.hold()
    await harness.transport.arrived.wait()

    await harness.refunds.call_off(order.refund_request_id, OPS)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert dossier.refund.doubt is None
    assert harness.calls(order, CallKind.REFUND) == 2


async def test_a_call_off_that_comes_too_late_is_shown(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    await harness.start_in_flight(order)

    await harness.refunds.call_off(order.refund_request_id, OPS)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason
    assert "called off" in outcome.attention_reason
    assert harness.calls(order, CallKind.REFUND) == 1


async def test_a_second_call_off_is_rejected_with_a_message(harness: Harness) -> None:
    order = harness.payable_order()
    await harness.start_in_flight(order)
    await harness.refunds.call_off(order.refund_request_id, OPS)

    with pytest.raises(InstructionRejectedError, match="already called off"):
        await harness.refunds.call_off(order.refund_request_id, OPS)

    harness.transport.release()
    await harness.wait_for_outcome(order)


async def test_after_a_reset_the_refund_closes_only_when_no_call_of_an_old_run_is_in_flight(
    harness: Harness,
) -> None:
    order = harness.payable_order()
    await harness.start_in_flight(order)
    harness.transport.is_down = True
    await _reset(harness, order.refund_request_id)
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    await harness.refunds.call_off(order.refund_request_id, OPS)
    harness.transport.is_down = False
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def _reset(harness: Harness, refund_request_id: str) -> None:
    """Reset the workflow to its first workflow task, as an operator does in the UI."""
    handle = harness.temporal.get_workflow_handle(
        contract.workflow_id(refund_request_id, merchant="default")
    )
    first = await _first_task(harness, handle.id)
    await harness.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=harness.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="a try",
            workflow_task_finish_event_id=first,
            request_id=refund_request_id,
        )
    )


async def _first_task(harness: Harness, workflow_id: str) -> int:
    kind = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    async with asyncio.timeout(20):
        while True:
            history = await harness.temporal.get_workflow_handle(workflow_id).fetch_history()
            for event in history.events:
                if event.event_type == kind:
                    return int(event.event_id)
