"""The ground truth: which refunds exist, how they stand, and what money really moved."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Final

from antom_refunds.simulator.accounts import Ending, Payment
from antom_refunds.simulator.books import Books
from antom_refunds.simulator.codes import (
    CLOSED,
    IN_PROCESS,
    PARAM_ILLEGAL,
    PROCESS_FAIL,
    SUCCESS,
    result,
)
from antom_refunds.simulator.heard import AskedRefund
from antom_refunds.simulator.judgement import Case, judged
from antom_refunds.simulator.orders import OtherRefund
from antom_refunds.simulator.purses import Purses
from antom_refunds.simulator.records import Movement, Refund, RefundStatus

_BEGINNINGS: Final = {SUCCESS: RefundStatus.SUCCESS, IN_PROCESS: RefundStatus.PROCESSING}
_ENDS: Final = {
    Ending.SUCCESS: (RefundStatus.SUCCESS, result(SUCCESS)),
    Ending.FAIL: (RefundStatus.FAIL, result(PROCESS_FAIL)),
    Ending.CLOSED: (RefundStatus.CLOSED, result(CLOSED)),
}


class Ledger:
    """Antom's books, its merchants' purses, and what it did with the money.

    Movements are only ever appended and never held against each other: whether money moved
    twice is for the reader to see, not for the ledger to prevent.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.books = Books()
        self.purses = Purses()
        self._now = now
        self._numbers = count(1)
        self._movements: list[Movement] = []

    def add_payment(self, payment: Payment) -> None:
        """Enter or replace a payment, created and paid now unless it says otherwise."""
        times = {"created_at": self._now(), "paid_at": self._now()}
        missing = {name: time for name, time in times.items() if getattr(payment, name) is None}
        self.books.keep_payment(payment.model_copy(update=missing))

    def refund(self, client_id: str, asked: AskedRefund, *, is_forgotten: bool = False) -> Refund:
        """The refund with this id, entered now if there is none, or if Antom forgot that one.

        A known refund is never changed by asking again; the caller compares the key fields.
        """
        known = self.books.refund(client_id, asked.refund_request_id)
        if known is not None and not is_forgotten:
            return known
        return self._enter(client_id, asked)

    def refund_elsewhere(self, order: OtherRefund) -> Refund:
        """Enter a refund that another system made; one whose id is in use is left alone."""
        said = {
            "refundRequestId": order.refund_request_id or f"dashboard-{next(self._numbers)}",
            "paymentId": order.payment_id,
            "refundAmount": {"currency": order.amount.currency, "value": str(order.amount.minor)},
        }
        asked = AskedRefund.model_validate(said)
        known = self.books.refund(order.client_id, asked.refund_request_id)
        return known or self._enter(order.client_id, asked, is_made_elsewhere=True)

    def settle(self, refund: Refund, ending: Ending) -> Refund:
        """End a refund that is in process."""
        status, word = _ENDS[ending]
        changes = {"status": status, "result": word, "ended_at": self._now()}
        ended = self.books.keep_refund(refund.model_copy(update=changes))
        if status is RefundStatus.SUCCESS:
            self._move(ended)
        else:
            self.purses.give_back(ended.client_id, ended.amount)
        return ended

    @property
    def movements(self) -> tuple[Movement, ...]:
        return tuple(self._movements)

    def _enter(
        self, client_id: str, asked: AskedRefund, *, is_made_elsewhere: bool = False
    ) -> Refund:
        code = self._judged(client_id, asked)
        status = _BEGINNINGS.get(code, RefundStatus.FAIL)
        entry = self._entry(client_id, asked, status, code)
        origin = {"is_made_elsewhere": is_made_elsewhere}
        refund = self.books.keep_refund(entry.model_copy(update=origin))
        if status is not RefundStatus.FAIL:
            self.purses.take(client_id, refund.amount)
        if status is RefundStatus.SUCCESS:
            self._move(refund)
        return refund

    def _judged(self, client_id: str, asked: AskedRefund) -> str:
        if not asked.is_legal:
            return PARAM_ILLEGAL
        payment = self.books.payment(client_id, asked.payment_id)
        return "ORDER_NOT_EXIST" if payment is None else judged(self._case(asked, payment))

    def _case(self, asked: AskedRefund, payment: Payment) -> Case:
        earlier = tuple(
            refund.amount.minor
            for refund in self.books.refunds_of(payment)
            if refund.holds_money and refund.refund_request_id != asked.refund_request_id
        )
        balance = self.purses.left(payment.client_id, asked.refund_amount.currency)
        return Case(asked=asked, payment=payment, earlier=earlier, balance=balance, now=self._now())

    def _entry(self, client_id: str, asked: AskedRefund, status: RefundStatus, code: str) -> Refund:
        now = self._now()
        return Refund(
            client_id=client_id,
            refund_request_id=asked.refund_request_id,
            refund_id=f"{now:%Y%m%d}19401080010018{next(self._numbers):014d}",
            key_fields=asked.key_fields,
            status=status,
            result=result(code),
            was_accepted=status is not RefundStatus.FAIL,
            asked_at=now,
            ended_at=None if status is RefundStatus.PROCESSING else now,
            notify_url=asked.refund_notify_url,
        )

    def _move(self, refund: Refund) -> None:
        self._movements.append(
            Movement(
                client_id=refund.client_id,
                refund_request_id=refund.refund_request_id,
                payment_id=refund.key_fields.payment_id,
                amount=refund.amount,
                at=self._now(),
            )
        )
