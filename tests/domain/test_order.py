from types import MappingProxyType
from typing import Any, Final

import pytest

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import DEFAULT_MERCHANT, InvalidOrderError, RefundOrder

FIELDS: Final[dict[str, Any]] = {
    "refund_request_id": "rf-1",
    "payment_id": "202609101940108001001880B0200000001",
    "amount": {"currency": "EUR", "minor": 1250},
}
ID_RULE: Final = "must match ^[A-Za-z0-9_-]{1,64}$"
ANTOM_ID_RULE: Final = "must match ^[!-~]{1,64}$"
MERCHANT_RULE: Final = "must match ^[a-z0-9][a-z0-9_-]{0,31}$"
URL_RULE: Final = r"must match ^https?://\S+$"
A_NUMBER: Final = "amount.minor: should be a valid integer"


def _money(minor: object, currency: object = "EUR") -> dict[str, object]:
    return {"currency": currency, "minor": minor}


def test_an_order_has_the_given_fields_and_the_default_merchant() -> None:
    order = RefundOrder.from_fields(FIELDS)

    assert order.amount == Money(currency="EUR", minor=1250)
    assert order.merchant == DEFAULT_MERCHANT
    assert order.reason is None


def test_an_order_is_read_from_any_mapping() -> None:
    assert RefundOrder.from_fields(MappingProxyType(FIELDS)) == RefundOrder.from_fields(FIELDS)


@pytest.mark.parametrize(
    "change",
    [
        {"refund_request_id": "A-z_0" + "9" * 59},
        {"payment_id": "x" * 64},
        {"amount": _money(1)},
        {"amount": _money(10**16 - 1)},
        {"amount": _money(100, "IDR")},
        {"amount": _money(1, "KWD")},
        {"reason": "x" * 256},
        {"reason": "zurück, bitte"},
        {"notify_url": "https://pay.example.com/antom?from=antom"},
        {"notify_url": "https://" + "x" * 1016},
        {"merchant": "eu_1-shop"},
        {"capture_id": "c-1"},
        {"reference_refund_id": "their/own:id"},
    ],
)
def test_everything_within_the_limits_is_accepted(change: dict[str, Any]) -> None:
    order = RefundOrder.from_fields({**FIELDS, **change})

    assert change.items() <= order.model_dump().items()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refund_request_id": ""}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": "a b"}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": "a/b"}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": "a\n"}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": "ä"}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": "x" * 65}, f"refund_request_id: {ID_RULE}"),
        ({"refund_request_id": 7}, "refund_request_id: should be a valid string"),
        ({"payment_id": ""}, f"payment_id: {ANTOM_ID_RULE}"),
        ({"payment_id": "a b"}, f"payment_id: {ANTOM_ID_RULE}"),
        ({"payment_id": "x" * 65}, f"payment_id: {ANTOM_ID_RULE}"),
        ({"amount": _money(0)}, "amount: must be more than 0"),
        ({"amount": _money(-1)}, "amount.minor: should be greater than or equal to 0"),
        ({"amount": _money(12.0)}, A_NUMBER),
        ({"amount": _money("12")}, A_NUMBER),
        ({"amount": _money(minor=True)}, A_NUMBER),
        ({"amount": _money(10**16)}, f"amount.minor: should be less than {10**16}"),
        (
            {"amount": _money(150, "IDR")},
            "amount: IDR must be whole rupiah, so minor units end in 00",
        ),
        ({"amount": _money(1, "eur")}, "amount.currency: must match ^[A-Z]{3}$"),
        ({"amount": {"currency": "EUR"}}, "amount.minor: is required"),
        ({"amount": {**_money(1), "cents": 0}}, "amount.cents: unknown field"),
        ({"colour": "red"}, "colour: unknown field"),
        ({"two\nlines": 1}, "two lines: unknown field"),
        ({"reason": ""}, "reason: string should have at least 1 character"),
        ({"reason": "x" * 257}, "reason: string should have at most 256 characters"),
        ({"notify_url": "ftp://pay.example.com"}, f"notify_url: {URL_RULE}"),
        ({"notify_url": "https://pay example"}, f"notify_url: {URL_RULE}"),
        (
            {"notify_url": "https://" + "x" * 1017},
            "notify_url: string should have at most 1024 characters",
        ),
        ({"merchant": "Shop"}, f"merchant: {MERCHANT_RULE}"),
        ({"merchant": "-shop"}, f"merchant: {MERCHANT_RULE}"),
        ({"merchant": "x" * 33}, f"merchant: {MERCHANT_RULE}"),
        ({"capture_id": " "}, f"capture_id: {ANTOM_ID_RULE}"),
        ({"reference_refund_id": ""}, f"reference_refund_id: {ANTOM_ID_RULE}"),
    ],
)
def test_each_invalid_field_is_named_with_its_rule_in_one_line(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidOrderError) as refusal:
        RefundOrder.from_fields({**FIELDS, **change})

    assert str(refusal.value) == message


def test_all_invalid_fields_are_named_in_one_message() -> None:
    with pytest.raises(InvalidOrderError) as refusal:
        RefundOrder.from_fields({"colour": "red", "payment_id": "p-1"})

    assert str(refusal.value) == (
        "refund_request_id: is required; amount: is required; colour: unknown field"
    )


def test_input_that_is_not_an_order_is_rejected() -> None:
    nothing: Any = ["rf-1"]

    with pytest.raises(InvalidOrderError, match=r"^order: "):
        RefundOrder.from_fields(nothing)
