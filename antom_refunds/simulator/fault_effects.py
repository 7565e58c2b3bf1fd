"""What a fault makes of a response or a notification: its body, its signature, its connection."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, assert_never

from antom_refunds.antom.wire import (
    Amount,
    InquirePaymentResponse,
    InquireRefundResponse,
    RefundNotification,
    RefundResponse,
    Result,
)
from antom_refunds.simulator.authentication import SignedBy
from antom_refunds.simulator.faults import Fault, FaultKind
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.responses import notification, serialise
from antom_refunds.simulator.result_codes import NOT_EXIST, PROCESS_FAIL, Status, result

_MAY_STATE_CODE: Final = {FaultKind.RESULT_CODE, FaultKind.UNSIGNED, FaultKind.WRONG_KEY}
_OF_ANOTHER_CALL: Final = {FaultKind.STALE_RESPONSE, FaultKind.MIXED_UP_RESPONSE}

# Failures that do the most harm if a merchant takes them for its own: they contain no refund id.
_USUAL_FAILURE: Final = {
    CallKind.REFUND: PROCESS_FAIL,
    CallKind.INQUIRY: NOT_EXIST,
    CallKind.PAYMENT: "ORDER_NOT_EXIST",
}
_OTHER_REFUND_REQUEST_ID: Final = "another-refund"
_OTHER_REFUND_ID: Final = "20260101194010800100180000000000"
_OTHER_PAYMENT_ID: Final = "another-payment"
_OTHER_AMOUNT: Final = Amount(currency="EUR", value="1")
_OTHER_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)

# Half of a character beyond the Basic Multilingual Plane: what remains of a truncated message.
_TRUNCATED_MESSAGE: Final = "Success \ud83d"
_IDS: Final = ("refundRequestId", "refundId", "paymentId")


class CutPoint(StrEnum):
    """Where the connection is cut."""

    NEVER = "never"
    BEFORE_RESPONSE = "before_response"
    MID_BODY = "mid_body"


@dataclass(frozen=True, slots=True)
class PlannedResponse:
    """A response to send: its body, its signer, the age of its time, and where it is cut."""

    body: bytes
    signed_by: SignedBy = SignedBy.ANTOM
    status: int = HTTPStatus.OK
    cut: CutPoint = CutPoint.NEVER
    age: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class OutgoingNotification:
    """One message; `ends_retries` says whether its acknowledgement ends Antom's attempts."""

    body: bytes
    signed_by: SignedBy = SignedBy.ANTOM
    ends_retries: bool = True


def apply_fault(body: bytes, fault: Fault) -> PlannedResponse:
    """The response with this body after the fault."""
    match fault.kind:
        case FaultKind.CUT_BEFORE | FaultKind.CUT_AFTER:
            return PlannedResponse(b"", cut=CutPoint.BEFORE_RESPONSE)
        case FaultKind.TRUNCATED:
            return PlannedResponse(body, cut=CutPoint.MID_BODY)
        case FaultKind.HTTP_500:
            return PlannedResponse(b"", SignedBy.UNSIGNED, status=HTTPStatus.INTERNAL_SERVER_ERROR)
        case FaultKind.UNSIGNED:
            return PlannedResponse(body, SignedBy.UNSIGNED)
        case FaultKind.WRONG_KEY:
            return PlannedResponse(body, SignedBy.WRONG_KEY)
        case FaultKind.GARBLED:
            return PlannedResponse(body[: len(body) // 2])
        case FaultKind.STALE_RESPONSE:
            return PlannedResponse(body, age=fault.age)
        case FaultKind.RESULT_CODE if not fault.is_signed:
            return PlannedResponse(body, SignedBy.UNSIGNED)
        case _:
            return PlannedResponse(body)


def replacement(kind: CallKind, body: bytes, fault: Fault) -> bytes:
    """The body to send in place of the true one; most faults leave it unchanged."""
    if fault.kind in _OF_ANOTHER_CALL:
        return _other_response(kind, code=fault.code, status=fault.status)
    if fault.kind is FaultKind.ODD_FIELDS:
        return _odd_response(body)
    if fault.kind in _MAY_STATE_CODE and fault.code:
        return serialise(RefundResponse(result=result(fault.code, fault.status)))
    return body


def messages_for(refund: RefundRecord, fault: Fault) -> tuple[OutgoingNotification, ...]:
    """The messages of one attempt about a refund that has ended, in order; possibly none."""
    has_succeeded = refund.status is RefundStatus.SUCCESS
    truth = notification(refund, succeeded=has_succeeded)
    opposite = notification(refund, succeeded=not has_succeeded)
    true = OutgoingNotification(serialise(truth))
    match fault.kind:
        case FaultKind.NOT_SENT:
            return ()
        case FaultKind.REPEATED:
            return (true,) * fault.times
        case FaultKind.FORGED:
            return (
                OutgoingNotification(serialise(opposite), SignedBy.WRONG_KEY, ends_retries=False),
            )
        case FaultKind.INCONSISTENT:
            return (replace(true, body=serialise(_inconsistent(truth, opposite))),)
        case FaultKind.WRONG_AMOUNT:
            return (replace(true, body=serialise(_one_minor_unit_more(truth))),)
        case FaultKind.CONTRADICTING:
            return true, replace(true, body=serialise(opposite), ends_retries=False)
        case FaultKind.WITHOUT_AMOUNT:
            return (replace(true, body=serialise(truth, without="refund_amount")),)
        case FaultKind.ODD_FIELDS:
            return (replace(true, body=_odd_notification(true.body)),)
        case _:
            return (true,)


def _inconsistent(truth: RefundNotification, opposite: RefundNotification) -> RefundNotification:
    return truth.model_copy(update={"refund_status": opposite.refund_status})


def _one_minor_unit_more(truth: RefundNotification) -> RefundNotification:
    amount = truth.refund_amount
    wrong = Amount(currency=amount.currency, value=str(int(amount.value) + 1))
    return truth.model_copy(update={"refund_amount": wrong})


def _odd_notification(body: bytes) -> bytes:
    """The notification with a truncated message; for a failure, with null and empty fields."""
    fields = json.loads(body)
    if _is_success(fields):
        return _with_truncated_message(fields)
    failed = {**fields["result"], "resultMessage": None}
    return _dump({**fields, "refundId": "", "result": failed})


def _odd_response(body: bytes) -> bytes:
    """The response with a truncated message; for a failure, with null and empty fields."""
    fields = json.loads(body)
    if _is_success(fields):
        return _with_truncated_message(fields)
    failed = {**fields["result"], "resultMessage": None}
    return _dump({**fields, **dict.fromkeys(_IDS, ""), "refundAmount": {}, "result": failed})


def _is_success(fields: dict[str, Any]) -> bool:
    return bool(fields["result"]["resultStatus"] == "S")


def _with_truncated_message(fields: dict[str, Any]) -> bytes:
    return _dump({**fields, "result": {**fields["result"], "resultMessage": _TRUNCATED_MESSAGE}})


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _other_response(kind: CallKind, *, code: str | None, status: Status | None) -> bytes:
    """A genuine response to another call; only one with status S contains that call's ids."""
    other = result(code or _USUAL_FAILURE[kind], status)
    if other.result_status != "S":
        return serialise(RefundResponse(result=other))
    return _other_success(kind, other)


def _other_success(kind: CallKind, other: Result) -> bytes:
    match kind:
        case CallKind.REFUND:
            return serialise(
                RefundResponse(
                    result=other,
                    refund_request_id=_OTHER_REFUND_REQUEST_ID,
                    refund_id=_OTHER_REFUND_ID,
                    payment_id=_OTHER_PAYMENT_ID,
                    refund_amount=_OTHER_AMOUNT,
                    refund_time=_OTHER_TIME,
                )
            )
        case CallKind.INQUIRY:
            return serialise(
                InquireRefundResponse(
                    result=other,
                    refund_status="SUCCESS",
                    refund_request_id=_OTHER_REFUND_REQUEST_ID,
                    refund_id=_OTHER_REFUND_ID,
                    refund_amount=_OTHER_AMOUNT,
                    refund_time=_OTHER_TIME,
                )
            )
        case CallKind.PAYMENT:
            return serialise(
                InquirePaymentResponse(
                    result=other,
                    payment_status="SUCCESS",
                    payment_id=_OTHER_PAYMENT_ID,
                    payment_amount=_OTHER_AMOUNT,
                    payment_time=_OTHER_TIME,
                )
            )
        case _:
            assert_never(kind)
