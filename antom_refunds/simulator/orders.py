"""What may be asked through the control door."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import AntomId, RefundRequestId
from antom_refunds.simulator.accounts import ClientId, Ending, NotifyUrl, Payment
from antom_refunds.simulator.plans import Script
from antom_refunds.simulator.seals import Seal

PREFIX: Final = "/_simulator"
BATCH_MAX: Final = 500


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Payments(_Order):
    """Payments to enter, at most BATCH_MAX at once."""

    payments: Annotated[tuple[Payment, ...], Field(min_length=1, max_length=BATCH_MAX)]


class Scripts(_Order):
    """Scripts to follow, at most BATCH_MAX at once."""

    scripts: Annotated[tuple[Script, ...], Field(min_length=1, max_length=BATCH_MAX)]


class Settle(_Order):
    """End a refund that is in process now; `ends` None leaves it to the payment's plan."""

    client_id: str
    refund_request_id: str
    ends: Ending | None = None


class OtherRefund(_Order):
    """A refund of a payment that another system made with the merchant's account.

    Without `refund_request_id` it was made in Antom's Dashboard, and Antom chose the id.
    """

    client_id: ClientId
    payment_id: AntomId
    amount: Money
    refund_request_id: RefundRequestId | None = None


class Forgery(_Order):
    """A notification that Antom did not decide to send.

    `body` is sent as it is; without one a notification is built from the books for
    `refund_request_id`, claiming success or failure.
    """

    url: NotifyUrl
    client_id: str
    refund_request_id: str = ""
    body: str | None = None
    claims_success: bool = True
    seal: Seal = Seal.STRANGER


class Forged(_Order):
    """What the far side answered; without an HTTP answer `error` says why."""

    status_code: int | None
    body: str
    error: str | None = None
