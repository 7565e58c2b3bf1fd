"""The calls of merchants, parsed strictly and with models of the simulator's own.

The product's models are not used: one misreading of Antom's reference would pass on both sides.
"""

import re
from enum import StrEnum
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from antom_refunds.domain.order import RefundRequestId
from antom_refunds.simulator.result_codes import PARAM_ILLEGAL

_VALUE: Final = re.compile(r"[0-9]{1,16}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_ID_MAX: Final = 64
_REASON_MAX: Final = 256
_URL: Final = re.compile(r"(?=.{1,1024}$)https?://\S+")
_NOT_AN_OBJECT: Final = {"json_invalid", "model_type"}


class CallKind(StrEnum):
    """Antom's endpoints, named by the last part of their path."""

    REFUND = "refund"
    INQUIRY = "inquiryRefund"
    PAYMENT = "inquiryPayment"


class CallRejectedError(Exception):
    """The response has this result code, and the ledger does not change."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Call(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class CallAmount(_Call):
    """An amount as it was received, valid or not."""

    currency: str
    value: str

    @property
    def is_valid(self) -> bool:
        """Whether it is minor units above zero, and whole rupiah (docs/antom.md#amounts)."""
        if not (_VALUE.fullmatch(self.value) and _CURRENCY.fullmatch(self.currency)):
            return False
        return int(self.value) > 0 and not (self.currency == "IDR" and int(self.value) % 100)


class KeyFields(BaseModel):
    """The fields that must be equal if a refundRequestId is used again (docs/antom.md#refund)."""

    model_config = ConfigDict(frozen=True)

    payment_id: str
    currency: str
    value: str


class RefundCall(_Call):
    """POST .../refund (docs/antom.md#refund)."""

    refund_request_id: RefundRequestId
    payment_id: str
    refund_amount: CallAmount
    refund_reason: str | None = None
    refund_notify_url: str | None = None

    @property
    def key_fields(self) -> KeyFields:
        amount = self.refund_amount
        return KeyFields(payment_id=self.payment_id, currency=amount.currency, value=amount.value)

    @property
    def is_valid(self) -> bool:
        texts_are_valid = (
            1 <= len(self.payment_id) <= _ID_MAX
            and len(self.refund_reason or "") <= _REASON_MAX
            and (self.refund_notify_url is None or _URL.fullmatch(self.refund_notify_url))
        )
        return bool(texts_are_valid) and self.refund_amount.is_valid


class InquireRefundCall(_Call):
    """POST .../inquiryRefund; refundId wins if both are given (docs/antom.md#inquiryrefund)."""

    refund_request_id: str | None = None
    refund_id: str | None = None

    @model_validator(mode="after")
    def _has_an_id(self) -> Self:
        _require_one(self.refund_id, self.refund_request_id)
        return self


class InquirePaymentCall(_Call):
    """POST .../inquiryPayment; paymentId wins if both are given (docs/antom.md#inquirypayment)."""

    payment_id: str | None = None
    payment_request_id: str | None = None

    @model_validator(mode="after")
    def _has_an_id(self) -> Self:
        _require_one(self.payment_id, self.payment_request_id)
        return self


def _require_one(*ids: str | None) -> None:
    given = [text for text in ids if text]
    if not given or any(len(text) > _ID_MAX for text in given):
        raise ValueError(f"one id of at most {_ID_MAX} characters is required")


Form = TypeVar("Form", bound=_Call)


def parse_call(body: bytes, form: type[Form]) -> Form:
    """The call in this body; raises CallRejectedError with the code of what is wrong with it."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        flaw = error.errors(include_url=False)[0]
        is_unreadable = flaw["type"] in _NOT_AN_OBJECT and not flaw["loc"]
        raise CallRejectedError("MSG_PARSE_ERROR" if is_unreadable else PARAM_ILLEGAL) from error
