"""The ledger: payments, refunds and their state, balances, and which money moved."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import AntomId, RefundRequestId
from antom_refunds.simulator.accounts import AntomMerchant, ClientId, Payment, SettlementOutcome
from antom_refunds.simulator.records import Balance, Movement, RefundRecord, RefundStatus
from antom_refunds.simulator.requests import InquirePaymentCall, InquireRefundCall, RefundCall
from antom_refunds.simulator.result_codes import (
    CLOSED,
    IN_PROCESS,
    PARAM_ILLEGAL,
    PROCESS_FAIL,
    SUCCESS,
    result,
)
from antom_refunds.simulator.rules import RefundCase, decide_code

_ACCEPTED: Final = {SUCCESS: RefundStatus.SUCCESS, IN_PROCESS: RefundStatus.PROCESSING}
_SETTLED: Final = {
    SettlementOutcome.SUCCESS: (RefundStatus.SUCCESS, result(SUCCESS)),
    SettlementOutcome.FAIL: (RefundStatus.FAIL, result(PROCESS_FAIL)),
    SettlementOutcome.CLOSED: (RefundStatus.CLOSED, result(CLOSED)),
}


class ExternalRefund(BaseModel):
    """A refund that another system made with the same merchant account.

    Without `refund_request_id` it was made in Antom's Dashboard, and Antom chose the id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    payment_id: AntomId
    amount: Money
    refund_request_id: RefundRequestId | None = None


class Ledger:
    """Payments and refunds, merchants' balances, and all movements of money.

    Movements are appended and never checked against each other: the ledger does not prevent a
    double refund, so that its reader can detect one.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.store = Store()
        self.balances = Balances()
        self._now = now
        self._numbers = count(1)
        self._movements: list[Movement] = []

    def add_payment(self, payment: Payment) -> None:
        """Add or replace a payment; it is created and paid now unless its fields say otherwise."""
        times = {"created_at": self._now(), "paid_at": self._now()}
        missing = {name: time for name, time in times.items() if getattr(payment, name) is None}
        self.store.save_payment(payment.model_copy(update=missing))

    def refund(
        self, client_id: str, call: RefundCall, *, is_forgotten: bool = False
    ) -> RefundRecord:
        """The refund with this id; executed now if it is new, or if Antom forgot its id.

        A repeated call never changes a known refund; the caller compares the key fields.
        """
        known = self.store.refund(client_id, call.refund_request_id)
        if known is not None and not is_forgotten:
            return known
        return self._execute(client_id, call)

    def refund_externally(self, refund: ExternalRefund) -> RefundRecord:
        """Execute a refund of another system; if its id is in use, returns the refund under it."""
        fields = {
            "refundRequestId": refund.refund_request_id or f"dashboard-{next(self._numbers)}",
            "paymentId": refund.payment_id,
            "refundAmount": {"currency": refund.amount.currency, "value": str(refund.amount.minor)},
        }
        call = RefundCall.model_validate(fields)
        known = self.store.refund(refund.client_id, call.refund_request_id)
        return known or self._execute(refund.client_id, call, is_external=True)

    def settle(self, refund: RefundRecord, outcome: SettlementOutcome) -> RefundRecord:
        """End a refund in process; returns its new state."""
        status, final = _SETTLED[outcome]
        changes = {"status": status, "result": final, "ended_at": self._now()}
        settled = self.store.save_refund(refund.model_copy(update=changes))
        if status is RefundStatus.SUCCESS:
            self._move(settled)
        else:
            self.balances.credit(settled.client_id, settled.amount)
        return settled

    @property
    def movements(self) -> tuple[Movement, ...]:
        return tuple(self._movements)

    def _execute(
        self, client_id: str, call: RefundCall, *, is_external: bool = False
    ) -> RefundRecord:
        code = self._code(client_id, call)
        status = _ACCEPTED.get(code, RefundStatus.FAIL)
        record = self._record(client_id, call, status, code)
        origin = {"is_external": is_external}
        refund = self.store.save_refund(record.model_copy(update=origin))
        if status is not RefundStatus.FAIL:
            self.balances.debit(client_id, refund.amount)
        if status is RefundStatus.SUCCESS:
            self._move(refund)
        return refund

    def _code(self, client_id: str, call: RefundCall) -> str:
        if not call.is_valid:
            return PARAM_ILLEGAL
        payment = self.store.payment(client_id, call.payment_id)
        return "ORDER_NOT_EXIST" if payment is None else decide_code(self._case(call, payment))

    def _case(self, call: RefundCall, payment: Payment) -> RefundCase:
        earlier = tuple(
            refund.amount.minor
            for refund in self.store.refunds_of(payment)
            if refund.holds_money and refund.refund_request_id != call.refund_request_id
        )
        balance = self.balances.available(payment.client_id, call.refund_amount.currency)
        return RefundCase(
            call=call, payment=payment, earlier=earlier, balance=balance, now=self._now()
        )

    def _record(
        self, client_id: str, call: RefundCall, status: RefundStatus, code: str
    ) -> RefundRecord:
        now = self._now()
        return RefundRecord(
            client_id=client_id,
            refund_request_id=call.refund_request_id,
            refund_id=f"{now:%Y%m%d}19401080010018{next(self._numbers):014d}",
            key_fields=call.key_fields,
            status=status,
            result=result(code),
            was_accepted=status is not RefundStatus.FAIL,
            requested_at=now,
            ended_at=None if status is RefundStatus.PROCESSING else now,
            notify_url=call.refund_notify_url,
        )

    def _move(self, refund: RefundRecord) -> None:
        self._movements.append(
            Movement(
                client_id=refund.client_id,
                refund_request_id=refund.refund_request_id,
                payment_id=refund.key_fields.payment_id,
                amount=refund.amount,
                at=self._now(),
            )
        )


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
