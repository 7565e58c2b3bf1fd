"""Converts Antom's responses, errors and notifications to evidence (docs/antom.md#states)."""

from typing import Final

from antom_refunds.antom.call_errors import (
    AntomError,
    GateRefusedError,
    NotSentError,
    OutcomeUnknownError,
)
from antom_refunds.antom.results import MEANINGS, CodeKind, classify, code_kind
from antom_refunds.antom.wire import (
    Amount,
    InquirePaymentResponse,
    InquireRefundResponse,
    RefundNotification,
    RefundResponse,
    Result,
)
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.external_refunds import PaymentRefund
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

# Our own code for a notification that does not match docs/antom.md#notifyrefund.
_MALFORMED_NOTIFICATION: Final = "malformed_notification"
_FLAWS_MAX: Final = 300
_ID_MAX: Final = 64
_STATUS_CODES: Final = {EvidenceKind.FAILED: "FAIL", EvidenceKind.PROCESSING: "PROCESSING"}
_TRANSACTION_KINDS: Final = {
    "SUCCESS": EvidenceKind.SUCCEEDED,
    "PROCESSING": EvidenceKind.PROCESSING,
}
_UNSENT_ADVICE: Final = (
    "check network, proxy and certificates between the worker and Antom's gateway"
)
_NO_RESPONSE_ADVICE: Final = "the same request is sent again"
_FAILED_WITHOUT_REASON: Final = "Antom gave no reason: contact its support, or use a new id"


def from_response(response: RefundResponse) -> Evidence:
    """Evidence from the response to a refund call."""
    verdict = classify(response.result.result_status, response.result.result_code)
    return Evidence(
        source=Source.RESPONSE,
        kind=verdict.kind,
        code=response.result.result_code,
        message=_quote("the refund call", response.result),
        advice=verdict.advice,
        needs_attention=verdict.needs_attention,
        refund_request_id=response.refund_request_id,
        payment_id=response.payment_id,
        refund_id=response.refund_id,
        amount=_money(response.refund_amount),
        refund_time=response.refund_time,
    )


def from_error(error: OutcomeUnknownError | GateRefusedError) -> Evidence:
    """Evidence from a refund call without a usable response: doubt, or blocked at the gate."""
    is_refused = isinstance(error, GateRefusedError)
    return Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind.BLOCKED if is_refused else EvidenceKind.DOUBT,
        code=error.code,
        message=str(error),
        advice=_error_advice(error) or _NO_RESPONSE_ADVICE,
        needs_attention=is_refused,
        claimed_code=error.claimed_code,
    )


def from_not_sent(error: NotSentError) -> Evidence:
    """Evidence from a refund call that was not sent because no connection was opened."""
    return Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind.UNSENT,
        code=error.code,
        message=str(error),
        advice=_UNSENT_ADVICE if error.code == "not_sent" else "",
    )


def from_inquiry(response: InquireRefundResponse) -> Evidence:
    """Evidence from the response to inquiryRefund."""
    kind, explanation = _inquiry_kind(response)
    code = response.result.result_code
    is_failure = kind is EvidenceKind.FAILED
    advice = _advice(code)
    return Evidence(
        source=Source.INQUIRY,
        kind=kind,
        # "SUCCESS" here is the inquiry's own code; shown as the refund's it would mislead.
        code=_STATUS_CODES.get(kind, code) if code == "SUCCESS" else code,
        message=explanation or _quote("the inquiry", response.result),
        advice=advice or _FAILED_WITHOUT_REASON if is_failure else advice,
        needs_attention=kind is EvidenceKind.CLOSED or (is_failure and _needs_attention(code)),
        refund_request_id=response.refund_request_id,
        refund_id=response.refund_id,
        amount=_money(response.refund_amount),
        refund_time=response.refund_time,
    )


def lists_refund(response: InquirePaymentResponse, order: RefundOrder) -> bool:
    """Whether the payment's transactions include this refund (docs/antom.md#inquirypayment)."""
    is_payment = response.payment_id in {None, order.payment_id}
    return is_payment and any(
        each.transaction_type == "REFUND"
        and each.transaction_request_id == order.refund_request_id
        and _money(each.transaction_amount) == order.amount
        for each in response.transactions or ()
    )


def refunds_of_payment(
    response: InquirePaymentResponse, order: RefundOrder
) -> tuple[PaymentRefund, ...]:
    """The payment's refunds that were executed or are processing (docs/antom.md#inquirypayment)."""
    if response.payment_id not in {None, order.payment_id}:
        return ()
    return tuple(
        PaymentRefund(
            kind=_TRANSACTION_KINDS[each.transaction_status],
            refund_request_id=_short(each.transaction_request_id),
            refund_id=_short(each.transaction_id),
            amount=_money(each.transaction_amount),
        )
        for each in response.transactions
        if each.transaction_type == "REFUND" and each.transaction_status in _TRANSACTION_KINDS
    )


def _short(text: str | None) -> str | None:
    """An id of ours or Antom's; None for anything longer, which is none."""
    return text if text and len(text) <= _ID_MAX else None


def _inquiry_kind(response: InquireRefundResponse) -> tuple[EvidenceKind, str]:
    """The kind of evidence, and an explanation where the quoted result does not suffice."""
    result = response.result
    if result.result_status != "S":
        return _failed_inquiry_kind(response)
    match response.refund_status:
        case "SUCCESS":
            return EvidenceKind.SUCCEEDED, ""
        case "PROCESSING":
            return EvidenceKind.PROCESSING, "the inquiry says PROCESSING"
        case _ if code_kind(result.result_code) is CodeKind.CLOSED:
            return EvidenceKind.CLOSED, ""
        case "FAIL":
            return EvidenceKind.FAILED, "the inquiry says FAIL"
        case None:
            return EvidenceKind.NOT_FOUND, "the inquiry found no such refund"
        case status:
            # Antom's SDK lists more states than its documentation; none of them is final.
            return (
                EvidenceKind.MISMATCH,
                f"the inquiry says {status[:16]!r}, which is not a known status",
            )


def _failed_inquiry_kind(response: InquireRefundResponse) -> tuple[EvidenceKind, str]:
    """A failed inquiry has no information about the refund, except for two kinds of code."""
    result, status = response.result, response.refund_status
    match code_kind(result.result_code):
        case CodeKind.CLOSED | CodeKind.NOT_FOUND if status in {"SUCCESS", "PROCESSING"}:
            fields = f"{result.result_code}, but refundStatus {status}"
            return EvidenceKind.MISMATCH, f"the inquiry contradicts itself: {fields}"
        case CodeKind.CLOSED:
            return EvidenceKind.CLOSED, ""
        case CodeKind.NOT_FOUND if result.result_status == "F":
            return EvidenceKind.NOT_FOUND, ""
        case _:
            return EvidenceKind.NO_INFORMATION, ""


def from_inquiry_error(error: AntomError) -> Evidence:
    """Evidence from an inquiry without a usable response: no information about the refund.

    After a refusal at the gate, no inquiry will work until an operator fixes the cause.
    """
    is_refused = isinstance(error, GateRefusedError)
    return Evidence(
        source=Source.INQUIRY,
        kind=EvidenceKind.BLOCKED if is_refused else EvidenceKind.NO_INFORMATION,
        code=error.code,
        message=str(error),
        advice=_error_advice(error),
        needs_attention=is_refused,
        claimed_code=error.claimed_code,
    )


def from_notification(notification: RefundNotification) -> Evidence:
    """Evidence from a verified notification."""
    verdict = classify(notification.result.result_status, notification.result.result_code)
    kind = _notification_kind(verdict.kind, notification.refund_status)
    return Evidence(
        source=Source.NOTIFICATION,
        kind=kind,
        code=notification.result.result_code,
        message=_notification_message(notification, kind),
        advice=verdict.advice,
        needs_attention=kind is EvidenceKind.FAILED and verdict.needs_attention,
        refund_request_id=notification.refund_request_id,
        refund_id=notification.refund_id,
        amount=_money(notification.refund_amount),
        refund_time=notification.refund_time,
    )


def from_malformed_notification(refund_request_id: str, flaws: str) -> Evidence:
    """Evidence from a verified notification with missing or unreadable fields.

    `flaws` names the fields. The result is MISMATCH: it is not final, but it is about this refund
    and leads to an inquiry and an alert.
    """
    return Evidence(
        source=Source.NOTIFICATION,
        kind=EvidenceKind.MISMATCH,
        code=_MALFORMED_NOTIFICATION,
        message=f"the notification is malformed: {flaws[:_FLAWS_MAX]}",
        refund_request_id=refund_request_id,
    )


def _notification_kind(result: EvidenceKind, refund_status: str) -> EvidenceKind:
    """A final result only if the result's status, its code and the refund's status agree."""
    match result, refund_status:
        case EvidenceKind.CLOSED_UNCONFIRMED, "FAIL":
            return EvidenceKind.CLOSED_UNCONFIRMED
        case EvidenceKind.SUCCEEDED, "SUCCESS":
            return EvidenceKind.SUCCEEDED
        case EvidenceKind.FAILED_UNCONFIRMED, "FAIL":
            return EvidenceKind.FAILED
        case _:
            return EvidenceKind.MISMATCH


def _notification_message(notification: RefundNotification, kind: EvidenceKind) -> str:
    status, code = notification.refund_status[:16], notification.result.result_code[:64]
    if kind is EvidenceKind.MISMATCH:
        fields = f"result {notification.result.result_status} {code}, refundStatus {status}"
        return f"the notification contradicts itself: {fields}"
    return f"notified: {status} ({code})"


def _advice(code: str) -> str:
    meaning = MEANINGS.get(code)
    return meaning.advice if meaning else ""


def _error_advice(error: AntomError) -> str:
    """Advice for operators; conditional if the code comes from an unverified response."""
    claimed = _advice(error.claimed_code)
    return _advice(error.code) or (f"if {error.claimed_code} is true: {claimed}" if claimed else "")


def _needs_attention(code: str) -> bool:
    meaning = MEANINGS.get(code)
    return meaning is not None and meaning.needs_attention


def _quote(what: str, result: Result) -> str:
    """Antom's code and message, short enough for the operators' tables."""
    return f"{what} returned {result.result_code[:64]}: {result.result_message[:256]}"


def _money(amount: Amount | None) -> Money | None:
    """None for an invalid amount, which then counts as missing."""
    if amount is None:
        return None
    try:
        return amount.money()
    except ValueError:
        return None
