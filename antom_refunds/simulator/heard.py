"""What the merchant says, read strictly and with models of our own.

Sharing the client's models would let one misreading of the reference pass on both sides.
"""

import re
from enum import StrEnum
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from antom_refunds.domain.order import RefundRequestId
from antom_refunds.simulator.codes import PARAM_ILLEGAL

_VALUE: Final = re.compile(r"[0-9]{1,16}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_ID_MAX: Final = 64
_REASON_MAX: Final = 256
_URL: Final = re.compile(r"(?=.{1,1024}$)https?://\S+")
_NOT_AN_OBJECT: Final = {"json_invalid", "model_type"}


class CallKind(StrEnum):
    """Antom's endpoints, by the last part of their path."""

    REFUND = "refund"
    INQUIRY = "inquiryRefund"
    PAYMENT = "inquiryPayment"


class RefusedError(Exception):
    """The call is answered with this result code, and nothing is entered in the books."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class AskedAmount(_Asked):
    """An amount as it was written, legal or not."""

    currency: str
    value: str

    @property
    def is_legal(self) -> bool:
        """Whole minor units above zero, and whole rupiah (docs/antom.md#amounts)."""
        if not (_VALUE.fullmatch(self.value) and _CURRENCY.fullmatch(self.currency)):
            return False
        return int(self.value) > 0 and not (self.currency == "IDR" and int(self.value) % 100)


class KeyFields(BaseModel):
    """What must be equal whenever a refundRequestId is used again (docs/antom.md#refund)."""

    model_config = ConfigDict(frozen=True)

    payment_id: str
    currency: str
    value: str


class AskedRefund(_Asked):
    """POST .../refund (docs/antom.md#refund)."""

    refund_request_id: RefundRequestId
    payment_id: str
    refund_amount: AskedAmount
    refund_reason: str | None = None
    refund_notify_url: str | None = None

    @property
    def key_fields(self) -> KeyFields:
        amount = self.refund_amount
        return KeyFields(payment_id=self.payment_id, currency=amount.currency, value=amount.value)

    @property
    def is_legal(self) -> bool:
        texts_are_legal = (
            1 <= len(self.payment_id) <= _ID_MAX
            and len(self.refund_reason or "") <= _REASON_MAX
            and (self.refund_notify_url is None or _URL.fullmatch(self.refund_notify_url))
        )
        return bool(texts_are_legal) and self.refund_amount.is_legal


class AskedInquiry(_Asked):
    """POST .../inquiryRefund; refundId wins if both are given (docs/antom.md#inquiryrefund)."""

    refund_request_id: str | None = None
    refund_id: str | None = None

    @model_validator(mode="after")
    def _names_a_refund(self) -> Self:
        _short_enough(self.refund_id, self.refund_request_id)
        return self


class AskedPayment(_Asked):
    """POST .../inquiryPayment; paymentId wins if both are given (docs/antom.md#inquirypayment)."""

    payment_id: str | None = None
    payment_request_id: str | None = None

    @model_validator(mode="after")
    def _names_a_payment(self) -> Self:
        _short_enough(self.payment_id, self.payment_request_id)
        return self


def _short_enough(*ids: str | None) -> None:
    given = [text for text in ids if text]
    if not given or any(len(text) > _ID_MAX for text in given):
        raise ValueError("one id of at most 64 characters is required")


Form = TypeVar("Form", bound=_Asked)


def read(body: bytes, form: type[Form]) -> Form:
    """The call in this body; raises RefusedError if it is none."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        flaw = error.errors(include_url=False)[0]
        is_unreadable = flaw["type"] in _NOT_AN_OBJECT and not flaw["loc"]
        raise RefusedError("MSG_PARSE_ERROR" if is_unreadable else PARAM_ILLEGAL) from error
