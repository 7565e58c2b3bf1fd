"""What the simulator keeps in memory: payments, refunds, balances and the journal of calls."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import AntomMerchant, Payment
from antom_refunds.simulator.records import (
    Balance,
    CallCount,
    NotificationAttempt,
    PayloadDigests,
    RefundRecord,
)
from antom_refunds.simulator.requests import CallKind, InquirePaymentCall, InquireRefundCall


class Store:
    """Payments and refunds under all their ids. A merchant finds its own only."""

    def __init__(self) -> None:
        self._payments: dict[str, Payment] = {}
        self._payment_ids: dict[tuple[str, str], str] = {}  # by merchant and paymentRequestId
        self._refunds: dict[tuple[str, str], RefundRecord] = {}  # by merchant, refundRequestId
        self._refund_request_ids: dict[tuple[str, str], str] = {}  # by merchant and refundId
        self._refunds_of: dict[str, dict[tuple[str, str], None]] = {}  # by paymentId, in order

    def save_payment(self, payment: Payment) -> None:
        """Add or replace a payment; its refunds are kept."""
        self._payments[payment.payment_id] = payment
        if payment.payment_request_id:
            key = payment.client_id, payment.payment_request_id
            self._payment_ids[key] = payment.payment_id

    def save_refund(self, refund: RefundRecord) -> RefundRecord:
        """Add or replace a refund; returns it."""
        key = refund.client_id, refund.refund_request_id
        self._refunds[key] = refund
        self._refund_request_ids[refund.client_id, refund.refund_id] = refund.refund_request_id
        self._refunds_of.setdefault(refund.key_fields.payment_id, {})[key] = None
        return refund

    def payment(self, client_id: str, payment_id: str) -> Payment | None:
        payment = self._payments.get(payment_id)
        return payment if payment is not None and payment.client_id == client_id else None

    def find_payment(self, client_id: str, call: InquirePaymentCall) -> Payment | None:
        """The payment that an inquiry is about; paymentId wins."""
        by_request = self._payment_ids.get((client_id, call.payment_request_id or ""))
        return self.payment(client_id, call.payment_id or by_request or "")

    def payment_of(self, refund: RefundRecord) -> Payment:
        """The payment of a refund that was accepted."""
        return self._payments[refund.key_fields.payment_id]

    def refund(self, client_id: str, refund_request_id: str) -> RefundRecord | None:
        return self._refunds.get((client_id, refund_request_id))

    def find_refund(self, client_id: str, call: InquireRefundCall) -> RefundRecord | None:
        """The refund that an inquiry is about; refundId wins."""
        if call.refund_id:
            return self.refund(client_id, self.refund_request_id(client_id, call.refund_id))
        return self.refund(client_id, call.refund_request_id or "")

    def refund_request_id(self, client_id: str, refund_id: str) -> str:
        """The refundRequestId of this refundId; an unknown refundId is returned unchanged."""
        return self._refund_request_ids.get((client_id, refund_id), refund_id)

    def current(self, refund: RefundRecord) -> RefundRecord:
        """The latest state of this refund."""
        return self._refunds[refund.client_id, refund.refund_request_id]

    def refunds_of(self, payment: Payment) -> tuple[RefundRecord, ...]:
        """This payment's refunds, in the order of their first calls."""
        listed = (self._refunds[key] for key in self._refunds_of.get(payment.payment_id, ()))
        # An id that Antom forgot may have been used for another payment since.
        return tuple(each for each in listed if each.key_fields.payment_id == payment.payment_id)

    @property
    def refunds(self) -> tuple[RefundRecord, ...]:
        return tuple(self._refunds.values())


class Balances:
    """Money that refunds are paid from, by merchant and currency (docs/antom.md#result-codes)."""

    def __init__(self) -> None:
        self._minor: dict[str, dict[str, int] | None] = {}

    def set(self, merchant: AntomMerchant) -> None:
        """Set or replace the merchant's balance; None means no limit."""
        self._minor[merchant.client_id] = None if merchant.balance is None else {**merchant.balance}

    def available(self, client_id: str, currency: str) -> int | None:
        """Minor units available in this currency; None for no limit."""
        balance = self._minor.get(client_id)
        return None if balance is None else balance.get(currency, 0)

    def debit(self, client_id: str, money: Money) -> None:
        self._add(client_id, money.currency, -money.minor)

    def credit(self, client_id: str, money: Money) -> None:
        self._add(client_id, money.currency, money.minor)

    def _add(self, client_id: str, currency: str, minor: int) -> None:
        balance = self._minor.get(client_id)
        if balance is not None:
            balance[currency] = balance.get(currency, 0) + minor

    @property
    def all(self) -> tuple[Balance, ...]:
        return tuple(
            Balance(client_id=client_id, minor=None if balance is None else {**balance})
            for client_id, balance in self._minor.items()
        )


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
