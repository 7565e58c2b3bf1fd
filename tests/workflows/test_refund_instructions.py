"""What a person may tell a refund, what it refuses, and what a cancellation can do."""

from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain.evidence import Source
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import InstructionRefusedError
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

OPS = Instruction(by="ops", reason="the buyer asks")
PROOF = Resolution(by="ops", reason="ticket", proof="Antom ticket 4711", state="succeeded")


async def test_check_now_inquires_at_once(long_stage: Stage) -> None:
    order = await long_stage.start(long_stage.paid(is_async=True))
    await long_stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    long_stage.settle(order)

    said = await long_stage.refunds.check_now(order.refund_request_id, OPS)
    await long_stage.until(order, lambda view: view.state is RefundState.SUCCEEDED)

    assert "asked now" in said
    assert long_stage.asked(order, CallKind.INQUIRY) == 1


async def test_check_now_that_brings_no_end_leaves_the_refund_waiting(long_stage: Stage) -> None:
    order = await long_stage.start(long_stage.paid(is_async=True))
    await long_stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    for times in (1, 2):
        await long_stage.refunds.check_now(order.refund_request_id, OPS)
        await long_stage.until_asked(order, CallKind.INQUIRY, times=times)

    long_stage.settle(order)
    assert (await long_stage.end(order)).state is RefundState.SUCCEEDED
    assert long_stage.asked(order, CallKind.REFUND) == 1


async def test_resolve_ends_a_refund_by_hand_with_proof(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 100)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    said = await stage.refunds.resolve(order.refund_request_id, PROOF)
    outcome = await stage.end(order)

    assert said == "the refund is succeeded"
    assert (outcome.state, outcome.result_code) == (RefundState.SUCCEEDED, "resolved_by_operator")
    for part in (PROOF.by, PROOF.reason, PROOF.proof):
        assert part in outcome.message
    assert (await stage.view(order)).result_code == "resolved_by_operator"


@pytest.mark.parametrize("update", [contract.UPDATE_CHECK_NOW, contract.UPDATE_RESOLVE])
async def test_an_ended_refund_takes_no_instructions(stage: Stage, update: str) -> None:
    order = await stage.start(stage.paid())
    await stage.end(order)
    events = await stage.events(order)

    with pytest.raises(RPCError, match="already completed"):
        await stage.handle(order).execute_update(
            update, PROOF if update == contract.UPDATE_RESOLVE else OPS
        )

    assert await stage.events(order) == events


async def test_call_off_after_antom_was_asked_is_refused_without_a_trace(calm_stage: Stage) -> None:
    order = await calm_stage.start(calm_stage.paid(is_async=True))
    await calm_stage.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    events = await calm_stage.events(order)

    with pytest.raises(InstructionRefusedError, match="too late: the refund is processing"):
        await calm_stage.refunds.call_off(order.refund_request_id, OPS)

    assert await calm_stage.events(order) == events


@pytest.mark.parametrize("flaw", [{"by": ""}, {"reason": ""}, {"colour": "red"}])
def test_an_instruction_needs_a_name_and_a_reason(flaw: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Instruction.model_validate({"by": "ops", "reason": "ticket", **flaw})


@pytest.mark.parametrize("missing", ["by", "reason"])
@pytest.mark.parametrize(
    "update", [contract.UPDATE_CHECK_NOW, contract.UPDATE_RESOLVE, contract.UPDATE_CALL_OFF]
)
async def test_an_update_from_the_ui_without_name_or_reason_is_refused_without_a_trace(
    calm_stage: Stage, update: str, missing: str
) -> None:
    order = await calm_stage.start(calm_stage.paid(is_async=True))
    await calm_stage.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    events = await calm_stage.events(order)
    whole: dict[str, Any] = (PROOF if update == contract.UPDATE_RESOLVE else OPS).model_dump()

    with pytest.raises(WorkflowUpdateFailedError):
        await calm_stage.handle(order).execute_update(
            update, {name: value for name, value in whole.items() if name != missing}
        )

    assert await calm_stage.events(order) == events


async def test_call_off_before_antom_could_be_reached_ends_as_closed(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.is_down = True
    await stage.start(order)
    await stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    said = await stage.refunds.call_off(order.refund_request_id, OPS)
    outcome = await stage.end(order)

    assert "called off" in said
    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert "ops" in outcome.message
    assert stage.asked(order, CallKind.REFUND) == 0
    assert stage.moved(order) == 0


async def test_call_off_with_the_call_in_the_air_gives_way_to_antoms_word(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()

    await stage.refunds.call_off(order.refund_request_id, OPS)
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def test_cancellation_before_anything_was_sent_calls_off(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.is_down = True
    await stage.start(order)
    await stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    await stage.handle(order).cancel()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.CLOSED
    assert "Temporal" in outcome.message
    assert stage.asked(order, CallKind.REFUND) == 0


async def test_cancellation_before_any_worker_calls_off(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.paid())
    await idle_stage.handle(order).cancel()

    async with idle_stage.working():
        outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.CLOSED
    assert idle_stage.asked(order, CallKind.REFUND) == 0
    assert idle_stage.moved(order) == 0


async def test_cancellation_of_a_refund_that_antom_knows_is_not_obeyed(long_stage: Stage) -> None:
    order = await long_stage.start(long_stage.paid(is_async=True))
    await long_stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    await long_stage.handle(order).cancel()
    assert (await long_stage.view(order)).is_running
    long_stage.settle(order)
    outcome = await long_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert long_stage.moved(order) == 1


async def test_instructions_are_kept_with_name_and_reason(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    await stage.refunds.check_now(order.refund_request_id, OPS)

    dossier = await stage.refunds.dossier(order.refund_request_id)

    said = [e.evidence for e in dossier.entries if e.evidence.source is Source.OPERATOR]
    assert [each.message for each in said] == ["ops: the buyer asks"]
