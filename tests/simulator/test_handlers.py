"""The three endpoints: each documented result code, as the product's client receives it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import AntomMerchant, PaymentStatus, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallAmount
from antom_refunds.simulator.result_codes import result
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import (
    START,
    FakeClock,
    a_payment,
    a_script,
    an_order,
)

EUR = "EUR"


async def _failed(antom: AntomClient, **changes: Any) -> str:
    response = await antom.refund(an_order(**changes))
    assert response.result.result_status == "F"
    assert response.refund_id is None
    return response.result.result_code


async def test_a_synchronous_refund_succeeds_and_moves_the_money_once(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())

    response = await antom.refund(an_order())

    assert (response.result.result_status, response.result.result_code) == ("S", "SUCCESS")
    assert (response.refund_request_id, response.payment_id) == ("rf_1", "pay_1")
    assert response.refund_amount
    assert response.refund_amount.money() == Money(currency=EUR, minor=1250)
    assert response.refund_time == START
    assert [m.amount.minor for m in simulator.snapshot().movements_of("rf_1")] == [1250]


async def test_an_asynchronous_refund_is_in_process_and_no_money_has_moved_yet(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    clock.pause()
    simulator.ledger.add_payment(a_payment(is_async=True))

    response = await antom.refund(an_order())

    assert (response.result.result_status, response.result.result_code) == (
        "U",
        "REFUND_IN_PROCESS",
    )
    assert response.refund_id is None
    assert simulator.snapshot().movements == ()


async def test_a_final_result_is_repeated_and_moves_no_more_money(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())

    responses = [await antom.refund(an_order()) for _ in range(3)]

    assert responses[0] == responses[1] == responses[2]
    assert len(simulator.snapshot().movements) == 1


async def test_a_failure_is_repeated_even_if_its_cause_no_longer_exists(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    assert await _failed(antom) == "ORDER_NOT_EXIST"

    simulator.ledger.add_payment(a_payment())

    assert await _failed(antom) == "ORDER_NOT_EXIST"
    assert (await antom.refund(an_order(refund_request_id="rf_2"))).result.result_status == "S"


async def test_a_repeated_call_for_a_refund_in_process_returns_in_process(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    clock.pause()
    simulator.ledger.add_payment(a_payment(is_async=True))

    responses = [await antom.refund(an_order()) for _ in range(2)]
    clock.resume()
    await simulator.tasks.idle()

    assert [a.result.result_code for a in responses] == ["REFUND_IN_PROCESS"] * 2
    assert len(simulator.snapshot().movements) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(currency=EUR, minor=1251)},
        {"amount": Money(currency="USD", minor=1250)},
        {"payment_id": "pay_2"},
    ],
)
async def test_the_same_id_with_other_key_fields_is_inconsistent(
    simulator: AntomSimulator, antom: AntomClient, changes: dict[str, Any]
) -> None:
    simulator.ledger.add_payment(a_payment())
    await antom.refund(an_order())

    assert await _failed(antom, **changes) == "REPEAT_REQ_INCONSISTENT"
    assert len(simulator.snapshot().movements) == 1


async def test_refunds_may_not_exceed_the_payment_together(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(amount=Money(currency=EUR, minor=2000)))
    await antom.refund(an_order())

    assert await _failed(antom, refund_request_id="rf_2") == "REFUND_AMOUNT_EXCEED"


async def test_a_refund_in_process_reserves_its_amount_and_a_failed_one_releases_it(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    clock.pause()
    payment = a_payment(
        amount=Money(currency=EUR, minor=2000), is_async=True, ends=SettlementOutcome.FAIL
    )
    simulator.ledger.add_payment(payment)
    await antom.refund(an_order())

    assert await _failed(antom, refund_request_id="rf_2") == "REFUND_AMOUNT_EXCEED"
    clock.resume()
    await simulator.tasks.idle()
    clock.pause()
    again = await antom.refund(an_order(refund_request_id="rf_3"))

    assert again.result.result_code == "REFUND_IN_PROCESS"


@pytest.mark.parametrize(
    ("code", "payment"),
    [
        ("CURRENCY_NOT_SUPPORT", {"amount": Money(currency="USD", minor=10_000)}),
        ("PAYMENT_METHOD_NOT_SUPPORTED", {"allows_refund": False}),
        ("PARTIAL_REFUND_NOT_SUPPORTED", {"allows_partial": False}),
        ("REFUND_WINDOW_EXCEED", {"refundable_until": START - timedelta(seconds=1)}),
        ("ORDER_IS_CANCELED", {"status": PaymentStatus.CANCELLED}),
        ("ORDER_STATUS_INVALID", {"status": PaymentStatus.PROCESSING}),
        ("ORDER_STATUS_INVALID", {"status": PaymentStatus.FAIL}),
        ("ORDER_NOT_EXIST", {"client_id": "another_merchant"}),
    ],
)
async def test_a_refund_that_the_payment_does_not_allow_fails_with_its_code(
    simulator: AntomSimulator, antom: AntomClient, code: str, payment: dict[str, Any]
) -> None:
    simulator.ledger.add_payment(a_payment(**payment))

    assert await _failed(antom) == code
    assert simulator.snapshot().movements == ()


async def test_a_configured_failure_is_recorded(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(refuses_with="RISK_REJECT"))

    assert await _failed(antom) == await _failed(antom) == "RISK_REJECT"
    assert (await antom.inquire_refund("rf_1")).refund_status == "FAIL"


def test_an_unknown_outcome_cannot_be_configured_as_a_failure() -> None:
    with pytest.raises(ValidationError, match="not the result code of a failure"):
        a_payment(refuses_with="UNKNOWN_EXCEPTION")


async def test_a_method_without_partial_refunds_refunds_in_full(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    full = Money(currency=EUR, minor=1250)
    simulator.ledger.add_payment(a_payment(amount=full, allows_partial=False))

    assert (await antom.refund(an_order())).result.result_code == "SUCCESS"


async def test_a_method_with_one_refund_per_payment_rejects_the_second(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(allows_multiple=False))
    await antom.refund(an_order())

    assert await _failed(antom, refund_request_id="rf_2") == "MULTIPLE_REFUNDS_NOT_SUPPORTED"


async def test_a_merchant_refunds_until_its_balance_is_used_up(
    simulator: AntomSimulator, antom: AntomClient, merchant: AntomMerchant
) -> None:
    simulator.register(merchant.model_copy(update={"balance": {EUR: 2000}}))
    simulator.ledger.add_payment(a_payment())

    assert (await antom.refund(an_order())).result.result_code == "SUCCESS"
    assert await _failed(antom, refund_request_id="rf_2") == "MERCHANT_BALANCE_NOT_ENOUGH"
    assert simulator.snapshot().balances[0].minor == {EUR: 750}


async def test_a_failed_refund_restores_the_balance(
    simulator: AntomSimulator, antom: AntomClient, merchant: AntomMerchant
) -> None:
    simulator.register(merchant.model_copy(update={"balance": {EUR: 2000}}))
    simulator.ledger.add_payment(a_payment(is_async=True, ends=SettlementOutcome.FAIL))

    await antom.refund(an_order())
    await simulator.tasks.idle()

    assert simulator.snapshot().balances[0].minor == {EUR: 2000}


async def test_a_balance_of_another_currency_pays_nothing(
    simulator: AntomSimulator, antom: AntomClient, merchant: AntomMerchant
) -> None:
    simulator.register(merchant.model_copy(update={"balance": {"USD": 9999}}))
    simulator.ledger.add_payment(a_payment())

    assert await _failed(antom) == "MERCHANT_BALANCE_NOT_ENOUGH"


async def test_a_closed_refund_returns_closed_to_a_repeated_call_and_to_an_inquiry(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True, ends=SettlementOutcome.CLOSED))
    await antom.refund(an_order())
    await simulator.tasks.idle()

    repeated, inquired = await antom.refund(an_order()), await antom.inquire_refund("rf_1")

    assert repeated.result.result_code == inquired.result.result_code == "ORDER_IS_CLOSED"
    assert inquired.refund_status is None
    assert simulator.snapshot().movements == ()


@pytest.mark.parametrize("code", ["UNKNOWN_EXCEPTION", "REQUEST_TRAFFIC_EXCEED_LIMIT"])
async def test_an_unknown_outcome_is_scripted_and_the_next_call_is_executed(
    simulator: AntomSimulator, antom: AntomClient, code: str
) -> None:
    simulator.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.RESULT_CODE, code=code)
    simulator.fault_plan.add(a_script(Operation.REFUND, fault))

    first, second = await antom.refund(an_order()), await antom.refund(an_order())

    assert (first.result.result_code, first.result.result_status) == (code, "U")
    assert second.result.result_code == "SUCCESS"


@pytest.mark.parametrize("outcome", list(SettlementOutcome))
async def test_an_inquiry_returns_processing_and_then_the_outcome(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock, outcome: SettlementOutcome
) -> None:
    clock.pause()
    simulator.ledger.add_payment(a_payment(is_async=True, ends=outcome))
    await antom.refund(an_order())

    before = await antom.inquire_refund("rf_1")
    clock.resume()
    await simulator.tasks.idle()
    after = await antom.inquire_refund("rf_1")

    assert (before.result.result_status, before.refund_status) == ("S", "PROCESSING")
    assert before.refund_time is None
    ends = {
        SettlementOutcome.SUCCESS: "SUCCESS",
        SettlementOutcome.FAIL: "FAIL",
        SettlementOutcome.CLOSED: None,
    }
    assert after.refund_status == ends[outcome]
    assert (after.refund_time is not None) == (outcome is SettlementOutcome.SUCCESS)


async def test_an_inquiry_about_an_unknown_refund_finds_nothing(antom: AntomClient) -> None:
    response = await antom.inquire_refund("rf_9")

    assert (response.result.result_status, response.result.result_code) == ("F", "REFUND_NOT_EXIST")


async def test_a_payment_inquiry_lists_the_refunds_that_were_accepted(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    clock.pause()
    simulator.ledger.add_payment(a_payment(is_async=True))
    await antom.refund(an_order())
    await antom.refund(an_order(refund_request_id="rf_2", amount=Money(currency="USD", minor=1)))

    response = await antom.inquire_payment("pay_1")

    assert (response.result.result_status, response.payment_status) == ("S", "SUCCESS")
    assert response.payment_amount
    assert response.payment_amount.money() == Money(currency=EUR, minor=10_000)
    assert response.payment_time == START
    transaction = response.transactions[0]
    assert len(response.transactions) == 1
    assert (transaction.transaction_type, transaction.transaction_status) == (
        "REFUND",
        "PROCESSING",
    )
    assert transaction.transaction_request_id == "rf_1"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (SettlementOutcome.SUCCESS, "SUCCESS"),
        (SettlementOutcome.FAIL, "FAIL"),
        (SettlementOutcome.CLOSED, "FAIL"),
    ],
)
async def test_a_payment_inquiry_returns_the_outcome_of_each_refund(
    simulator: AntomSimulator, antom: AntomClient, outcome: SettlementOutcome, status: str
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True, ends=outcome))
    await antom.refund(an_order())
    await simulator.tasks.idle()

    response = await antom.inquire_payment("pay_1")

    assert [t.transaction_status for t in response.transactions] == [status]


async def test_an_unpaid_payment_has_no_payment_time_and_no_transactions(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(status=PaymentStatus.PENDING))

    response = await antom.inquire_payment("pay_1")

    assert (response.payment_status, response.payment_time) == ("PENDING", None)
    assert response.transactions == ()


async def test_a_payment_inquiry_about_an_unknown_payment_finds_nothing(antom: AntomClient) -> None:
    response = await antom.inquire_payment("pay_9")

    assert (response.result.result_status, response.result.result_code) == ("F", "ORDER_NOT_EXIST")


@given(st.integers(min_value=1, max_value=10**16 - 1))
def test_every_whole_amount_above_zero_is_valid(minor: int) -> None:
    assert CallAmount(currency=EUR, value=str(minor)).is_valid
    assert CallAmount(currency="IDR", value=str(minor)).is_valid == (minor % 100 == 0)


@given(st.text(max_size=20).filter(lambda text: not (text.isascii() and text.isdigit())))
def test_an_amount_that_is_not_digits_is_invalid(value: str) -> None:
    assert not CallAmount(currency=EUR, value=value).is_valid


def test_every_code_that_is_not_listed_is_a_failure() -> None:
    assert result("RISK_REJECT").result_status == "F"
    assert result("RISK_REJECT", "U").result_status == "U"
