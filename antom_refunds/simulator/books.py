"""Payments and refunds, found by every name that Antom's API knows them by."""

from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.heard import AskedInquiry, AskedPayment
from antom_refunds.simulator.records import Refund


class Books:
    """Every lookup is by merchant: what belongs to another one is unknown."""

    def __init__(self) -> None:
        self._payments: dict[str, Payment] = {}
        self._payment_ids: dict[tuple[str, str], str] = {}  # by merchant and paymentRequestId
        self._refunds: dict[tuple[str, str], Refund] = {}  # by merchant and refundRequestId
        self._refund_request_ids: dict[tuple[str, str], str] = {}  # by merchant and refundId
        self._refunds_of: dict[str, dict[tuple[str, str], None]] = {}  # by paymentId, in order

    def keep_payment(self, payment: Payment) -> None:
        """Enter or replace a payment; refunds of it stay."""
        self._payments[payment.payment_id] = payment
        if payment.payment_request_id:
            key = payment.client_id, payment.payment_request_id
            self._payment_ids[key] = payment.payment_id

    def keep_refund(self, refund: Refund) -> Refund:
        """Enter a refund, or what became of it."""
        key = refund.client_id, refund.refund_request_id
        self._refunds[key] = refund
        self._refund_request_ids[refund.client_id, refund.refund_id] = refund.refund_request_id
        self._refunds_of.setdefault(refund.key_fields.payment_id, {})[key] = None
        return refund

    def payment(self, client_id: str, payment_id: str) -> Payment | None:
        payment = self._payments.get(payment_id)
        return payment if payment is not None and payment.client_id == client_id else None

    def payment_inquired(self, client_id: str, asked: AskedPayment) -> Payment | None:
        """The payment an inquiry is about; paymentId wins."""
        by_request = self._payment_ids.get((client_id, asked.payment_request_id or ""))
        return self.payment(client_id, asked.payment_id or by_request or "")

    def payment_of(self, refund: Refund) -> Payment:
        """The payment of a refund that was accepted."""
        return self._payments[refund.key_fields.payment_id]

    def refund(self, client_id: str, refund_request_id: str) -> Refund | None:
        return self._refunds.get((client_id, refund_request_id))

    def refund_inquired(self, client_id: str, asked: AskedInquiry) -> Refund | None:
        """The refund an inquiry is about; refundId wins."""
        if asked.refund_id:
            return self.refund(client_id, self.refund_request_id(client_id, asked.refund_id))
        return self.refund(client_id, asked.refund_request_id or "")

    def refund_request_id(self, client_id: str, refund_id: str) -> str:
        """The id that goes with a refundId; an unknown one stands for itself."""
        return self._refund_request_ids.get((client_id, refund_id), refund_id)

    def current(self, refund: Refund) -> Refund:
        """How this refund stands by now."""
        return self._refunds[refund.client_id, refund.refund_request_id]

    def refunds_of(self, payment: Payment) -> tuple[Refund, ...]:
        """This payment's refunds, in the order they were asked for."""
        named = (self._refunds[key] for key in self._refunds_of.get(payment.payment_id, ()))
        # An id that Antom forgot may belong to another payment by now.
        return tuple(each for each in named if each.key_fields.payment_id == payment.payment_id)

    @property
    def refunds(self) -> tuple[Refund, ...]:
        return tuple(self._refunds.values())
