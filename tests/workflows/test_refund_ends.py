"""Each path to a terminal state on a real Temporal server, with its history and money."""

import pytest

from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.evidence import Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import AMOUNT, NOTIFY_URL, Harness


async def test_a_refund_that_antom_executes_immediately_succeeds_immediately(
    harness: Harness,
) -> None:
    order = await harness.start(harness.payable_order())

    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.refund_request_id == order.refund_request_id
    assert outcome.payment_id == order.payment_id
    assert outcome.merchant == "default"
    assert outcome.amount == AMOUNT
    assert outcome.result_code == "SUCCESS"
    assert outcome.refund_id
    assert outcome.refund_time
    assert outcome.attention_reason is None
    assert not outcome.is_contradicted
    assert harness.movements(order) == 1
    assert await harness.events(order) <= 13


async def test_ended_refunds_can_be_listed_by_state(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())

    await harness.wait_for_outcome(order)

    view = await harness.view(order)
    assert (view.state, view.result_code, view.needs_attention) == (
        RefundState.SUCCEEDED,
        "SUCCESS",
        False,
    )
    assert not view.is_running
    assert view.amount == AMOUNT
    assert view.payment_id == order.payment_id
    assert view.overdue_at
    assert view.ended_at


async def test_a_notification_ends_a_refund_in_process(time_skipping_harness: Harness) -> None:
    order = await time_skipping_harness.start(
        time_skipping_harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    )
    await time_skipping_harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    time_skipping_harness.settle(order)
    assert await time_skipping_harness.outcomes.until(1) == ["delivered"]
    outcome = await time_skipping_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.refund_id
    assert time_skipping_harness.calls(order, CallKind.INQUIRY) == 0
    assert time_skipping_harness.movements(order) == 1
    assert await time_skipping_harness.events(order) <= 20


async def test_refunds_in_process_can_be_listed(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))

    view = await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.result_code == "REFUND_IN_PROCESS"
    assert view.is_running
    assert not view.needs_attention


async def test_an_inquiry_ends_a_refund_whose_notification_never_came(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_a_notification_that_arrives_before_the_response_is_kept(harness: Harness) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    harness.script(order, Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.outcomes.outcomes == ["delivered"]
    assert harness.movements(order) == 1


async def test_a_notification_that_comes_before_any_worker_is_kept(idle_harness: Harness) -> None:
    order = await idle_harness.start(
        idle_harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    )
    await idle_harness.antom.refund(order)
    idle_harness.settle(order)
    await idle_harness.outcomes.until(1)

    async with idle_harness.running_worker():
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert await idle_harness.signals(order) == 1
    assert idle_harness.movements(order) == 1


@pytest.mark.parametrize(
    ("code", "needs_attention"), [("REFUND_AMOUNT_EXCEED", False), ("RISK_REJECT", True)]
)
async def test_a_failure_says_what_to_do_next(
    harness: Harness, *, code: str, needs_attention: bool
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, code)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, code)
    assert outcome.advice
    assert (outcome.attention_reason is not None) is needs_attention
    assert harness.movements(order) == 0
    view = await harness.view(order)
    assert (view.state, view.result_code) == (RefundState.FAILED, code)
    assert not view.needs_attention
    if needs_attention:
        assert (await harness.until_case(order, CaseKind.NEEDS_ATTENTION)).is_in_inbox


async def test_an_unknown_failure_code_fails_and_alerts_an_operator(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "BRAND_NEW_CODE")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.FAILED
    assert outcome.attention_reason


async def test_a_refund_in_process_may_fail(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True, notify_url=NOTIFY_URL))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    harness.settle(order, SettlementOutcome.FAIL)

    assert (await harness.wait_for_outcome(order)).state is RefundState.FAILED
    assert harness.movements(order) == 0


async def test_a_closed_order_is_closed_once_an_inquiry_confirms_it(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "ORDER_IS_CLOSED")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.CLOSED, "ORDER_IS_CLOSED")
    assert outcome.attention_reason
    # The second one is sent when no earlier call can still be in flight.
    assert harness.calls(order, CallKind.INQUIRY) == 2
    assert harness.movements(order) == 0


async def test_a_closed_order_is_not_closed_if_the_inquiry_says_success(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER, "ORDER_IS_CLOSED")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_a_closed_order_is_not_closed_while_the_inquiry_says_processing(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER, "ORDER_IS_CLOSED")

    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def _settled_with_unusable_notification(
    harness: Harness, order: RefundOrder, fault: FaultKind
) -> RefundOutcome:
    """The outcome of a refund whose notification has this fault; its first inquiries fail."""
    harness.script(order, Operation.NOTIFY, fault)
    harness.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 3)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)
    return await harness.wait_for_outcome(order)


async def test_an_inconsistent_notification_is_resolved_by_an_inquiry(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)

    outcome = await _settled_with_unusable_notification(harness, order, FaultKind.INCONSISTENT)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1
    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert Source.NOTIFICATION in {entry.evidence.source for entry in dossier.entries}
    assert dossier.refund.deciding_evidence
    assert dossier.refund.deciding_evidence.source is Source.INQUIRY


async def test_a_notification_with_another_amount_is_not_final(harness: Harness) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)

    outcome = await _settled_with_unusable_notification(harness, order, FaultKind.WRONG_AMOUNT)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.amount == AMOUNT
    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert dossier.refund.mismatch
    assert "amount" in dossier.refund.mismatch.message or dossier.refund.mismatch.amount != AMOUNT


async def test_a_success_with_another_amount_is_not_accepted(harness: Harness) -> None:
    """Antom returns the refund in its ledger, here with another amount under the same id."""
    order = harness.payable_order()
    another = Money(currency="EUR", minor=1)
    await harness.antom.refund(order.model_copy(update={"amount": another}))

    await harness.start(order)
    view = await harness.until(order, lambda view: view.needs_attention)

    assert view.is_running
    assert view.state is RefundState.IN_DOUBT
    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert dossier.attention_reason
    assert dossier.attention_reason.startswith("REPEAT_REQ_INCONSISTENT")
