"""What exists before the first refund: merchants with their keys, and payments with their rules."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from antom_refunds.domain.money import Currency, Money
from antom_refunds.domain.order import AntomId
from antom_refunds.simulator.codes import result

SANDBOX_PREFIX: Final = "SANDBOX_"
KEY_BYTES_MAX: Final = 8192

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
NotifyUrl = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=1024)]
Wait = Annotated[timedelta, Field(ge=timedelta())]


def public_key(pem: str) -> RSAPublicKey:
    """The RSA public key in this PEM text; raises ValueError if there is none."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("is not an RSA key")  # noqa: TRY004 - pydantic reports ValueError
    return key


def _readable(pem: str) -> str:
    public_key(pem)
    return pem


def _refusing(code: str) -> str:
    if result(code).result_status != "F":
        raise ValueError("is no code of a refusal")
    return code


RefusalCode = Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$"), AfterValidator(_refusing)]
PublicKeyPem = Annotated[str, Field(max_length=KEY_BYTES_MAX), AfterValidator(_readable)]


class Client(BaseModel):
    """A merchant as Antom knows it.

    `public_keys` maps key versions to PEM texts. `balance` maps currencies to minor units of
    unsettled money, from which refunds are paid; None never runs dry. `notify_url` is the
    Dashboard's, used where a refund names none.
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
    """paymentStatus as inquiryPayment gives it."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    PROCESSING = "PROCESSING"
    PENDING = "PENDING"
    CANCELLED = "CANCELLED"


class Ending(StrEnum):
    """How an asynchronous refund ends."""

    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"


class Payment(BaseModel):
    """A payment, what its method allows, and how refunds of it will go.

    `refuses_with` is the code that every refund of it is refused with, for codes that follow
    from nothing else here. An asynchronous refund `ends` in its way after `settle_after`,
    divided by the pace; None means the simulator's default. `refundable_until` None means for
    ever. `created_at` and `paid_at` are the moment of entry if not given.
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
    refuses_with: RefusalCode | None = None
    settle_after: Wait | None = None
    ends: Ending = Ending.SUCCESS
