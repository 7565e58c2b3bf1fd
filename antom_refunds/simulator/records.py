"""The entries of the ledger and the journal, the journal itself, and the snapshot of them all."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from pydantic import AwareDatetime, BaseModel, ConfigDict

from antom_refunds.antom.wire import Result
from antom_refunds.domain.money import Money
from antom_refunds.simulator.requests import CallKind, KeyFields


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RefundStatus(StrEnum):
    """refundStatus, and CLOSED for a refund whose id Antom has closed."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    CLOSED = "CLOSED"


class RefundRecord(_Record):
    """One refund at Antom; a repeated refund call gets `result` again.

    `ended_at` is the time of the final result. `was_accepted` is false for a refund that was
    rejected in its first response: it never was in process. `is_external` marks a refund that
    another system made, without a call of the merchant's own programs.
    """

    client_id: str
    refund_request_id: str
    refund_id: str
    key_fields: KeyFields
    status: RefundStatus
    result: Result
    was_accepted: bool
    requested_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    notify_url: str | None = None
    is_external: bool = False

    @property
    def amount(self) -> Money:
        """Raises ValueError for a refund that was rejected because of its amount."""
        return Money(currency=self.key_fields.currency, minor=int(self.key_fields.value))

    @property
    def holds_money(self) -> bool:
        """Whether its amount is no longer refundable: refunded, or about to be."""
        return self.status in {RefundStatus.SUCCESS, RefundStatus.PROCESSING}


class Movement(_Record):
    """Money that went back to a buyer. Two movements for one refund are a double refund."""

    client_id: str
    refund_request_id: str
    payment_id: str
    amount: Money
    at: AwareDatetime


class CallCount(_Record):
    """The number of calls about one id, and the time of the last; only verified calls count."""

    client_id: str
    subject: str
    kind: CallKind
    count: int
    last_at: AwareDatetime | None = None


class PayloadDigests(_Record):
    """The SHA-256 digest of each distinct body of the refund calls with one id."""

    client_id: str
    refund_request_id: str
    digests: tuple[str, ...]


class NotificationAttempt(_Record):
    """One notification that was sent, or skipped by a fault, and the response to it.

    `number` counts Antom's attempts from 1; 0 is a notification sent through the control API.
    `fault` names the fault. `digest` is the SHA-256 of the body, empty if nothing was sent.
    Without an HTTP response `status_code` is None and `error` says why.
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


class Balance(_Record):
    """The money from which one merchant's refunds are paid, in minor units by currency.

    `minor` None means no limit.
    """

    client_id: str
    minor: dict[str, int] | None


class LedgerSnapshot(_Record):
    """Everything that has happened, as the control API returns it."""

    balances: tuple[Balance, ...] = ()
    refunds: tuple[RefundRecord, ...] = ()
    movements: tuple[Movement, ...] = ()
    calls: tuple[CallCount, ...] = ()
    payloads: tuple[PayloadDigests, ...] = ()
    notifications: tuple[NotificationAttempt, ...] = ()

    def refund(self, refund_request_id: str) -> RefundRecord:
        """The refund with this id; raises LookupError if no merchant has used the id."""
        for refund in self.refunds:
            if refund.refund_request_id == refund_request_id:
                return refund
        raise LookupError(f"no refund {refund_request_id!r} in the ledger")

    def movements_of(self, refund_request_id: str) -> tuple[Movement, ...]:
        return tuple(m for m in self.movements if m.refund_request_id == refund_request_id)

    def notifications_of(self, refund_request_id: str) -> tuple[NotificationAttempt, ...]:
        return tuple(n for n in self.notifications if n.refund_request_id == refund_request_id)

    def count(self, subject: str, kind: CallKind) -> int:
        """The number of calls of this kind about this id."""
        return sum(c.count for c in self.calls if (c.subject, c.kind) == (subject, kind))


class Journal:
    """Counts of verified calls, digests of refund bodies, and all notification attempts.

    A call is recorded before it is handled, and independently of its result.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._counts: dict[tuple[str, str, CallKind], int] = {}
        self._last: dict[tuple[str, str, CallKind], datetime] = {}
        self._digests: dict[tuple[str, str], dict[str, None]] = {}
        self._notifications: list[NotificationAttempt] = []

    def record_call(self, client_id: str, subject: str, kind: CallKind, body: bytes) -> None:
        key = client_id, subject, kind
        self._counts[key] = self._counts.get(key, 0) + 1
        self._last[key] = self._now()
        if kind is CallKind.REFUND:
            digest = sha256(body).hexdigest()
            self._digests.setdefault((client_id, subject), {})[digest] = None

    def record_notification(self, attempt: NotificationAttempt) -> None:
        self._notifications.append(attempt)

    @property
    def calls(self) -> tuple[CallCount, ...]:
        return tuple(
            CallCount(
                client_id=key[0], subject=key[1], kind=key[2], count=count, last_at=self._last[key]
            )
            for key, count in self._counts.items()
        )

    @property
    def payloads(self) -> tuple[PayloadDigests, ...]:
        return tuple(
            PayloadDigests(client_id=client_id, refund_request_id=subject, digests=tuple(digests))
            for (client_id, subject), digests in self._digests.items()
        )

    @property
    def notifications(self) -> tuple[NotificationAttempt, ...]:
        return tuple(self._notifications)
