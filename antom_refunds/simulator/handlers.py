"""Antom's three endpoints: execute verified calls on the ledger, with their planned faults."""

import json
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from antom_refunds.antom.wire import InquireRefundResponse, RefundResponse
from antom_refunds.simulator.authentication import VerifiedCall
from antom_refunds.simulator.fault_effects import PlannedResponse, apply_fault, replacement
from antom_refunds.simulator.faults import Fault, FaultKind, FaultPlan, Operation
from antom_refunds.simulator.ledger import Ledger
from antom_refunds.simulator.records import Journal, RefundRecord, RefundStatus
from antom_refunds.simulator.requests import (
    CallKind,
    InquirePaymentCall,
    InquireRefundCall,
    RefundCall,
    parse_call,
)
from antom_refunds.simulator.responses import (
    before_settlement,
    inquiry_response,
    payment_response,
    refund_response,
    serialise,
)
from antom_refunds.simulator.result_codes import INCONSISTENT, SUCCESS, result
from antom_refunds.simulator.settlement import Settlement

_OPERATIONS: Final = {
    CallKind.REFUND: Operation.REFUND,
    CallKind.INQUIRY: Operation.INQUIRY,
    CallKind.PAYMENT: Operation.PAYMENT,
}
# If a call has both ids, Antom uses the first.
_ID_FIELDS: Final = {
    CallKind.REFUND: ("refundRequestId",),
    CallKind.INQUIRY: ("refundId", "refundRequestId"),
    CallKind.PAYMENT: ("paymentId", "paymentRequestId"),
}
_ID_MAX: Final = 64


class ApiHandlers:
    """Handles one call after another; `sleep` waits for the delay of a fault."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        fault_plan: FaultPlan,
        settlement: Settlement,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._journal = journal
        self._fault_plan = fault_plan
        self._settlement = settlement
        self._sleep = sleep

    async def handle(self, call: VerifiedCall) -> PlannedResponse:
        """Antom's response; raises CallRejectedError for an invalid body."""
        subject = self._subject(call)
        self._journal.record_call(call.client_id, subject, call.kind, call.body)
        fault = self._fault_plan.next(subject, _OPERATIONS[call.kind])
        body = await self._execute(call, fault) if fault.takes_effect else b""
        if fault.delay:
            await self._sleep(fault.delay.total_seconds())
        return apply_fault(replacement(call.kind, body, fault), fault)

    async def _execute(self, call: VerifiedCall, fault: Fault) -> bytes:
        match call.kind:
            case CallKind.REFUND:
                return await self._refund(call, fault)
            case CallKind.INQUIRY:
                return self._inquire_refund(call, fault)
            case CallKind.PAYMENT:
                return self._inquire_payment(call)
            case _:
                assert_never(call.kind)

    async def _refund(self, call: VerifiedCall, fault: Fault) -> bytes:
        asked = parse_call(call.body, RefundCall)
        known = self._store.refund(call.client_id, asked.refund_request_id)
        is_forgotten = fault.kind is FaultKind.ID_FORGOTTEN
        refund = self._ledger.refund(call.client_id, asked, is_forgotten=is_forgotten)
        if refund.key_fields != asked.key_fields:
            return serialise(RefundResponse(result=result(INCONSISTENT)))
        if refund is not known and refund.status is RefundStatus.PROCESSING:
            await self._settle(refund, fault)
        return serialise(refund_response(refund))

    async def _settle(self, refund: RefundRecord, fault: Fault) -> None:
        if fault.kind is FaultKind.NOTIFY_BEFORE_RESPONSE:
            await self._settlement.settle_before_response(refund)
        else:
            self._settlement.schedule(refund)

    def _inquire_refund(self, call: VerifiedCall, fault: Fault) -> bytes:
        asked = parse_call(call.body, InquireRefundCall)
        refund = self._store.find_refund(call.client_id, asked)
        match fault.kind:
            case FaultKind.NOT_FOUND:
                return serialise(inquiry_response(None))
            case FaultKind.NOT_FOUND_NULL:
                nothing = InquireRefundResponse(result=result(SUCCESS))
                return nothing.model_dump_json(by_alias=True).encode()
            case FaultKind.STALE if refund is not None:
                return serialise(inquiry_response(before_settlement(refund)))
            case _:
                return serialise(inquiry_response(refund))

    def _inquire_payment(self, call: VerifiedCall) -> bytes:
        asked = parse_call(call.body, InquirePaymentCall)
        payment = self._store.find_payment(call.client_id, asked)
        refunds = () if payment is None else self._store.refunds_of(payment)
        return serialise(payment_response(payment, refunds))

    def _subject(self, call: VerifiedCall) -> str:
        """The id that the call is about; empty if the body contains none."""
        try:
            fields = json.loads(call.body)
        except (ValueError, RecursionError):
            return ""
        names = _ID_FIELDS[call.kind] if isinstance(fields, dict) else ()
        ids = [fields[name] for name in names if isinstance(fields.get(name), str)]
        subject = next((text for text in ids if text), "")[:_ID_MAX]
        return self._store.refund_request_id(call.client_id, subject)
