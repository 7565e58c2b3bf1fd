"""An engine's word is held against the ledger: double money, other ends and no ends are found."""

from datetime import UTC, datetime, timedelta
from typing import Any

from antom_refunds.antom.wire import Result
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.heard import KeyFields
from antom_refunds.simulator.records import LedgerView, Movement, Refund, RefundStatus
from bench.peers.audit import Audit
from bench.peers.course import believed
from bench.peers.peer import End

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORDER = RefundOrder(
    refund_request_id="r-1", payment_id="pay", amount=Money(currency="EUR", minor=1250)
)
SUCCEEDED = {"r-1": End(RefundState.SUCCEEDED, NOON + timedelta(seconds=1))}


def movement(**changes: Any) -> Movement:
    usual = {"client_id": "shop", "refund_request_id": "r-1", "payment_id": "pay"}
    return Movement.model_validate({**usual, "amount": ORDER.amount, "at": NOON, **changes})


def ledger(*moved: Movement, status: RefundStatus = RefundStatus.SUCCESS) -> LedgerView:
    refund = Refund(
        client_id="shop",
        refund_request_id="r-1",
        refund_id="antom-1",
        key_fields=KeyFields(payment_id="pay", currency="EUR", value="1250"),
        status=status,
        result=Result(result_code="SUCCESS", result_status="S", result_message=""),
        was_accepted=True,
        asked_at=NOON,
        ended_at=NOON,
    )
    return LedgerView(refunds=(refund,), movements=moved)


def test_a_refund_that_ended_as_the_ledger_says_is_in_order() -> None:
    audit = Audit.of([ORDER], SUCCEEDED, ledger(movement()))

    assert audit == Audit(asked=1, ended=1)
    assert audit.is_clean


def test_a_failed_refund_that_moved_nothing_is_in_order() -> None:
    ends = {"r-1": End(RefundState.FAILED, NOON)}

    assert Audit.of([ORDER], ends, ledger(status=RefundStatus.FAIL)).is_clean


def test_money_that_moved_twice_is_found() -> None:
    audit = Audit.of([ORDER], SUCCEEDED, ledger(movement(), movement()))

    assert audit.moved_twice == audit.disagreeing == ("r-1",)


def test_money_that_moved_twice_is_found_although_nobody_names_an_end() -> None:
    audit = Audit.of([ORDER], {}, ledger(movement(), movement()))

    assert audit.moved_twice == audit.endless == ("r-1",)


def test_a_refund_without_an_end_is_found() -> None:
    audit = Audit.of([ORDER], {}, ledger(movement()))

    assert (audit.ended, audit.endless) == (0, ("r-1",))


def test_a_success_that_moved_no_money_is_found() -> None:
    assert Audit.of([ORDER], SUCCEEDED, ledger()).disagreeing == ("r-1",)


def test_another_amount_is_found() -> None:
    moved = movement(amount=Money(currency="EUR", minor=1251))

    assert Audit.of([ORDER], SUCCEEDED, ledger(moved)).disagreeing == ("r-1",)


def test_a_failure_that_the_ledger_calls_success_is_found() -> None:
    ends = {"r-1": End(RefundState.FAILED, NOON)}

    assert Audit.of([ORDER], ends, ledger(movement())).disagreeing == ("r-1",)


def test_an_end_of_a_refund_that_antom_never_heard_of_is_found() -> None:
    assert Audit.of([ORDER], SUCCEEDED, LedgerView()).disagreeing == ("r-1",)


def test_others_refunds_do_not_count() -> None:
    ends = {**SUCCEEDED, "warm-1": End(RefundState.SUCCEEDED, NOON)}

    assert Audit.of([ORDER], ends, ledger(movement())) == Audit(asked=1, ended=1)


def test_no_end_is_believed_before_antoms_own_word() -> None:
    early = {"r-1": End(RefundState.SUCCEEDED, NOON - timedelta(milliseconds=300))}

    assert believed(early, ledger()) == ({"r-1": End(RefundState.SUCCEEDED, NOON)}, 1)
    assert believed(SUCCEEDED, ledger()) == (SUCCEEDED, 0)
