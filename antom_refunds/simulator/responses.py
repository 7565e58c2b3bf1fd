"""Antom's responses and notifications, built from the ledger's records alone."""

from datetime import datetime, timedelta, timezone
from typing import Final

from antom_refunds.antom.wire import (
    Amount,
    InquirePaymentResponse,
    InquireRefundResponse,
    RefundNotification,
    RefundResponse,
    Result,
    Transaction,
    WireResponse,
)
from antom_refunds.simulator.accounts import Payment, PaymentStatus
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.requests import KeyFields
from antom_refunds.simulator.result_codes import (
    CLOSED,
    IN_PROCESS,
    NOT_EXIST,
    PROCESS_FAIL,
    SUCCESS,
    result,
)

# Antom's times have an offset, most often its own.
_ANTOM_ZONE: Final = timezone(timedelta(hours=8))


class FullTransaction(Transaction):
    """A transaction with the result that Antom adds to it and the product ignores."""

    transaction_result: Result


class FullPaymentResponse(InquirePaymentResponse):
    """inquiryPayment's response with the fields that the product ignores."""

    payment_request_id: str | None = None
    payment_create_time: datetime | None = None
    payment_result_code: str | None = None
    transactions: tuple[FullTransaction, ...] = ()


def serialise(response: WireResponse, *, without: str = "") -> bytes:
    """The JSON body; a field named in `without` is left out.

    An empty list of transactions is left out as well, as Antom does.
    """
    empty = "transactions" if not getattr(response, "transactions", True) else ""
    left_out = {without, empty}
    return response.model_dump_json(by_alias=True, exclude_none=True, exclude=left_out).encode()


def refund_response(refund: RefundRecord) -> RefundResponse:
    """The same for every repeated call; ids are sent with S only (docs/antom.md#refund)."""
    if refund.status is not RefundStatus.SUCCESS:
        return RefundResponse(result=refund.result)
    return RefundResponse(
        result=refund.result,
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        payment_id=refund.key_fields.payment_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at),
    )


def inquiry_response(refund: RefundRecord | None) -> InquireRefundResponse:
    """The refund's state; a closed one has its result code (docs/antom.md#order-is-closed)."""
    if refund is None:
        return InquireRefundResponse(result=result(NOT_EXIST))
    if refund.status is RefundStatus.CLOSED:
        return InquireRefundResponse(result=result(CLOSED))
    has_succeeded = refund.status is RefundStatus.SUCCESS
    return InquireRefundResponse(
        result=result(SUCCESS),
        refund_status=refund.status,
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at) if has_succeeded else None,
    )


def before_settlement(refund: RefundRecord) -> RefundRecord:
    """The refund as it was before it ended."""
    return refund.model_copy(
        update={"status": RefundStatus.PROCESSING, "result": result(IN_PROCESS), "ended_at": None}
    )


def payment_response(
    payment: Payment | None, refunds: tuple[RefundRecord, ...]
) -> FullPaymentResponse:
    """The payment with every refund that Antom accepted (docs/antom.md#inquirypayment)."""
    if payment is None:
        return FullPaymentResponse(result=result("ORDER_NOT_EXIST"))
    is_paid = payment.status is PaymentStatus.SUCCESS
    return FullPaymentResponse(
        result=result(SUCCESS),
        payment_status=payment.status,
        payment_result_code=SUCCESS if is_paid else payment.status,
        payment_id=payment.payment_id,
        payment_request_id=payment.payment_request_id,
        payment_amount=Amount.of(payment.amount),
        payment_time=_local_or_none(payment.paid_at if is_paid else None),
        payment_create_time=_local_or_none(payment.created_at),
        payment_method_type=payment.method,
        transactions=tuple(_transaction(refund) for refund in refunds if refund.was_accepted),
    )


def notification(refund: RefundRecord, *, succeeded: bool) -> RefundNotification:
    """notifyRefund with this outcome, true or not (docs/antom.md#notifyrefund)."""
    failure = CLOSED if refund.status is RefundStatus.CLOSED else PROCESS_FAIL
    return RefundNotification(
        result=result(SUCCESS) if succeeded else result(failure, "F"),
        refund_status="SUCCESS" if succeeded else "FAIL",
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at) if succeeded else None,
    )


def format_time(time: datetime) -> str:
    """The time in Antom's format: whole seconds, with an offset."""
    return _local(time).isoformat()


def _local(time: datetime) -> datetime:
    return time.astimezone(_ANTOM_ZONE).replace(microsecond=0)


def _local_or_none(time: datetime | None) -> datetime | None:
    return None if time is None else _local(time)


def _transaction(refund: RefundRecord) -> FullTransaction:
    is_closed = refund.status is RefundStatus.CLOSED
    return FullTransaction(
        transaction_result=refund.result,
        transaction_id=refund.refund_id,
        transaction_type="REFUND",
        transaction_status=RefundStatus.FAIL if is_closed else refund.status,
        transaction_amount=_amount(refund.key_fields),
        transaction_request_id=refund.refund_request_id,
        transaction_time=_local(refund.ended_at or refund.requested_at),
    )


def _amount(fields: KeyFields) -> Amount:
    return Amount(currency=fields.currency, value=fields.value)
