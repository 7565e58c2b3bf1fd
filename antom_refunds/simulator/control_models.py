"""The requests and responses of the control API."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import AntomId, RefundRequestId
from antom_refunds.simulator.accounts import ClientId, NotifyUrl, Payment, SettlementOutcome
from antom_refunds.simulator.fault_plan import FaultScript
from antom_refunds.simulator.signers import SignedBy

PREFIX: Final = "/_simulator"
BATCH_MAX: Final = 500


class _ControlModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AddPayments(_ControlModel):
    """Payments to add or replace, at most BATCH_MAX."""

    payments: Annotated[tuple[Payment, ...], Field(min_length=1, max_length=BATCH_MAX)]


class AddScripts(_ControlModel):
    """Fault scripts to add, at most BATCH_MAX."""

    scripts: Annotated[tuple[FaultScript, ...], Field(min_length=1, max_length=BATCH_MAX)]


class SettleRefund(_ControlModel):
    """End a refund in process; `ends` None takes the outcome from its payment."""

    client_id: str
    refund_request_id: str
    ends: SettlementOutcome | None = None


class ExternalRefund(_ControlModel):
    """A refund that another system made with the same merchant account.

    Without `refund_request_id` it was made in Antom's Dashboard, and Antom chose the id.
    """

    client_id: ClientId
    payment_id: AntomId
    amount: Money
    refund_request_id: RefundRequestId | None = None


class SendNotification(_ControlModel):
    """A notification to send outside Antom's schedule, forged or genuine.

    `body` is sent unchanged; without it the notification is built from the ledger's refund
    `refund_request_id`, with SUCCESS or FAIL as `claims_success` says.
    """

    url: NotifyUrl
    client_id: str
    refund_request_id: str = ""
    body: str | None = None
    claims_success: bool = True
    signed_by: SignedBy = SignedBy.WRONG_KEY


class SendResult(_ControlModel):
    """The response to a notification; without one `status_code` is None and `error` says why."""

    status_code: int | None
    body: str
    error: str | None = None
