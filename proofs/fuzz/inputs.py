"""Targets without a server: signature headers, orders and amounts, verified notifications."""

import json
from typing import Any, Final

import atheris
from pydantic import ValidationError
from temporalio.contrib.pydantic import pydantic_data_converter

from antom_refunds import attributes, contract
from antom_refunds.antom import interpret
from antom_refunds.antom.signing import SignatureError, SignatureHeader, WrongSignatureError, verify
from antom_refunds.antom.wire import RefundNotification, RefundRequest
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import InvalidOrderError, RefundOrder
from antom_refunds.domain.refund import Refund
from antom_refunds.domain.state_machine import apply
from proofs.fuzz import messages
from workflows import operator_texts

_BODY: Final = messages.NOTICES[0]
_HEADER: Final = messages.signature(_BODY)
_TRUE: Final = SignatureHeader.parse(_HEADER)
_WORKFLOW_ID_MAX: Final = 1000
# What a search attribute may hold in each of Temporal's stores.
_KEYWORD_MAX: Final = 255
_DETAILS_BYTES_MAX: Final = 20_000
_TEXT_MAX: Final = 400
_CONVERTER: Final = pydantic_data_converter.payload_converter
_BARE: Final = "algorithm=RSA256, keyVersion=1, signature="
SIGNATURE_SEEDS: Final = tuple(
    text.encode()
    for text in (_HEADER, _BARE, f"{_BARE}%2B%2F==", _HEADER.replace(", ", ","), _HEADER.upper())
)
_AMOUNTS: Final = ("12.50 EUR", "100JPY", "1250 minor EUR", "1 IDR", "0.10 USD", "007 minor XTS")
_ORDERS: Final = (messages.ORDER.model_dump_json(), '{"amount": {"currency": "IDR", "minor": 101}}')
ORDER_SEEDS: Final = tuple(text.encode() for text in (*_AMOUNTS, *_ORDERS))
NOTICE_SEEDS: Final = messages.NOTICES


def signature(data: bytes) -> None:
    """Any header is refused as such, or was made with Antom's key."""
    text = data.decode("latin-1")
    try:
        header = SignatureHeader.parse(text)
    except SignatureError:
        return
    assert SignatureHeader.parse(str(header)) == header, "parses differently when written again"
    is_true = header.value == _TRUE.value
    try:
        verify(messages.signed(_BODY), text, [messages.KEY.public_key()])
    except WrongSignatureError:
        assert not is_true, "Antom's own signature is refused"
    else:
        assert is_true, "a signature that Antom never made is accepted"


def order(data: bytes) -> None:
    """What people and services write: an order, an amount, or one sentence that says why not."""
    _amount(data.decode("utf-8", "surrogateescape"))
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = _draw_fields(atheris.FuzzedDataProvider(data))
    if isinstance(fields, dict):
        _order(fields)


def _amount(text: str) -> None:
    try:
        money = Money.parse(text)
    except ValueError as error:
        assert "\n" not in str(error).strip() or "\n" in text
        return
    assert Money.parse(str(money)) == money, "parses differently than it was written"


def _draw_fields(data: Any) -> dict[str, Any]:
    def value(usual: object) -> Any:
        amount = {"currency": data.ConsumeUnicode(3), "minor": data.ConsumeInt(8)}
        odd = {"currency": "IDR", "minor": data.ConsumeIntInRange(0, 1000)}
        texts = [data.ConsumeUnicode(70), data.ConsumeString(8)]
        return data.PickValueInList([*texts, data.ConsumeInt(9), amount, odd, usual])

    names = [name for name in RefundOrder.model_fields if data.ConsumeBool()]
    return {name: value(getattr(messages.ORDER, name)) for name in names}


def _order(fields: dict[str, Any]) -> None:
    try:
        order = RefundOrder.from_fields(fields)
    except InvalidOrderError as error:
        assert len(str(error).splitlines()) == 1, "a refusal is one line"
        return
    assert RefundOrder.model_validate_json(order.model_dump_json()) == order
    assert RefundRequest.of(order).body() == RefundRequest.of(order).body()
    workflow_id = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
    assert len(workflow_id) < _WORKFLOW_ID_MAX


def notice(data: bytes) -> None:
    """A notification with a valid signature: decoded, read, applied, stored, shown; or refused."""
    for body in (data, _draw_notice(atheris.FuzzedDataProvider(data))):
        try:
            decoded = RefundNotification.model_validate_json(body)
        except ValidationError:
            continue
        check_evidence(interpret.from_notification(decoded))


def _draw_notice(data: Any) -> bytes:
    """A well-formed notification with arbitrary fields."""

    def text(*likely: str) -> str:
        size = data.ConsumeIntInRange(0, _TEXT_MAX)
        return str(data.PickValueInList([*likely, data.ConsumeUnicodeNoSurrogates(size)]))

    return messages.notice(
        text("SUCCESS", "PROCESS_FAIL", "ORDER_IS_CLOSED", "REFUND_IN_PROCESS", "ACCESS_DENIED"),
        text("S", "F", "U"),
        text("SUCCESS", "FAIL", "PROCESSING", "S", "F"),
        refundRequestId=text("rf-1", "rf-2"),
        refundId=text("2026091119401080010018"),
        refundAmount={"currency": text("EUR", "USD"), "value": text("1250", "1251", "-1")},
        refundTime=text("2026-09-11T10:04:09+08:00", "0"),
    )


def check_evidence(evidence: Evidence) -> None:
    """What must hold for all evidence."""
    payloads = _CONVERTER.to_payloads([evidence])
    stored = _CONVERTER.from_payloads(payloads, [Evidence])[0]
    assert stored == evidence, "reads differently than it was stored"
    refund = apply(Refund(order=messages.ORDER), evidence)
    if refund.is_terminal:
        assert not evidence.mismatches(messages.ORDER), "ended a refund that it is not about"
    assert apply(refund, evidence) == refund, "a repetition changes the refund"
    for pair in attributes.mutable(refund):
        if isinstance(pair.value, str):
            assert len(pair.value) <= _KEYWORD_MAX, "too long for a search attribute"
    details = operator_texts.details(refund, overdue_at=None)
    assert len(details.encode()) <= _DETAILS_BYTES_MAX, "too long for Temporal's details"
