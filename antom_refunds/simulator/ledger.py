"""The ledger: which refunds exist, their state, and which money moved."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Final

from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.control_models import ExternalRefund
from antom_refunds.simulator.records import Movement, RefundRecord, RefundStatus
from antom_refunds.simulator.requests import RefundCall
from antom_refunds.simulator.result_codes import (
    CLOSED,
    IN_PROCESS,
    PARAM_ILLEGAL,
    PROCESS_FAIL,
    SUCCESS,
    result,
)
from antom_refunds.simulator.rules import RefundCase, decide_code
from antom_refunds.simulator.store import Balances, Store

_ACCEPTED: Final = {SUCCESS: RefundStatus.SUCCESS, IN_PROCESS: RefundStatus.PROCESSING}
_SETTLED: Final = {
    SettlementOutcome.SUCCESS: (RefundStatus.SUCCESS, result(SUCCESS)),
    SettlementOutcome.FAIL: (RefundStatus.FAIL, result(PROCESS_FAIL)),
    SettlementOutcome.CLOSED: (RefundStatus.CLOSED, result(CLOSED)),
}


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
