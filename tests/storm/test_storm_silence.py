"""The storm is judged only when Antom has said all that it will say of the refunds it ended."""

from typing import Any

import pytest

from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.records import RefundStatus
from bench.storm.silence import is_silent
from tests.storm.witnesses import ledger, refund, sending


def payment(**changes: Any) -> Payment:
    usual = {"payment_id": "pay", "client_id": "shop", "amount": Money(currency="EUR", minor=9999)}
    return Payment.model_validate({**usual, **changes})


AT_BANK = payment(is_async=True)
TRUTH = sending(fault="reordered")
LIE = sending(fault="reordered", succeeded=False)


@pytest.mark.parametrize(
    "notifications",
    [
        (),
        (sending(is_acknowledged=False),),
        (sending(fault="lost", is_acknowledged=False),),
        (TRUTH,),
        (TRUTH.model_copy(update={"is_acknowledged": False}), LIE),
    ],
    ids=["none yet", "refused", "lost", "its opposite follows", "only the opposite taken"],
)
def test_antom_still_has_something_to_say(notifications: object) -> None:
    assert not is_silent(ledger(notifications=notifications), [AT_BANK])


@pytest.mark.parametrize(
    "notifications",
    [
        (sending(),),
        (sending(is_acknowledged=False), sending(number=2)),
        (TRUTH, LIE),
        (sending(number=8, is_acknowledged=False),),
    ],
    ids=["taken", "taken the second time", "both words taken", "given up"],
)
def test_antom_has_said_all(notifications: object) -> None:
    assert is_silent(ledger(notifications=notifications), [AT_BANK])


def test_a_refund_in_process_will_be_spoken_of() -> None:
    in_process = ledger(refunds=(refund(RefundStatus.PROCESSING),), notifications=(sending(),))

    assert not is_silent(in_process, [AT_BANK])


def test_nothing_is_notified_of_a_refund_that_was_over_at_once() -> None:
    refused = refund(RefundStatus.FAIL).model_copy(update={"was_accepted": False})

    assert is_silent(ledger(), [payment()])
    assert is_silent(ledger(refunds=(refused,)), [AT_BANK])
