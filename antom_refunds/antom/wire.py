"""Antom's JSON. Lenient to what Antom adds, strict in what we send (docs/antom.md#conventions)."""

from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AliasGenerator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

ACKNOWLEDGEMENT: Final = (
    b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'
)
# What Antom grants to resultCode (docs/antom.md#conventions).
_CODE_MAX: Final = 64


def _time_or_none(time: object) -> object:
    """A time that cannot be read must not cost us the word that came with it."""
    try:
        return _AWARE.validate_python(time)
    except ValidationError:
        return None


_AWARE: Final = TypeAdapter(AwareDatetime | None)
Time = Annotated[AwareDatetime | None, BeforeValidator(_time_or_none)]


def _short(code: str) -> str:
    """No code is longer; a monster would not fit into a search attribute and hold up a refund."""
    return code[:_CODE_MAX]


class Sent(BaseModel):
    """What we send: only documented fields, every scalar a string."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    def body(self) -> bytes:
        """The bytes to sign and send; the same for equal requests, today and next year."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class Heard(BaseModel):
    """What Antom sends: unknown fields are ignored, numbers are taken for strings."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=AliasGenerator(alias=to_camel),
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )


class Amount(Heard):
    """An amount; `value` counts minor units."""

    currency: str
    value: str

    @classmethod
    def of(cls, money: Money) -> Self:
        return cls(currency=money.currency, value=str(money.minor))

    def money(self) -> Money:
        """Raises ValueError if this is no amount at all."""
        if not (self.value.isascii() and self.value.isdigit()):
            raise ValueError("amount.value is not a whole number")
        return Money(currency=self.currency, minor=int(self.value))


class Result(Heard):
    """How a call went. Only status and code decide; the message is for people."""

    result_code: Annotated[str, AfterValidator(_short)]
    result_status: Literal["S", "F", "U"]
    result_message: str = ""


class RefundRequest(Sent):
    """POST .../refund (docs/antom.md#refund)."""

    refund_request_id: str
    payment_id: str
    refund_amount: Amount
    refund_reason: str | None = None
    refund_notify_url: str | None = None
    capture_id: str | None = None
    reference_refund_id: str | None = None

    @classmethod
    def of(cls, order: RefundOrder) -> Self:
        return cls(
            refund_request_id=order.refund_request_id,
            payment_id=order.payment_id,
            refund_amount=Amount.of(order.amount),
            refund_reason=order.reason,
            refund_notify_url=order.notify_url,
            capture_id=order.capture_id,
            reference_refund_id=order.reference_refund_id,
        )


class RefundAnswer(Heard):
    """Antom's answer to refund; the ids and the amount are promised with `S` only."""

    result: Result
    refund_request_id: str | None = None
    refund_id: str | None = None
    payment_id: str | None = None
    refund_amount: Amount | None = None
    refund_time: Time = None


class RefundInquiry(Sent):
    """POST .../inquiryRefund (docs/antom.md#inquiryrefund)."""

    refund_request_id: str


class RefundInquiryAnswer(Heard):
    """Antom's answer to inquiryRefund: `result` is about the inquiry, `refund_status` about us.

    `refund_status` is SUCCESS, PROCESSING or FAIL; any other value means not final.
    """

    result: Result
    refund_status: str | None = None
    refund_request_id: str | None = None
    refund_id: str | None = None
    refund_amount: Amount | None = None
    refund_time: Time = None


class PaymentInquiry(Sent):
    """POST .../inquiryPayment (docs/antom.md#inquirypayment)."""

    payment_id: str


class Transaction(Heard):
    """One refund or capture on a payment."""

    transaction_type: str
    transaction_status: str
    transaction_amount: Amount
    transaction_id: str | None = None
    transaction_request_id: str | None = None
    transaction_time: Time = None


class PaymentInquiryAnswer(Heard):
    """Antom's answer to inquiryPayment; `payment_time` begins the refund window."""

    result: Result
    payment_status: str | None = None
    payment_id: str | None = None
    payment_amount: Amount | None = None
    payment_time: Time = None
    payment_method_type: str | None = None
    transactions: tuple[Transaction, ...] = ()


def _spelt_out(status: object) -> object:
    """Two guide pages say S and F where the API page says SUCCESS and FAIL."""
    return {"S": "SUCCESS", "F": "FAIL"}.get(str(status), status)


class RefundNotice(Heard):
    """notifyRefund: the last word on an asynchronous refund (docs/antom.md#notifyrefund).

    It bears no payment id; `refund_request_id` says which refund it is about. What does not fit
    this model is still evidence: see noticed_oddly in antom_refunds/antom/reading.py.
    """

    notify_type: Literal["REFUND_RESULT"] = "REFUND_RESULT"
    result: Result
    refund_status: Annotated[str, BeforeValidator(_spelt_out)]
    refund_request_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    refund_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    refund_amount: Amount
    refund_time: Time = None
