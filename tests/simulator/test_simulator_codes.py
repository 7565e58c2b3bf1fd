"""Each documented result code, as our own client hears it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antom_refunds.antom.client import AntomClient
from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import Client, Ending, PaymentStatus
from antom_refunds.simulator.codes import result
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.heard import AskedAmount
from antom_refunds.simulator.world import World
from tests.simulator.stage import (
    BEGINNING,
    Timeline,
    a_payment,
    a_script,
    an_order,
)

EURO = "EUR"


async def _refused(antom: AntomClient, **changes: Any) -> str:
    answer = await antom.refund(an_order(**changes))
    assert answer.result.result_status == "F"
    assert answer.refund_id is None
    return answer.result.result_code


async def test_a_synchronous_refund_succeeds_and_moves_the_money_once(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())

    answer = await antom.refund(an_order())

    assert (answer.result.result_status, answer.result.result_code) == ("S", "SUCCESS")
    assert (answer.refund_request_id, answer.payment_id) == ("rf_1", "pay_1")
    assert answer.refund_amount
    assert answer.refund_amount.money() == Money(currency=EURO, minor=1250)
    assert answer.refund_time == BEGINNING
    assert [m.amount.minor for m in world.view().moved("rf_1")] == [1250]


async def test_an_asynchronous_refund_is_in_process_and_no_money_has_moved_yet(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    timeline.hold()
    world.ledger.add_payment(a_payment(is_async=True))

    answer = await antom.refund(an_order())

    assert (answer.result.result_status, answer.result.result_code) == ("U", "REFUND_IN_PROCESS")
    assert answer.refund_id is None
    assert world.view().movements == ()


async def test_a_final_answer_is_replayed_and_moves_nothing_again(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())

    answers = [await antom.refund(an_order()) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert len(world.view().movements) == 1


async def test_a_refusal_is_replayed_even_when_its_cause_is_gone(
    world: World, antom: AntomClient
) -> None:
    assert await _refused(antom) == "ORDER_NOT_EXIST"

    world.ledger.add_payment(a_payment())

    assert await _refused(antom) == "ORDER_NOT_EXIST"
    assert (await antom.refund(an_order(refund_request_id="rf_2"))).result.result_status == "S"


async def test_asking_again_for_a_refund_in_process_answers_in_process_again(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    timeline.hold()
    world.ledger.add_payment(a_payment(is_async=True))

    answers = [await antom.refund(an_order()) for _ in range(2)]
    timeline.flow()
    await world.background.idle()

    assert [a.result.result_code for a in answers] == ["REFUND_IN_PROCESS"] * 2
    assert len(world.view().movements) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(currency=EURO, minor=1251)},
        {"amount": Money(currency="USD", minor=1250)},
        {"payment_id": "pay_2"},
    ],
)
async def test_the_same_id_with_other_key_fields_is_inconsistent(
    world: World, antom: AntomClient, changes: dict[str, Any]
) -> None:
    world.ledger.add_payment(a_payment())
    await antom.refund(an_order())

    assert await _refused(antom, **changes) == "REPEAT_REQ_INCONSISTENT"
    assert len(world.view().movements) == 1


async def test_refunds_may_not_exceed_the_payment_together(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(amount=Money(currency=EURO, minor=2000)))
    await antom.refund(an_order())

    assert await _refused(antom, refund_request_id="rf_2") == "REFUND_AMOUNT_EXCEED"


async def test_a_refund_in_process_holds_its_amount_and_a_failed_one_gives_it_back(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    timeline.hold()
    payment = a_payment(amount=Money(currency=EURO, minor=2000), is_async=True, ends=Ending.FAIL)
    world.ledger.add_payment(payment)
    await antom.refund(an_order())

    assert await _refused(antom, refund_request_id="rf_2") == "REFUND_AMOUNT_EXCEED"
    timeline.flow()
    await world.background.idle()
    timeline.hold()
    again = await antom.refund(an_order(refund_request_id="rf_3"))

    assert again.result.result_code == "REFUND_IN_PROCESS"


@pytest.mark.parametrize(
    ("code", "payment"),
    [
        ("CURRENCY_NOT_SUPPORT", {"amount": Money(currency="USD", minor=10_000)}),
        ("PAYMENT_METHOD_NOT_SUPPORTED", {"allows_refund": False}),
        ("PARTIAL_REFUND_NOT_SUPPORTED", {"allows_partial": False}),
        ("REFUND_WINDOW_EXCEED", {"refundable_until": BEGINNING - timedelta(seconds=1)}),
        ("ORDER_IS_CANCELED", {"status": PaymentStatus.CANCELLED}),
        ("ORDER_STATUS_INVALID", {"status": PaymentStatus.PROCESSING}),
        ("ORDER_STATUS_INVALID", {"status": PaymentStatus.FAIL}),
        ("ORDER_NOT_EXIST", {"client_id": "another_merchant"}),
    ],
)
async def test_what_the_payment_does_not_allow_is_refused_with_its_code(
    world: World, antom: AntomClient, code: str, payment: dict[str, Any]
) -> None:
    world.ledger.add_payment(a_payment(**payment))

    assert await _refused(antom) == code
    assert world.view().movements == ()


async def test_a_refusal_for_reasons_of_antoms_own_is_entered_in_the_books(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(refuses_with="RISK_REJECT"))

    assert await _refused(antom) == await _refused(antom) == "RISK_REJECT"
    assert (await antom.inquire_refund("rf_1")).refund_status == "FAIL"


def test_an_unknown_outcome_is_no_refusal() -> None:
    with pytest.raises(ValidationError, match="no code of a refusal"):
        a_payment(refuses_with="UNKNOWN_EXCEPTION")


async def test_a_method_without_partial_refunds_refunds_in_full(
    world: World, antom: AntomClient
) -> None:
    full = Money(currency=EURO, minor=1250)
    world.ledger.add_payment(a_payment(amount=full, allows_partial=False))

    assert (await antom.refund(an_order())).result.result_code == "SUCCESS"


async def test_a_method_with_one_refund_per_payment_refuses_the_second(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(allows_multiple=False))
    await antom.refund(an_order())

    assert await _refused(antom, refund_request_id="rf_2") == "MULTIPLE_REFUNDS_NOT_SUPPORTED"


async def test_a_merchant_refunds_until_its_balance_is_used_up(
    world: World, antom: AntomClient, client: Client
) -> None:
    world.register(client.model_copy(update={"balance": {EURO: 2000}}))
    world.ledger.add_payment(a_payment())

    assert (await antom.refund(an_order())).result.result_code == "SUCCESS"
    assert await _refused(antom, refund_request_id="rf_2") == "MERCHANT_BALANCE_NOT_ENOUGH"
    assert world.view().balances[0].minor == {EURO: 750}


async def test_a_failed_refund_gives_the_balance_back(
    world: World, antom: AntomClient, client: Client
) -> None:
    world.register(client.model_copy(update={"balance": {EURO: 2000}}))
    world.ledger.add_payment(a_payment(is_async=True, ends=Ending.FAIL))

    await antom.refund(an_order())
    await world.background.idle()

    assert world.view().balances[0].minor == {EURO: 2000}


async def test_a_balance_of_another_currency_pays_nothing(
    world: World, antom: AntomClient, client: Client
) -> None:
    world.register(client.model_copy(update={"balance": {"USD": 9999}}))
    world.ledger.add_payment(a_payment())

    assert await _refused(antom) == "MERCHANT_BALANCE_NOT_ENOUGH"


async def test_a_closed_refund_answers_so_to_a_repeated_call_and_to_an_inquiry(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(is_async=True, ends=Ending.CLOSED))
    await antom.refund(an_order())
    await world.background.idle()

    repeated, inquired = await antom.refund(an_order()), await antom.inquire_refund("rf_1")

    assert repeated.result.result_code == inquired.result.result_code == "ORDER_IS_CLOSED"
    assert inquired.refund_status is None
    assert world.view().movements == ()


@pytest.mark.parametrize("code", ["UNKNOWN_EXCEPTION", "REQUEST_TRAFFIC_EXCEED_LIMIT"])
async def test_an_unknown_outcome_is_scripted_and_the_next_call_is_executed(
    world: World, antom: AntomClient, code: str
) -> None:
    world.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.ANSWER_CODE, code=code)
    world.faults.follow(a_script(Operation.REFUND, fault))

    first, second = await antom.refund(an_order()), await antom.refund(an_order())

    assert (first.result.result_code, first.result.result_status) == (code, "U")
    assert second.result.result_code == "SUCCESS"


@pytest.mark.parametrize("ending", list(Ending))
async def test_an_inquiry_tells_first_processing_and_then_the_end(
    world: World, antom: AntomClient, timeline: Timeline, ending: Ending
) -> None:
    timeline.hold()
    world.ledger.add_payment(a_payment(is_async=True, ends=ending))
    await antom.refund(an_order())

    before = await antom.inquire_refund("rf_1")
    timeline.flow()
    await world.background.idle()
    after = await antom.inquire_refund("rf_1")

    assert (before.result.result_status, before.refund_status) == ("S", "PROCESSING")
    assert before.refund_time is None
    ends = {Ending.SUCCESS: "SUCCESS", Ending.FAIL: "FAIL", Ending.CLOSED: None}
    assert after.refund_status == ends[ending]
    assert (after.refund_time is not None) == (ending is Ending.SUCCESS)


async def test_an_inquiry_about_an_unknown_refund_says_so(antom: AntomClient) -> None:
    answer = await antom.inquire_refund("rf_9")

    assert (answer.result.result_status, answer.result.result_code) == ("F", "REFUND_NOT_EXIST")


async def test_a_payment_inquiry_lists_the_refunds_that_were_accepted(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    timeline.hold()
    world.ledger.add_payment(a_payment(is_async=True))
    await antom.refund(an_order())
    await antom.refund(an_order(refund_request_id="rf_2", amount=Money(currency="USD", minor=1)))

    answer = await antom.inquire_payment("pay_1")

    assert (answer.result.result_status, answer.payment_status) == ("S", "SUCCESS")
    assert answer.payment_amount
    assert answer.payment_amount.money() == Money(currency=EURO, minor=10_000)
    assert answer.payment_time == BEGINNING
    transaction = answer.transactions[0]
    assert len(answer.transactions) == 1
    assert (transaction.transaction_type, transaction.transaction_status) == (
        "REFUND",
        "PROCESSING",
    )
    assert transaction.transaction_request_id == "rf_1"


@pytest.mark.parametrize(
    ("ending", "status"),
    [(Ending.SUCCESS, "SUCCESS"), (Ending.FAIL, "FAIL"), (Ending.CLOSED, "FAIL")],
)
async def test_a_payment_inquiry_tells_how_its_refunds_ended(
    world: World, antom: AntomClient, ending: Ending, status: str
) -> None:
    world.ledger.add_payment(a_payment(is_async=True, ends=ending))
    await antom.refund(an_order())
    await world.background.idle()

    answer = await antom.inquire_payment("pay_1")

    assert [t.transaction_status for t in answer.transactions] == [status]


async def test_an_unpaid_payment_has_no_payment_time_and_no_transactions(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(status=PaymentStatus.PENDING))

    answer = await antom.inquire_payment("pay_1")

    assert (answer.payment_status, answer.payment_time) == ("PENDING", None)
    assert answer.transactions == ()


async def test_a_payment_inquiry_about_an_unknown_payment_says_so(antom: AntomClient) -> None:
    answer = await antom.inquire_payment("pay_9")

    assert (answer.result.result_status, answer.result.result_code) == ("F", "ORDER_NOT_EXIST")


@given(st.integers(min_value=1, max_value=10**16 - 1))
def test_every_whole_amount_above_zero_is_legal(minor: int) -> None:
    assert AskedAmount(currency=EURO, value=str(minor)).is_legal
    assert AskedAmount(currency="IDR", value=str(minor)).is_legal == (minor % 100 == 0)


@given(st.text(max_size=20).filter(lambda text: not (text.isascii() and text.isdigit())))
def test_whatever_is_not_digits_is_no_amount(value: str) -> None:
    assert not AskedAmount(currency=EURO, value=value).is_legal


def test_every_code_that_is_not_listed_is_a_failure() -> None:
    assert result("RISK_REJECT").result_status == "F"
    assert result("RISK_REJECT", "U").result_status == "U"
