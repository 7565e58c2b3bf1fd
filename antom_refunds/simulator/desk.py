"""Antom's desk: executes admitted calls on the books, unless a fault prevents it."""

import json
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from antom_refunds.antom.wire import RefundAnswer, RefundInquiryAnswer
from antom_refunds.simulator.codes import INCONSISTENT, SUCCESS, result
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.gate import Admitted
from antom_refunds.simulator.heard import AskedInquiry, AskedPayment, AskedRefund, CallKind, read
from antom_refunds.simulator.journal import Journal
from antom_refunds.simulator.ledger import Ledger
from antom_refunds.simulator.odd_fields import odd_response
from antom_refunds.simulator.other_calls import other_response
from antom_refunds.simulator.plans import Faults
from antom_refunds.simulator.records import Refund, RefundStatus
from antom_refunds.simulator.replies import Reply, spoilt
from antom_refunds.simulator.settlement import Settlement
from antom_refunds.simulator.told import (
    inquiry_answer,
    payment_answer,
    refund_answer,
    stale,
    written,
)

_OPERATIONS: Final = {
    CallKind.REFUND: Operation.REFUND,
    CallKind.INQUIRY: Operation.INQUIRY,
    CallKind.PAYMENT: Operation.PAYMENT,
}
# The field that wins stands first.
_SUBJECTS: Final = {
    CallKind.REFUND: ("refundRequestId",),
    CallKind.INQUIRY: ("refundId", "refundRequestId"),
    CallKind.PAYMENT: ("paymentId", "paymentRequestId"),
}
_ID_MAX: Final = 64
_IN_OTHER_WORDS: Final = {FaultKind.ANSWER_CODE, FaultKind.UNSIGNED, FaultKind.MISSIGNED}
_OF_ANOTHER_CALL: Final = {FaultKind.STALE_RESPONSE, FaultKind.MIXED_UP_RESPONSE}


class Desk:
    """Answers one call after another; `sleep` holds back answers that a fault delays."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        faults: Faults,
        settlement: Settlement,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._books = ledger.books
        self._journal = journal
        self._faults = faults
        self._settlement = settlement
        self._sleep = sleep

    async def answer(self, call: Admitted) -> Reply:
        """Antom's answer; raises RefusedError for a body that is no such call."""
        subject = self._subject(call)
        self._journal.heard(call.client_id, subject, call.kind, call.body)
        fault = self._faults.next(subject, _OPERATIONS[call.kind])
        body = await self._execute(call, fault) if fault.takes_effect else b""
        if fault.delay:
            await self._sleep(fault.delay.total_seconds())
        return spoilt(_said_instead(call.kind, body, fault), fault)

    async def _execute(self, call: Admitted, fault: Fault) -> bytes:
        match call.kind:
            case CallKind.REFUND:
                return await self._refund(call, fault)
            case CallKind.INQUIRY:
                return self._inquiry(call, fault)
            case CallKind.PAYMENT:
                return self._payment(call)
            case _:
                assert_never(call.kind)

    async def _refund(self, call: Admitted, fault: Fault) -> bytes:
        asked = read(call.body, AskedRefund)
        known = self._books.refund(call.client_id, asked.refund_request_id)
        is_forgotten = fault.kind is FaultKind.FORGOTTEN
        refund = self._ledger.refund(call.client_id, asked, is_forgotten=is_forgotten)
        if refund.key_fields != asked.key_fields:
            return written(RefundAnswer(result=result(INCONSISTENT)))
        if refund is not known and refund.status is RefundStatus.PROCESSING:
            await self._begin(refund, fault)
        return written(refund_answer(refund))

    async def _begin(self, refund: Refund, fault: Fault) -> None:
        if fault.kind is FaultKind.OVERTAKEN:
            await self._settlement.overtake(refund)
        else:
            self._settlement.begin(refund)

    def _inquiry(self, call: Admitted, fault: Fault) -> bytes:
        asked = read(call.body, AskedInquiry)
        refund = self._books.refund_inquired(call.client_id, asked)
        match fault.kind:
            case FaultKind.ABSENT:
                return written(inquiry_answer(None))
            case FaultKind.ABSENT_NULL:
                nothing = RefundInquiryAnswer(result=result(SUCCESS))
                return nothing.model_dump_json(by_alias=True).encode()
            case FaultKind.STALE if refund is not None:
                return written(inquiry_answer(stale(refund)))
            case _:
                return written(inquiry_answer(refund))

    def _payment(self, call: Admitted) -> bytes:
        payment = self._books.payment_inquired(call.client_id, read(call.body, AskedPayment))
        refunds = () if payment is None else self._books.refunds_of(payment)
        return written(payment_answer(payment, refunds))

    def _subject(self, call: Admitted) -> str:
        """The id the call is about, as well as it can be read; empty if it cannot."""
        try:
            fields = json.loads(call.body)
        except (ValueError, RecursionError):
            return ""
        names = _SUBJECTS[call.kind] if isinstance(fields, dict) else ()
        said = [fields[name] for name in names if isinstance(fields.get(name), str)]
        subject = next((text for text in said if text), "")[:_ID_MAX]
        return self._books.refund_request_id(call.client_id, subject)


def _said_instead(kind: CallKind, body: bytes, fault: Fault) -> bytes:
    """What leaves in place of the true answer, which is left alone by most faults."""
    if fault.kind in _OF_ANOTHER_CALL:
        return other_response(kind, code=fault.code, status=fault.status)
    if fault.kind is FaultKind.ODD_FIELDS:
        return odd_response(body)
    if fault.kind in _IN_OTHER_WORDS and fault.code:
        return written(RefundAnswer(result=result(fault.code, fault.status)))
    return body
