"""What is configured before the first refund: merchants with their keys, and payments."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from antom_refunds.domain.money import Currency, Money
from antom_refunds.domain.order import AntomId
from antom_refunds.simulator.result_codes import result

SANDBOX_PREFIX: Final = "SANDBOX_"
KEY_BYTES_MAX: Final = 8192

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
NotifyUrl = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=1024)]
Wait = Annotated[timedelta, Field(ge=timedelta())]


def public_key(pem: str) -> RSAPublicKey:
    """The RSA public key in this PEM text; raises ValueError if it holds no RSA public key."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("is not an RSA key")  # noqa: TRY004 - pydantic reports ValueError
    return key


def _is_public_key(pem: str) -> str:
    public_key(pem)
    return pem


def _is_failure(code: str) -> str:
    if result(code).result_status != "F":
        raise ValueError("is not the result code of a failure")
    return code


FailureCode = Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$"), AfterValidator(_is_failure)]
PublicKeyPem = Annotated[str, Field(max_length=KEY_BYTES_MAX), AfterValidator(_is_public_key)]


class AntomMerchant(BaseModel):
    """A merchant account at Antom.

    `public_keys` maps key versions to PEM texts. `balance` maps currencies to minor units of
    unsettled money, from which refunds are paid; None means no limit. Notifications are sent to
    `notify_url` (Dashboard setting) if the refund request contains no URL.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    public_keys: Annotated[dict[str, PublicKeyPem], Field(min_length=1)]
    balance: dict[Currency, Annotated[int, Field(ge=0)]] | None = None
    notify_url: NotifyUrl | None = None

    @property
    def is_sandbox(self) -> bool:
        return self.client_id.startswith(SANDBOX_PREFIX)


class PaymentStatus(StrEnum):
    """paymentStatus as inquiryPayment returns it."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    PROCESSING = "PROCESSING"
    PENDING = "PENDING"
    CANCELLED = "CANCELLED"


class SettlementOutcome(StrEnum):
    """How an asynchronous refund ends."""

    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"


class Payment(BaseModel):
    """A payment, what its payment method allows, and how its refunds proceed.

    Every refund fails with `refuses_with` if it is set: for result codes that follow from no
    other field. An asynchronous refund `ends` after `settle_after`, divided by the simulator's
    time scale; None means the simulator's default. `refundable_until` None means no refund window.
    `created_at` and `paid_at` default to the time at which the payment is added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    payment_id: AntomId
    client_id: ClientId
    amount: Money
    payment_request_id: AntomId | None = None
    status: PaymentStatus = PaymentStatus.SUCCESS
    method: str = "ALIPAY_CN"
    created_at: AwareDatetime | None = None
    paid_at: AwareDatetime | None = None
    refundable_until: AwareDatetime | None = None
    is_async: bool = False
    allows_refund: bool = True
    allows_partial: bool = True
    allows_multiple: bool = True
    refuses_with: FailureCode | None = None
    settle_after: Wait | None = None
    ends: SettlementOutcome = SettlementOutcome.SUCCESS
