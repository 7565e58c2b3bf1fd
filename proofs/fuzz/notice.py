"""A notification whose signature held: decoded, read, taken, stored and shown, or refused."""

from typing import Any, Final

import atheris
from pydantic import ValidationError
from temporalio.contrib.pydantic import pydantic_data_converter

from antom_refunds import attributes
from antom_refunds.antom import reading
from antom_refunds.antom.wire import RefundNotice
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.fold import take
from antom_refunds.domain.refund import Refund
from proofs.fuzz import antom
from workflows import console

# What a search attribute may hold in every one of Temporal's stores.
_KEYWORD_MAX: Final = 255
_DETAILS_BYTES_MAX: Final = 20_000
_TEXT_MAX: Final = 400
_CONVERTER: Final = pydantic_data_converter.payload_converter


def seeds() -> list[bytes]:
    return list(antom.NOTICES)


def one(data: bytes) -> None:
    _read(data)
    _read(_drawn(atheris.FuzzedDataProvider(data)))


def _drawn(drawn: Any) -> bytes:
    """A notification of the right form with whatever in its fields."""

    def text(*likely: str) -> str:
        size = drawn.ConsumeIntInRange(0, _TEXT_MAX)
        return str(drawn.PickValueInList([*likely, drawn.ConsumeUnicodeNoSurrogates(size)]))

    return antom.notice(
        text("SUCCESS", "PROCESS_FAIL", "ORDER_IS_CLOSED", "REFUND_IN_PROCESS", "ACCESS_DENIED"),
        text("S", "F", "U"),
        text("SUCCESS", "FAIL", "PROCESSING", "S", "F"),
        refundRequestId=text("rf-1", "rf-2"),
        refundId=text("2026091119401080010018"),
        refundAmount={"currency": text("EUR", "USD"), "value": text("1250", "1251", "-1")},
        refundTime=text("2026-09-11T10:04:09+08:00", "0"),
    )


def _read(body: bytes) -> None:
    try:
        notice = RefundNotice.model_validate_json(body)
    except ValidationError:
        return
    judge(reading.noticed(notice))


def judge(evidence: Evidence) -> None:
    """What must hold for evidence of any origin."""
    assert stored(evidence) == evidence, "it is read otherwise than it was stored"
    refund = take(Refund(order=antom.ORDER), evidence)
    if refund.is_final:
        assert not evidence.differences(antom.ORDER), "it ended a refund that it is not about"
    again = take(refund, evidence)
    assert again == refund, "the same once more is news"
    _show(refund)


def stored(evidence: Evidence) -> Evidence:
    """As a worker reads it from a history."""
    payloads = _CONVERTER.to_payloads([evidence])
    read: Evidence = _CONVERTER.from_payloads(payloads, [Evidence])[0]
    return read


def _show(refund: Refund) -> None:
    for pair in attributes.moving(refund):
        if isinstance(pair.value, str):
            assert len(pair.value) <= _KEYWORD_MAX, "too long for a search attribute"
    details = console.details(refund, due_at=None)
    assert len(details.encode()) <= _DETAILS_BYTES_MAX, "too long for Temporal's details"
