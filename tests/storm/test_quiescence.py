"""A storm is evaluated only when Antom has sent every notification of its final refunds."""

from typing import Any

import pytest

from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.records import RefundStatus
from proofs.storm.observations import is_quiescent
from tests.storm.builders import ledger, refund, sending


def payment(**changes: Any) -> Payment:
    usual = {"payment_id": "pay", "client_id": "shop", "amount": Money(currency="EUR", minor=9999)}
    return Payment.model_validate({**usual, **changes})


AT_BANK = payment(is_async=True)
TRUTH = sending(fault="contradicting")
LIE = sending(fault="contradicting", succeeded=False)


@pytest.mark.parametrize(
    "notifications",
    [
        (),
        (sending(is_acknowledged=False),),
        (sending(fault="not_sent", is_acknowledged=False),),
        (TRUTH,),
        (TRUTH.model_copy(update={"is_acknowledged": False}), LIE),
    ],
    ids=["none yet", "refused", "lost", "its opposite follows", "only the opposite taken"],
)
def test_antom_is_not_quiescent(notifications: object) -> None:
    assert not is_quiescent(ledger(notifications=notifications), [AT_BANK])


@pytest.mark.parametrize(
    "notifications",
    [
        (sending(),),
        (sending(is_acknowledged=False), sending(number=2)),
        (TRUTH, LIE),
        (sending(number=8, is_acknowledged=False),),
    ],
    ids=["taken", "taken the second time", "both results taken", "given up"],
)
def test_antom_is_quiescent(notifications: object) -> None:
    assert is_quiescent(ledger(notifications=notifications), [AT_BANK])


def test_a_refund_in_process_will_be_notified() -> None:
    in_process = ledger(refunds=(refund(RefundStatus.PROCESSING),), notifications=(sending(),))

    assert not is_quiescent(in_process, [AT_BANK])


def test_a_refund_that_ended_immediately_is_not_notified() -> None:
    refused = refund(RefundStatus.FAIL).model_copy(update={"was_accepted": False})

    assert is_quiescent(ledger(), [payment()])
    assert is_quiescent(ledger(refunds=(refused,)), [AT_BANK])
