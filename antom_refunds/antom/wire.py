"""Antom's JSON. Lenient in what it accepts, strict in what we send (docs/antom.md#conventions).

`resultStatus`, `resultCode` and `refundStatus` decide: a body in which one of them is unreadable is
rejected. Ids and amounts are compared with the order: an unreadable one is None, as if it were
missing. No other field can invalidate a body.
"""

import re
from typing import Annotated, Any, Final, Literal, Self, TypeVar

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
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from antom_refunds.antom.decoding import REPEATED, decode
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

ACKNOWLEDGEMENT: Final = (
    b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'
)
# Antom's maximum length of resultCode (docs/antom.md#conventions).
_CODE_MAX: Final = 64
_PLAUSIBLE_ID: Final = re.compile(r"[!-~]{1,64}")
# One more than an order's ids may have, so that a truncated id never equals one of them.
_ID_KEPT_MAX: Final = 65

Model = TypeVar("Model", bound="WireResponse")


class MalformedBodyError(ValueError):
    """A body without the documented form. `fields` names the wrong fields, without values."""

    def __init__(self, fields: str) -> None:
        super().__init__(f"not in the documented form: {fields}")
        self.fields = fields


def parse(body: bytes, model: type[Model]) -> Model:
    """Parse a verified response or notification; the only parser for both.

    Raises MalformedBodyError if the body is not a JSON object, or if a deciding field is missing,
    has another type or appears twice. The error contains no values from the body.
    """
    try:
        value = decode(body)
    except ValueError as error:
        raise MalformedBodyError("body") from error
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        fields = (".".join(map(str, flaw["loc"])) or "body" for flaw in error.errors())
        # Not chained: pydantic's text quotes values from the body.
        raise MalformedBodyError(", ".join(fields)) from None


def _lenient_time(time: object) -> object:
    """An unparseable timestamp must not invalidate the rest of the message."""
    try:
        return _AWARE.validate_python(time)
    except ValidationError:
        return None


_AWARE: Final = TypeAdapter(AwareDatetime | None)
Time = Annotated[AwareDatetime | None, BeforeValidator(_lenient_time)]


def _text_or_empty(text: object) -> object:
    return text if isinstance(text, str) else ""


def _text_or_none(text: object) -> object:
    return text if isinstance(text, str) else None


def _id_or_none(value: object) -> object:
    """An id that is not a string counts as missing."""
    return value[:_ID_KEPT_MAX] if isinstance(value, str) else None


def _reject_repeated(value: object) -> object:
    """An id that appears twice could name two refunds."""
    if value is REPEATED:
        raise ValueError("appears more than once")
    return value


def _if_promised(value: str | None, info: ValidationInfo) -> str | None:
    """With `S`, keep an invalid id, so that it differs from the order's; otherwise drop it."""
    result = info.data.get("result")
    is_promised = isinstance(result, Result) and result.result_status == "S"
    is_plausible = value is not None and _PLAUSIBLE_ID.fullmatch(value)
    return value if is_promised or is_plausible else None


def _amount_or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """An unreadable amount counts as missing; one that appears twice is rejected."""
    if value is REPEATED or (isinstance(value, dict) and REPEATED in value.values()):
        raise ValueError("appears more than once")
    try:
        return read(value)
    except ValidationError:
        return None


def _only_objects(value: object) -> object:
    """Drop everything that is not an object; an empty list for anything but a list."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(each for each in value if isinstance(each, dict | WireResponse))


Message = Annotated[str, BeforeValidator(_text_or_empty)]
Text = Annotated[str | None, BeforeValidator(_text_or_none)]
Id = Annotated[str | None, AfterValidator(_if_promised), BeforeValidator(_id_or_none)]
DecisiveId = Annotated[Id, BeforeValidator(_reject_repeated)]


def _truncate_code(code: str) -> str:
    """Truncate codes: one too long for a search attribute would block the refund."""
    return code[:_CODE_MAX]


class WireRequest(BaseModel):
    """The base of what we send: only documented fields, every scalar a string."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    def body(self) -> bytes:
        """The bytes to sign and send; always identical for equal requests."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class WireResponse(BaseModel):
    """The base of what Antom sends: unknown fields are ignored, numbers become strings."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=AliasGenerator(alias=to_camel),
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )


class Amount(WireResponse):
    """An amount; `value` counts minor units."""

    currency: str
    value: str

    @classmethod
    def of(cls, money: Money) -> Self:
        return cls(currency=money.currency, value=str(money.minor))

    def money(self) -> Money:
        """The amount as Money; raises ValueError if it is not a valid amount."""
        if not (self.value.isascii() and self.value.isdigit()):
            raise ValueError("amount.value is not a whole number")
        return Money(currency=self.currency, minor=int(self.value))


AmountIfReadable = Annotated[Amount | None, WrapValidator(_amount_or_none)]


class Result(WireResponse):
    """The result of a call. Only status and code decide; the message is informative."""

    result_code: Annotated[str, AfterValidator(_truncate_code)]
    result_status: Literal["S", "F", "U"]
    result_message: Message = ""


class RefundRequest(WireRequest):
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


class RefundResponse(WireResponse):
    """The response to refund; the ids and the amount are guaranteed with `S` only."""

    result: Result
    refund_request_id: DecisiveId = None
    refund_id: Id = None
    payment_id: DecisiveId = None
    refund_amount: AmountIfReadable = None
    refund_time: Time = None


class InquireRefundRequest(WireRequest):
    """POST .../inquiryRefund (docs/antom.md#inquiryrefund)."""

    refund_request_id: str


class InquireRefundResponse(WireResponse):
    """The response to inquiryRefund.

    `result` is about the inquiry, `refund_status` about the refund: SUCCESS, PROCESSING or FAIL;
    any other value means not final.
    """

    result: Result
    refund_status: str | None = None
    refund_request_id: DecisiveId = None
    refund_id: Id = None
    refund_amount: AmountIfReadable = None
    refund_time: Time = None


class InquirePaymentRequest(WireRequest):
    """POST .../inquiryPayment (docs/antom.md#inquirypayment)."""

    payment_id: str


class Transaction(WireResponse):
    """One refund or capture on a payment; unreadable fields are empty or None."""

    transaction_type: Message = ""
    transaction_status: Message = ""
    transaction_amount: AmountIfReadable = None
    transaction_id: Text = None
    transaction_request_id: Text = None
    transaction_time: Time = None


class InquirePaymentResponse(WireResponse):
    """The response to inquiryPayment; the refund period starts at `payment_time`."""

    result: Result
    payment_status: str | None = None
    payment_id: DecisiveId = None
    payment_amount: AmountIfReadable = None
    payment_time: Time = None
    payment_method_type: Text = None
    transactions: Annotated[tuple[Transaction, ...], BeforeValidator(_only_objects)] = ()


def _normalise_status(status: object) -> object:
    """Two of Antom's guides use S and F where its API reference uses SUCCESS and FAIL."""
    return {"S": "SUCCESS", "F": "FAIL"}.get(str(status), status)


class RefundNotification(WireResponse):
    """notifyRefund: the final result of an asynchronous refund (docs/antom.md#notifyrefund).

    It has no payment id; `refund_request_id` identifies the refund. A notification that does not
    match this model is still evidence: see from_malformed_notification in
    antom_refunds/antom/interpret.py.
    """

    notify_type: Literal["REFUND_RESULT"] = "REFUND_RESULT"
    result: Result
    refund_status: Annotated[str, BeforeValidator(_normalise_status)]
    refund_request_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    refund_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    refund_amount: Amount
    refund_time: Time = None
