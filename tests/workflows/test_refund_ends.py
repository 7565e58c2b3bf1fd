"""Each way to an end, on a real engine, with the history it costs and the money it moved."""

import pytest

from antom_refunds.domain.evidence import Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import AMOUNT, NOTIFY_URL, Stage


async def test_a_refund_that_antom_grants_at_once_ends_at_once(stage: Stage) -> None:
    order = await stage.start(stage.paid())

    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.refund_request_id == order.refund_request_id
    assert outcome.payment_id == order.payment_id
    assert outcome.merchant == "default"
    assert outcome.amount == AMOUNT
    assert outcome.result_code == "SUCCESS"
    assert outcome.refund_id
    assert outcome.refund_time
    assert outcome.needs_human is None
    assert not outcome.is_contradicted
    assert stage.moved(order) == 1
    assert await stage.events(order) <= 13


async def test_an_end_can_be_filtered_by(stage: Stage) -> None:
    order = await stage.start(stage.paid())

    await stage.end(order)

    view = await stage.view(order)
    assert (view.state, view.result_code, view.needs_human) == (
        RefundState.SUCCEEDED,
        "SUCCESS",
        False,
    )
    assert not view.is_running
    assert view.amount == AMOUNT
    assert view.payment_id == order.payment_id
    assert view.due_at
    assert view.ended_at


async def test_a_notification_ends_a_refund_in_process(long_stage: Stage) -> None:
    order = await long_stage.start(long_stage.paid(is_async=True, notify_url=NOTIFY_URL))
    await long_stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    long_stage.settle(order)
    assert await long_stage.tally.until(1) == ["delivered"]
    outcome = await long_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.refund_id
    assert long_stage.asked(order, CallKind.INQUIRY) == 0
    assert long_stage.moved(order) == 1
    assert await long_stage.events(order) <= 20


async def test_a_refund_in_process_can_be_filtered_by(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))

    view = await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.result_code == "REFUND_IN_PROCESS"
    assert view.is_running
    assert not view.needs_human


async def test_an_inquiry_ends_a_refund_whose_notification_never_came(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def test_a_notification_that_overtakes_the_answer_is_kept(stage: Stage) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    stage.script(order, Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.tally.ends == ["delivered"]
    assert stage.moved(order) == 1


async def test_a_notification_that_comes_before_any_worker_is_kept(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.paid(is_async=True, notify_url=NOTIFY_URL))
    await idle_stage.antom.refund(order)
    idle_stage.settle(order)
    await idle_stage.tally.until(1)

    async with idle_stage.working():
        outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert await idle_stage.signals(order) == 1
    assert idle_stage.moved(order) == 1


@pytest.mark.parametrize(
    ("code", "needs_human"), [("REFUND_AMOUNT_EXCEED", False), ("RISK_REJECT", True)]
)
async def test_a_failure_says_what_to_do_next(
    stage: Stage, *, code: str, needs_human: bool
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, code)

    outcome = await stage.end(await stage.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, code)
    assert outcome.advice
    assert (outcome.needs_human is not None) is needs_human
    assert stage.moved(order) == 0
    view = await stage.view(order)
    assert (view.state, view.result_code) == (RefundState.FAILED, code)
    assert view.needs_human is needs_human


async def test_a_code_that_nobody_knows_fails_with_a_person_called(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, "BRAND_NEW_CODE")

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.FAILED
    assert outcome.needs_human


async def test_a_refund_in_process_may_fail(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True, notify_url=NOTIFY_URL))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order, SettlementOutcome.FAIL)

    assert (await stage.end(order)).state is RefundState.FAILED
    assert stage.moved(order) == 0


async def test_a_closed_order_is_closed_once_an_inquiry_confirms_it(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, "ORDER_IS_CLOSED")

    outcome = await stage.end(await stage.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "ORDER_IS_CLOSED")
    assert outcome.needs_human
    # The second one is made when no earlier call can still be in flight.
    assert stage.asked(order, CallKind.INQUIRY) == 2
    assert stage.moved(order) == 0


async def test_a_closed_order_is_not_closed_if_the_inquiry_says_success(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER, "ORDER_IS_CLOSED")

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def test_a_closed_order_is_not_closed_while_the_inquiry_says_processing(
    stage: Stage,
) -> None:
    order = stage.paid(is_async=True)
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER, "ORDER_IS_CLOSED")

    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    stage.settle(order)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def test_a_notification_that_disagrees_with_itself_is_settled_by_inquiry(
    stage: Stage,
) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    stage.script(order, Operation.NOTIFY, FaultKind.INCONSISTENT)
    stage.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 3)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1
    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert Source.NOTICE in {entry.evidence.source for entry in dossier.entries}
    assert dossier.refund.basis
    assert dossier.refund.basis.source is Source.INQUIRY


async def test_a_notification_of_another_amount_ends_nothing(stage: Stage) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    stage.script(order, Operation.NOTIFY, FaultKind.WRONG_AMOUNT)
    stage.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 3)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.amount == AMOUNT
    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert dossier.refund.suspect
    assert "amount" in dossier.refund.suspect.message or dossier.refund.suspect.amount != AMOUNT


async def test_a_success_of_another_amount_is_never_booked(stage: Stage) -> None:
    """Antom repeats what stands in its books, here another amount under the same id."""
    order = stage.paid()
    another = Money(currency="EUR", minor=1)
    await stage.antom.refund(order.model_copy(update={"amount": another}))

    await stage.start(order)
    view = await stage.until(order, lambda view: view.needs_human)

    assert view.is_running
    assert view.state is RefundState.IN_DOUBT
    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert dossier.human_reason
    assert dossier.human_reason.startswith("REPEAT_REQ_INCONSISTENT")
