"""An accepted call-off stays: no refund call is sent after it, whatever Antom says meanwhile."""

import asyncio

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from antom_refunds import contract
from antom_refunds.contract import Instruction
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import InstructionRefusedError
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

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
    stage: Stage, response: FaultKind | str, inquiries: tuple[FaultKind | str, ...]
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, response)
    if inquiries:
        stage.script(order, Operation.INQUIRY, *inquiries)
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()

    await stage.refunds.call_off(order.refund_request_id, OPS)
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state in {RefundState.CLOSED, RefundState.FAILED}
    assert stage.asked(order, CallKind.REFUND) == 1
    assert stage.moved(order) == 0


async def test_a_call_off_while_blocked_is_taken(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *["ACCESS_DENIED"] * 100)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.BLOCKED)

    await stage.refunds.call_off(order.refund_request_id, OPS)
    asked = stage.asked(order, CallKind.REFUND)
    outcome = await stage.end(order)

    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert outcome.needs_human is None
    assert stage.asked(order, CallKind.REFUND) <= asked + 1
    assert stage.moved(order) == 0


async def test_a_refund_of_an_unknown_merchant_is_called_off_without_an_inquiry(
    idle_stage: Stage,
) -> None:
    order = await idle_stage.start(idle_stage.paid())

    async with idle_stage.deciding(), idle_stage.calling({}):
        await idle_stage.until(order, lambda view: view.state is RefundState.BLOCKED)
        await idle_stage.refunds.call_off(order.refund_request_id, OPS)
        outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.CLOSED
    assert outcome.needs_human is None


async def test_a_call_off_keeps_what_the_call_in_flight_was_answered(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, "ACCESS_DENIED", "ACCESS_DENIED")
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()
    stage.wire.arrived.clear()
    stage.wire.let_go()
    stage.wire.hold()
    await stage.wire.arrived.wait()

    await stage.refunds.call_off(order.refund_request_id, OPS)
    stage.wire.let_go()
    outcome = await stage.end(order)

    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert dossier.refund.doubt is None
    assert stage.asked(order, CallKind.REFUND) == 2


async def test_a_call_off_that_comes_too_late_is_shown(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()

    await stage.refunds.call_off(order.refund_request_id, OPS)
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human
    assert "called off" in outcome.needs_human
    assert stage.asked(order, CallKind.REFUND) == 1


async def test_a_second_call_off_is_refused_with_a_sentence(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()
    await stage.refunds.call_off(order.refund_request_id, OPS)

    with pytest.raises(InstructionRefusedError, match="called off already"):
        await stage.refunds.call_off(order.refund_request_id, OPS)

    stage.wire.let_go()
    await stage.end(order)


async def test_after_a_reset_an_old_runs_call_is_waited_out_before_it_closes(
    stage: Stage,
) -> None:
    order = stage.paid()
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()
    stage.wire.is_down = True
    await _reset(stage, order.refund_request_id)
    await stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    await stage.refunds.call_off(order.refund_request_id, OPS)
    stage.wire.is_down = False
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def _reset(stage: Stage, refund_request_id: str) -> None:
    """To the first workflow task, as an operator does it in the UI."""
    handle = stage.temporal.get_workflow_handle(
        contract.workflow_id(refund_request_id, merchant="default")
    )
    first = await _first_task(stage, handle.id)
    await stage.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=stage.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="a try",
            workflow_task_finish_event_id=first,
            request_id=refund_request_id,
        )
    )


async def _first_task(stage: Stage, workflow_id: str) -> int:
    kind = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    async with asyncio.timeout(20):
        while True:
            history = await stage.temporal.get_workflow_handle(workflow_id).fetch_history()
            for event in history.events:
                if event.event_type == kind:
                    return int(event.event_id)
