"""Responses that Antom really gave, but to another call than the one they reach."""

from datetime import UTC, datetime
from typing import Final, assert_never

from antom_refunds.antom.wire import (
    Amount,
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiryAnswer,
    Result,
)
from antom_refunds.simulator.codes import NOT_EXIST, PROCESS_FAIL, Status, result
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.told import written

# The refusals that do the most harm where they are taken for one's own: they name no refund.
_USUAL: Final = {
    CallKind.REFUND: PROCESS_FAIL,
    CallKind.INQUIRY: NOT_EXIST,
    CallKind.PAYMENT: "ORDER_NOT_EXIST",
}
_REFUND_REQUEST_ID: Final = "another-refund"
_REFUND_ID: Final = "20260101194010800100180000000000"
_PAYMENT_ID: Final = "another-payment"
_AMOUNT: Final = Amount(currency="EUR", value="1")
_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)


def other_response(kind: CallKind, *, code: str | None, status: Status | None) -> bytes:
    """The body of the response to another call; only one with `S` says which call that was."""
    said = result(code or _USUAL[kind], status)
    if said.result_status != "S":
        return written(RefundAnswer(result=said))
    return _success(kind, said)


def _success(kind: CallKind, said: Result) -> bytes:
    match kind:
        case CallKind.REFUND:
            return written(
                RefundAnswer(
                    result=said,
                    refund_request_id=_REFUND_REQUEST_ID,
                    refund_id=_REFUND_ID,
                    payment_id=_PAYMENT_ID,
                    refund_amount=_AMOUNT,
                    refund_time=_TIME,
                )
            )
        case CallKind.INQUIRY:
            return written(
                RefundInquiryAnswer(
                    result=said,
                    refund_status="SUCCESS",
                    refund_request_id=_REFUND_REQUEST_ID,
                    refund_id=_REFUND_ID,
                    refund_amount=_AMOUNT,
                    refund_time=_TIME,
                )
            )
        case CallKind.PAYMENT:
            return written(
                PaymentInquiryAnswer(
                    result=said,
                    payment_status="SUCCESS",
                    payment_id=_PAYMENT_ID,
                    payment_amount=_AMOUNT,
                    payment_time=_TIME,
                )
            )
        case _:
            assert_never(kind)
