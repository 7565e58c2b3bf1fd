"""An id that Antom has used for another payment: inquiries without a payment id are not final."""

import pytest

from antom_refunds.contract import Resolution
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

PROOF = Resolution(by="ops", reason="another system", proof="ticket 12", state="closed")


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_success_of_another_payment_is_not_final_and_alerts_an_operator(
    harness: Harness, *, is_async: bool
) -> None:
    mine = harness.payable_order(is_async=is_async)
    other = harness.payable_order(refund_request_id=mine.refund_request_id, is_async=is_async)
    await harness.antom.refund(other)
    if is_async:
        harness.settle(other)
    await harness.start(mine)

    view = await harness.until(mine, lambda view: view.needs_attention)
    await harness.until_called(mine, CallKind.REFUND, times=4)

    assert view.is_running
    assert (await harness.view(mine)).state is RefundState.IN_DOUBT
    dossier = await harness.refunds.dossier(mine.refund_request_id)
    assert dossier.attention_reason
    assert "REPEAT_REQ_INCONSISTENT" in dossier.attention_reason
    await harness.refunds.resolve(mine.refund_request_id, PROOF)
    assert (await harness.wait_for_outcome(mine)).state is RefundState.CLOSED


@pytest.mark.parametrize("lost", [FaultKind.CUT_AFTER, FaultKind.CUT_BEFORE])
async def test_a_lost_response_does_not_make_another_payments_success_ours(
    harness: Harness, lost: FaultKind
) -> None:
    mine = harness.payable_order()
    other = harness.payable_order(refund_request_id=mine.refund_request_id)
    await harness.antom.refund(other)
    harness.script(mine, Operation.REFUND, lost)
    await harness.start(mine)

    view = await harness.until(mine, lambda view: view.needs_attention)

    assert view.is_running
    assert view.state is RefundState.IN_DOUBT
    await harness.refunds.resolve(mine.refund_request_id, PROOF)


async def test_a_wrong_conflict_is_resolved_by_the_payment(harness: Harness) -> None:
    order = harness.payable_order()
    await harness.antom.refund(order)
    harness.script(order, Operation.REFUND, "REPEAT_REQ_INCONSISTENT")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert harness.calls(order, CallKind.REFUND) == 2
    assert harness.movements(order) == 1


async def test_a_success_that_no_payment_lists_is_tied_by_the_repeated_call(
    harness: Harness,
) -> None:
    """Some accounts may not inquire payments: then repeating the refund call decides."""
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    denied = (Fault(kind=FaultKind.HTTP_500),) * 100
    harness.simulator.fault_plan.add(
        FaultScript(subject=order.payment_id, operation=Operation.PAYMENT, faults=denied)
    )

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 2
    assert harness.movements(order) == 1


async def test_a_notified_success_before_any_response_is_tied_to_the_payment_first(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    harness.script(order, Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert not outcome.is_contradicted
