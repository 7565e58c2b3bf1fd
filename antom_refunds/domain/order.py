"""A refund order: what a business service requests, under an id that it chooses."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from antom_refunds.domain.money import Money

DEFAULT_MERCHANT: Final = "default"

RefundRequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AntomId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
MerchantKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class InvalidOrderError(ValueError):
    """The order is invalid and nothing was started; the text names each field and its rule."""


def _refundable(amount: Money) -> Money:
    if amount.minor < 1:
        raise ValueError("must be more than 0")
    # Antom requires whole rupiah; how it handles other amounts is not documented.
    if amount.currency == "IDR" and amount.minor % 100:
        raise ValueError("IDR must be whole rupiah, so minor units end in 00")
    return amount


class RefundOrder(BaseModel):
    """One refund as requested; immutable.

    `refund_request_id` is the idempotency key, at Antom and here. `payment_id` is Antom's id of
    the payment, and `reason` is shown to the buyer. `merchant` names the account in the settings.
    Lengths and required fields follow docs/antom.md#refund.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    refund_request_id: RefundRequestId
    payment_id: AntomId
    amount: Annotated[Money, AfterValidator(_refundable)]
    merchant: MerchantKey = DEFAULT_MERCHANT
    reason: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    notify_url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=1024)] | None = None
    capture_id: AntomId | None = None
    reference_refund_id: AntomId | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Build an order; raises InvalidOrderError, which names each wrong field and its rule."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InvalidOrderError(describe_errors(error)) from error


def describe_errors(error: ValidationError, *, whole: str = "order") -> str:
    """All validation errors on one line: "amount.minor: must be more than 0; colour: ...".

    `whole` names the validated object, for errors that belong to no single field.
    """
    return "; ".join(
        f"{_field(flaw['loc']) or whole}: {_rule(flaw)}" for flaw in error.errors(include_url=False)
    )


def _field(location: Sequence[int | str]) -> str:
    """The field's name on one line, even if the caller's name contains line breaks."""
    return " ".join(".".join(map(str, location)).split())


def _rule(flaw: Mapping[str, Any]) -> str:
    match flaw["type"]:
        case "extra_forbidden":
            return "unknown field"
        case "missing":
            return "is required"
        case "value_error":
            return str(flaw["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"must match {flaw['ctx']['pattern']}"
        case _:
            return str(flaw["msg"]).removeprefix("Input ").lower()
