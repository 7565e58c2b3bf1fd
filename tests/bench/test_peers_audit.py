"""What an engine reports is compared with the ledger: double money, other or missing ends."""

from datetime import timedelta
from typing import Any

from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.records import LedgerSnapshot, Movement, RefundStatus
from bench.peers.engine import End
from bench.peers.runs import Audit
from tests.bench.builders import NOON, ORDER, PROCESSING

SUCCEEDED = {"r-1": End(RefundState.SUCCEEDED, NOON + timedelta(seconds=1))}


def movement(**changes: Any) -> Movement:
    usual = {"client_id": "shop", "refund_request_id": "r-1", "payment_id": "pay"}
    return Movement.model_validate({**usual, "amount": ORDER.amount, "at": NOON, **changes})


def ledger(*moved: Movement, status: RefundStatus = RefundStatus.SUCCESS) -> LedgerSnapshot:
    refund = PROCESSING.model_copy(update={"status": status, "ended_at": NOON})
    return LedgerSnapshot(refunds=(refund,), movements=moved)


def test_a_refund_that_agrees_with_the_ledger_is_clean() -> None:
    audit = Audit.of([ORDER], SUCCEEDED, ledger(movement()))

    assert audit == Audit(requested=1, ended=1)
    assert audit.is_clean


def test_a_failed_refund_that_moved_nothing_is_clean() -> None:
    ends = {"r-1": End(RefundState.FAILED, NOON)}

    assert Audit.of([ORDER], ends, ledger(status=RefundStatus.FAIL)).is_clean


def test_money_that_moved_twice_is_found() -> None:
    audit = Audit.of([ORDER], SUCCEEDED, ledger(movement(), movement()))

    assert audit.moved_twice == audit.disagreeing == ("r-1",)


def test_money_that_moved_twice_is_found_without_a_reported_end() -> None:
    audit = Audit.of([ORDER], {}, ledger(movement(), movement()))

    assert audit.moved_twice == audit.unfinished == ("r-1",)


def test_a_refund_without_an_end_is_found() -> None:
    audit = Audit.of([ORDER], {}, ledger(movement()))

    assert (audit.ended, audit.unfinished) == (0, ("r-1",))


def test_a_success_that_moved_no_money_is_found() -> None:
    assert Audit.of([ORDER], SUCCEEDED, ledger()).disagreeing == ("r-1",)


def test_another_amount_is_found() -> None:
    moved = movement(amount=Money(currency="EUR", minor=1251))

    assert Audit.of([ORDER], SUCCEEDED, ledger(moved)).disagreeing == ("r-1",)


def test_a_failure_that_is_a_success_in_the_ledger_is_found() -> None:
    ends = {"r-1": End(RefundState.FAILED, NOON)}

    assert Audit.of([ORDER], ends, ledger(movement())).disagreeing == ("r-1",)


def test_an_end_of_a_refund_that_antom_does_not_know_is_found() -> None:
    assert Audit.of([ORDER], SUCCEEDED, LedgerSnapshot()).disagreeing == ("r-1",)


def test_others_refunds_do_not_count() -> None:
    ends = {**SUCCEEDED, "warm-1": End(RefundState.SUCCEEDED, NOON)}

    assert Audit.of([ORDER], ends, ledger(movement())) == Audit(requested=1, ended=1)
