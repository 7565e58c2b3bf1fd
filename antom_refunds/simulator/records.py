"""What the ledger holds, and how it is shown: every entry is frozen and says what happened."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from antom_refunds.antom.wire import Result
from antom_refunds.domain.money import Money
from antom_refunds.simulator.heard import CallKind, KeyFields


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RefundStatus(StrEnum):
    """refundStatus, and CLOSED for an id that Antom declared dead."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    CLOSED = "CLOSED"


class Refund(_Entry):
    """One refund in the books; `result` is what any repetition of the call is answered with.

    `ended_at` is the moment of Antom's final word. `was_accepted` is false for a refund that
    was refused at once: it never was in process. `is_made_elsewhere` marks one that another system
    made: no call of the merchant's programs is behind it.
    """

    client_id: str
    refund_request_id: str
    refund_id: str
    key_fields: KeyFields
    status: RefundStatus
    result: Result
    was_accepted: bool
    asked_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    notify_url: str | None = None
    is_made_elsewhere: bool = False

    @property
    def amount(self) -> Money:
        """Raises ValueError for a refund that was refused because of its amount."""
        return Money(currency=self.key_fields.currency, minor=int(self.key_fields.value))

    @property
    def holds_money(self) -> bool:
        """Whether its amount is no longer refundable: given back, or about to be."""
        return self.status in {RefundStatus.SUCCESS, RefundStatus.PROCESSING}


class Movement(_Entry):
    """Money went back to a buyer. Two of them for one refund would be the loss to look for."""

    client_id: str
    refund_request_id: str
    payment_id: str
    amount: Money
    at: AwareDatetime


class Calls(_Entry):
    """How often one id was asked about, and when last; only calls with a valid signature count."""

    client_id: str
    subject: str
    kind: CallKind
    count: int
    last_at: AwareDatetime | None = None


class Payloads(_Entry):
    """SHA-256 of each distinct body that was sent to refund under one id."""

    client_id: str
    refund_request_id: str
    digests: tuple[str, ...]


class Sending(_Entry):
    """One notification that left, or was lost, and what came back.

    `number` counts Antom's tries from 1, 0 for a forgery from the control door. `fault` names
    what was wrong with it. `digest` is the SHA-256 of the body, empty if nothing left. Without
    an HTTP answer `status_code` is None and `error` says why.
    """

    client_id: str
    refund_request_id: str
    url: str
    number: int
    at: AwareDatetime
    fault: str | None = None
    digest: str = ""
    status_code: int | None = None
    error: str | None = None
    is_acknowledged: bool = False


class Balance(_Entry):
    """What one merchant has left to refund from; `minor` by currency, None never runs dry."""

    client_id: str
    minor: dict[str, int] | None


class LedgerView(_Entry):
    """Everything that happened, as the control door shows it."""

    balances: tuple[Balance, ...] = ()
    refunds: tuple[Refund, ...] = ()
    movements: tuple[Movement, ...] = ()
    calls: tuple[Calls, ...] = ()
    payloads: tuple[Payloads, ...] = ()
    notifications: tuple[Sending, ...] = ()

    def refund(self, refund_request_id: str) -> Refund:
        """Raises LookupError if no merchant ever used this id."""
        for refund in self.refunds:
            if refund.refund_request_id == refund_request_id:
                return refund
        raise LookupError(f"no refund {refund_request_id!r} in the ledger")

    def moved(self, refund_request_id: str) -> tuple[Movement, ...]:
        return tuple(m for m in self.movements if m.refund_request_id == refund_request_id)

    def sent(self, refund_request_id: str) -> tuple[Sending, ...]:
        return tuple(s for s in self.notifications if s.refund_request_id == refund_request_id)

    def count(self, subject: str, kind: CallKind) -> int:
        return sum(c.count for c in self.calls if (c.subject, c.kind) == (subject, kind))
