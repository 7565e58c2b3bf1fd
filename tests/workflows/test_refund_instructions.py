"""Instructions of operators, which of them are rejected, and cancellations."""

from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain.evidence import Source
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import InstructionRejectedError
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="the buyer asks")
PROOF = Resolution(by="ops", reason="ticket", proof="Antom ticket 4711", state="succeeded")


async def test_check_now_sends_an_inquiry_immediately(time_skipping_harness: Harness) -> None:
    order = await time_skipping_harness.start(time_skipping_harness.payable_order(is_async=True))
    await time_skipping_harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    time_skipping_harness.settle(order)

    reply = await time_skipping_harness.refunds.check_now(order.refund_request_id, OPS)
    await time_skipping_harness.until(order, lambda view: view.state is RefundState.SUCCEEDED)

    assert "being sent" in reply
    assert time_skipping_harness.calls(order, CallKind.INQUIRY) == 1


async def test_check_now_without_a_final_result_leaves_the_refund_waiting(
    time_skipping_harness: Harness,
) -> None:
    order = await time_skipping_harness.start(time_skipping_harness.payable_order(is_async=True))
    await time_skipping_harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    for times in (1, 2):
        await time_skipping_harness.refunds.check_now(order.refund_request_id, OPS)
        await time_skipping_harness.until_called(order, CallKind.INQUIRY, times=times)

    time_skipping_harness.settle(order)
    assert (await time_skipping_harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert time_skipping_harness.calls(order, CallKind.REFUND) == 1


async def test_resolve_sets_the_final_state_with_proof(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 100)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    reply = await harness.refunds.resolve(order.refund_request_id, PROOF)
    outcome = await harness.wait_for_outcome(order)

    assert reply == "the refund is succeeded"
    assert (outcome.state, outcome.result_code) == (RefundState.SUCCEEDED, "resolved_by_operator")
    for part in (PROOF.by, PROOF.reason, PROOF.proof):
        assert part in outcome.message
    assert (await harness.view(order)).result_code == "resolved_by_operator"


@pytest.mark.parametrize("update", [contract.UPDATE_CHECK_NOW, contract.UPDATE_RESOLVE])
async def test_an_ended_refund_rejects_instructions(harness: Harness, update: str) -> None:
    order = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)
    events = await harness.events(order)

    with pytest.raises(RPCError, match="already completed"):
        await harness.handle(order).execute_update(
            update, PROOF if update == contract.UPDATE_RESOLVE else OPS
        )

    assert await harness.events(order) == events


async def test_call_off_after_sending_is_rejected_and_leaves_no_event(
    unscaled_harness: Harness,
) -> None:
    order = await unscaled_harness.start(unscaled_harness.payable_order(is_async=True))
    await unscaled_harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    events = await unscaled_harness.events(order)

    with pytest.raises(InstructionRejectedError, match="too late: the refund is processing"):
        await unscaled_harness.refunds.call_off(order.refund_request_id, OPS)

    assert await unscaled_harness.events(order) == events


@pytest.mark.parametrize("change", [{"by": ""}, {"reason": ""}, {"colour": "red"}])
def test_an_instruction_needs_a_name_and_a_reason(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Instruction.model_validate({"by": "ops", "reason": "ticket", **change})


@pytest.mark.parametrize("missing", ["by", "reason"])
@pytest.mark.parametrize(
    "update", [contract.UPDATE_CHECK_NOW, contract.UPDATE_RESOLVE, contract.UPDATE_CALL_OFF]
)
async def test_an_update_from_the_ui_without_name_or_reason_is_rejected_and_leaves_no_event(
    unscaled_harness: Harness, update: str, missing: str
) -> None:
    order = await unscaled_harness.start(unscaled_harness.payable_order(is_async=True))
    await unscaled_harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    events = await unscaled_harness.events(order)
    whole: dict[str, Any] = (PROOF if update == contract.UPDATE_RESOLVE else OPS).model_dump()

    with pytest.raises(WorkflowUpdateFailedError):
        await unscaled_harness.handle(order).execute_update(
            update, {name: value for name, value in whole.items() if name != missing}
        )

    assert await unscaled_harness.events(order) == events


async def test_call_off_while_antom_is_unreachable_ends_as_closed(harness: Harness) -> None:
    order = harness.payable_order()
    harness.transport.is_down = True
    await harness.start(order)
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    reply = await harness.refunds.call_off(order.refund_request_id, OPS)
    outcome = await harness.wait_for_outcome(order)

    assert "called off" in reply
    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "call_off_by_operator")
    assert "ops" in outcome.message
    assert harness.calls(order, CallKind.REFUND) == 0
    assert harness.movements(order) == 0


async def test_antoms_result_overrides_a_call_off_with_a_call_in_flight(harness: Harness) -> None:
    order = harness.payable_order()
    await harness.start_in_flight(order)

    await harness.refunds.call_off(order.refund_request_id, OPS)
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_cancellation_before_anything_was_sent_calls_off(harness: Harness) -> None:
    order = harness.payable_order()
    harness.transport.is_down = True
    await harness.start(order)
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    await harness.handle(order).cancel()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.CLOSED
    assert "Temporal" in outcome.message
    assert harness.calls(order, CallKind.REFUND) == 0


async def test_cancellation_before_any_worker_calls_off(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.payable_order())
    await idle_harness.handle(order).cancel()

    async with idle_harness.running_worker():
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.CLOSED
    assert idle_harness.calls(order, CallKind.REFUND) == 0
    assert idle_harness.movements(order) == 0


async def test_cancellation_of_a_refund_that_was_sent_is_ignored(
    time_skipping_harness: Harness,
) -> None:
    order = await time_skipping_harness.start(time_skipping_harness.payable_order(is_async=True))
    await time_skipping_harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    await time_skipping_harness.handle(order).cancel()
    assert (await time_skipping_harness.view(order)).is_running
    time_skipping_harness.settle(order)
    outcome = await time_skipping_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert time_skipping_harness.movements(order) == 1


async def test_instructions_are_kept_with_name_and_reason(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    await harness.refunds.check_now(order.refund_request_id, OPS)

    dossier = await harness.refunds.dossier(order.refund_request_id)

    reply = [e.evidence for e in dossier.entries if e.evidence.source is Source.OPERATOR]
    assert [each.message for each in reply] == ["ops: the buyer asks"]
