"""What people and services write: an order, an amount, or one sentence that says why not."""

import json
from typing import Any

import atheris

from antom_refunds import contract
from antom_refunds.antom.wire import RefundRequest
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import InvalidOrderError, RefundOrder
from proofs.fuzz import antom

_FIELDS = tuple(RefundOrder.model_fields)


def seeds() -> list[bytes]:
    amounts = ("12.50 EUR", "100JPY", "1250 minor EUR", "1 IDR", "0.10 USD", "007 minor XTS")
    orders = (antom.ORDER.model_dump_json(), '{"amount": {"currency": "IDR", "minor": 101}}')
    return [text.encode() for text in (*amounts, *orders)]


def one(data: bytes) -> None:
    _amount(data.decode("utf-8", "surrogateescape"))
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = _drawn(atheris.FuzzedDataProvider(data))
    if isinstance(fields, dict):
        _order(fields)


def _amount(text: str) -> None:
    try:
        money = Money.parse(text)
    except ValueError as error:
        assert "\n" not in str(error).strip() or "\n" in text
        return
    assert Money.parse(str(money)) == money, "it is read otherwise than it was written"


def _drawn(drawn: Any) -> dict[str, Any]:
    return {
        name: drawn.PickValueInList(
            [
                drawn.ConsumeUnicode(70),
                drawn.ConsumeInt(9),
                drawn.ConsumeString(8),
                {"currency": drawn.ConsumeUnicode(3), "minor": drawn.ConsumeInt(8)},
                {"currency": "IDR", "minor": drawn.ConsumeIntInRange(0, 1000)},
                getattr(antom.ORDER, name),
            ]
        )
        for name in _FIELDS
        if drawn.ConsumeBool()
    }


def _order(fields: dict[str, Any]) -> None:
    try:
        order = RefundOrder.checked(fields)
    except InvalidOrderError as error:
        assert str(error), "a refusal says why"
        assert len(str(error).splitlines()) == 1, "a refusal is one line"
        return
    assert RefundOrder.model_validate_json(order.model_dump_json()) == order
    assert RefundRequest.of(order).body() == RefundRequest.of(order).body()
    assert len(contract.workflow_id(order.refund_request_id, merchant=order.merchant)) < 1000  # noqa: PLR2004 - Temporal's limit
