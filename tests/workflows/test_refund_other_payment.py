"""An id that Antom has for another payment: what an inquiry does not name, it cannot settle."""

import pytest

from antom_refunds.contract import Resolution
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.fault_plan import FaultScript
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

PROOF = Resolution(by="ops", reason="another system", proof="ticket 12", state="closed")


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_success_of_another_payment_ends_nothing_and_calls_an_operator(
    stage: Stage, *, is_async: bool
) -> None:
    mine = stage.paid(is_async=is_async)
    other = stage.paid(refund_request_id=mine.refund_request_id, is_async=is_async)
    await stage.antom.refund(other)
    if is_async:
        stage.settle(other)
    await stage.start(mine)

    view = await stage.until(mine, lambda view: view.needs_human)
    await stage.until_asked(mine, CallKind.REFUND, times=4)

    assert view.is_running
    assert (await stage.view(mine)).state is RefundState.IN_DOUBT
    dossier = await stage.refunds.dossier(mine.refund_request_id)
    assert dossier.human_reason
    assert "REPEAT_REQ_INCONSISTENT" in dossier.human_reason
    await stage.refunds.resolve(mine.refund_request_id, PROOF)
    assert (await stage.end(mine)).state is RefundState.CLOSED


@pytest.mark.parametrize("lost", [FaultKind.CUT_AFTER, FaultKind.CUT_BEFORE])
async def test_a_lost_response_does_not_make_another_payments_success_ours(
    stage: Stage, lost: FaultKind
) -> None:
    mine = stage.paid()
    other = stage.paid(refund_request_id=mine.refund_request_id)
    await stage.antom.refund(other)
    stage.script(mine, Operation.REFUND, lost)
    await stage.start(mine)

    view = await stage.until(mine, lambda view: view.needs_human)

    assert view.is_running
    assert view.state is RefundState.IN_DOUBT
    await stage.refunds.resolve(mine.refund_request_id, PROOF)


async def test_a_conflict_that_was_a_mix_up_is_settled_by_the_payment(stage: Stage) -> None:
    order = stage.paid()
    await stage.antom.refund(order)
    stage.script(order, Operation.REFUND, "REPEAT_REQ_INCONSISTENT")

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert stage.asked(order, CallKind.REFUND) == 2
    assert stage.moved(order) == 1


async def test_a_success_that_no_payment_lists_is_tied_by_the_repeated_call(
    stage: Stage,
) -> None:
    """Not every account may ask about payments: then the refund call itself, repeated, tells."""
    order = stage.paid()
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    denied = (Fault(kind=FaultKind.HTTP_500),) * 100
    stage.simulator.fault_plan.add(
        FaultScript(subject=order.payment_id, operation=Operation.PAYMENT, faults=denied)
    )

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 2
    assert stage.moved(order) == 1


async def test_a_notified_success_before_any_response_is_tied_to_the_payment_first(
    stage: Stage,
) -> None:
    order = stage.paid(is_async=True)
    stage.script(order, Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert not outcome.is_contradicted
