"""What Antom says of its books: answers and notifications, built from entries and nothing else."""

from datetime import datetime, timedelta, timezone
from typing import Final

from antom_refunds.antom.wire import (
    Amount,
    Heard,
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiryAnswer,
    RefundNotice,
    Result,
    Transaction,
)
from antom_refunds.simulator.accounts import Payment, PaymentStatus
from antom_refunds.simulator.codes import CLOSED, IN_PROCESS, NOT_EXIST, SUCCESS, result
from antom_refunds.simulator.heard import KeyFields
from antom_refunds.simulator.records import Refund, RefundStatus

# Antom writes its times with an offset, most often its own.
_ANTOM_ZONE: Final = timezone(timedelta(hours=8))


class ToldTransaction(Transaction):
    """A transaction with the result that Antom adds to it."""

    transaction_result: Result


class ToldPayment(PaymentInquiryAnswer):
    """inquiryPayment's answer with the fields that only Antom's side fills."""

    payment_request_id: str | None = None
    payment_create_time: datetime | None = None
    payment_result_code: str | None = None
    transactions: tuple[ToldTransaction, ...] = ()


def written(answer: Heard, *, without: str = "") -> bytes:
    """The answer's JSON, and `without` a field if one is named.

    An empty list of transactions is left out as well, as Antom does.
    """
    empty = "transactions" if not getattr(answer, "transactions", True) else ""
    left_out = {without, empty}
    return answer.model_dump_json(by_alias=True, exclude_none=True, exclude=left_out).encode()


def refund_answer(refund: Refund) -> RefundAnswer:
    """The same for every repetition of a call; ids come with S only (docs/antom.md#refund)."""
    if refund.status is not RefundStatus.SUCCESS:
        return RefundAnswer(result=refund.result)
    return RefundAnswer(
        result=refund.result,
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        payment_id=refund.key_fields.payment_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at),
    )


def inquiry_answer(refund: Refund | None) -> RefundInquiryAnswer:
    """How the refund stands; a closed one is told by its code (docs/antom.md#order-is-closed)."""
    if refund is None:
        return RefundInquiryAnswer(result=result(NOT_EXIST))
    if refund.status is RefundStatus.CLOSED:
        return RefundInquiryAnswer(result=result(CLOSED))
    has_succeeded = refund.status is RefundStatus.SUCCESS
    return RefundInquiryAnswer(
        result=result(SUCCESS),
        refund_status=refund.status,
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at) if has_succeeded else None,
    )


def stale(refund: Refund) -> Refund:
    """The refund as it stood before it ended."""
    return refund.model_copy(
        update={"status": RefundStatus.PROCESSING, "result": result(IN_PROCESS), "ended_at": None}
    )


def payment_answer(payment: Payment | None, refunds: tuple[Refund, ...]) -> ToldPayment:
    """The payment with every refund that was ever in process (docs/antom.md#inquirypayment)."""
    if payment is None:
        return ToldPayment(result=result("ORDER_NOT_EXIST"))
    is_paid = payment.status is PaymentStatus.SUCCESS
    return ToldPayment(
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


def notice(refund: Refund, *, succeeded: bool) -> RefundNotice:
    """notifyRefund claiming this outcome, true or not (docs/antom.md#notifyrefund)."""
    failure = CLOSED if refund.status is RefundStatus.CLOSED else "PROCESS_FAIL"
    return RefundNotice(
        result=result(SUCCESS) if succeeded else result(failure, "F"),
        refund_status="SUCCESS" if succeeded else "FAIL",
        refund_request_id=refund.refund_request_id,
        refund_id=refund.refund_id,
        refund_amount=_amount(refund.key_fields),
        refund_time=_local_or_none(refund.ended_at) if succeeded else None,
    )


def written_time(time: datetime) -> str:
    """The time as Antom writes it: whole seconds, with an offset."""
    return _local(time).isoformat()


def _local(time: datetime) -> datetime:
    return time.astimezone(_ANTOM_ZONE).replace(microsecond=0)


def _local_or_none(time: datetime | None) -> datetime | None:
    return None if time is None else _local(time)


def _transaction(refund: Refund) -> ToldTransaction:
    is_closed = refund.status is RefundStatus.CLOSED
    return ToldTransaction(
        transaction_result=refund.result,
        transaction_id=refund.refund_id,
        transaction_type="REFUND",
        transaction_status=RefundStatus.FAIL if is_closed else refund.status,
        transaction_amount=_amount(refund.key_fields),
        transaction_request_id=refund.refund_request_id,
        transaction_time=_local(refund.ended_at or refund.asked_at),
    )


def _amount(fields: KeyFields) -> Amount:
    return Amount(currency=fields.currency, value=fields.value)
