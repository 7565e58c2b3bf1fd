from datetime import UTC, datetime
from typing import Any, Final

import pytest

from antom_refunds.antom.call_errors import (
    AntomError,
    BadStatusError,
    GateRefusedError,
    MalformedResponseError,
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    UnverifiedResponseError,
)
from antom_refunds.antom.interpret import (
    from_error,
    from_inquiry,
    from_inquiry_error,
    from_not_sent,
    from_notification,
    from_response,
    lists_refund,
    refunds_of_payment,
)
from antom_refunds.antom.wire import (
    InquirePaymentResponse,
    InquireRefundResponse,
    RefundNotification,
    RefundResponse,
)
from antom_refunds.domain.confirmation import confirm_by_inquiry
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.domain.state_machine import apply

EUR: Final = Money(currency="EUR", minor=1250)
ORDER: Final = RefundOrder(refund_request_id="rf-1", payment_id="pay-1", amount=EUR)
BOUND: Final = apply(
    Refund(order=ORDER),
    Evidence(source=Source.RESPONSE, kind=EvidenceKind.PROCESSING, code="REFUND_IN_PROCESS"),
)


def _result(status: str, code: str) -> dict[str, Any]:
    return {"resultCode": code, "resultStatus": status, "resultMessage": "Antom's words"}


def response_of(status: str, code: str, **changes: Any) -> RefundResponse:
    fields = {
        "result": _result(status, code),
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "paymentId": "pay-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-11T10:04:09+08:00",
    }
    return RefundResponse.model_validate({**fields, **changes})


def inquiry(
    status: str, code: str, refund_status: str | None, **changes: Any
) -> InquireRefundResponse:
    fields = {
        "result": _result(status, code),
        "refundStatus": refund_status,
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-11T10:04:09+08:00",
    }
    return InquireRefundResponse.model_validate({**fields, **changes})


def notification_of(
    status: str, code: str, refund_status: str, **changes: Any
) -> RefundNotification:
    fields = {
        "notifyType": "REFUND_RESULT",
        "result": _result(status, code),
        "refundStatus": refund_status,
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-12T02:11:40-07:00",
    }
    return RefundNotification.model_validate({**fields, **changes})


# --- the response to the refund call


def test_a_response_becomes_evidence_with_all_its_fields() -> None:
    assert from_response(response_of("S", "SUCCESS")) == Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind.SUCCEEDED,
        code="SUCCESS",
        message="the refund call returned SUCCESS: Antom's words",
        refund_request_id="rf-1",
        payment_id="pay-1",
        refund_id="antom-1",
        amount=EUR,
        refund_time=datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("U", "REFUND_IN_PROCESS", EvidenceKind.PROCESSING),
        ("S", "REFUND_IN_PROCESS", EvidenceKind.PROCESSING),
        ("U", "UNKNOWN_EXCEPTION", EvidenceKind.DOUBT),
        ("U", "REQUEST_TRAFFIC_EXCEED_LIMIT", EvidenceKind.DOUBT),
        ("U", "BRAND_NEW_CODE", EvidenceKind.DOUBT),
        ("F", "MERCHANT_BALANCE_NOT_ENOUGH", EvidenceKind.FAILED_UNCONFIRMED),
        ("F", "BRAND_NEW_CODE", EvidenceKind.FAILED_UNCONFIRMED),
        ("F", "REPEAT_REQ_INCONSISTENT", EvidenceKind.ID_CONFLICT),
        ("U", "ORDER_IS_CLOSED", EvidenceKind.CLOSED_UNCONFIRMED),
        ("F", "ORDER_IS_CLOSED", EvidenceKind.CLOSED_UNCONFIRMED),
        # A status and a code that contradict each other prove nothing.
        ("F", "SUCCESS", EvidenceKind.DOUBT),
        ("U", "SUCCESS", EvidenceKind.DOUBT),
        ("S", "MERCHANT_BALANCE_NOT_ENOUGH", EvidenceKind.DOUBT),
        ("F", "REFUND_IN_PROCESS", EvidenceKind.DOUBT),
        ("F", "UNKNOWN_EXCEPTION", EvidenceKind.DOUBT),
    ],
)
def test_status_and_code_decide_the_meaning_of_a_response(
    status: str, code: str, kind: EvidenceKind
) -> None:
    evidence = from_response(response_of(status, code))

    assert (evidence.kind, evidence.code) == (kind, code)


def test_long_texts_of_antom_are_truncated_for_the_operators_tables() -> None:
    result = {"resultCode": "C" * 999, "resultStatus": "U", "resultMessage": "m" * 999}

    message = from_response(response_of("U", "x", result=result)).message

    assert message == f"the refund call returned {'C' * 64}: {'m' * 256}"


@pytest.mark.parametrize("status", ["S", "F", "U"])
def test_a_code_of_any_length_fits_into_a_search_attribute(status: str) -> None:
    result = {"resultCode": "C" * 5000, "resultStatus": status}

    results = (
        from_response(response_of("S", "x", result=result)),
        from_inquiry(inquiry("S", "x", "FAIL", result=result)),
    )

    assert {each.code for each in results} == {"C" * 64}


@pytest.mark.parametrize(
    "amount",
    [
        None,
        {"currency": "EUR", "value": "12.50"},
        {"currency": "EUR", "value": "-1"},
        {"currency": "EUR", "value": ""},
        {"currency": "EUR", "value": "\u0661"},
        {"currency": "EUR", "value": "9" * 17},
        {"currency": "EUR", "value": "9" * 5000},
        {"currency": "eur", "value": "1250"},
    ],
)
def test_a_success_without_a_readable_amount_is_not_final(amount: object) -> None:
    evidence = from_response(response_of("S", "SUCCESS", refundAmount=amount))

    assert evidence.amount is None
    assert apply(Refund(order=ORDER), evidence).state is RefundState.IN_DOUBT


# --- no response to the refund call


@pytest.mark.parametrize(
    "error",
    [
        NoResponseError("no_response", "no response from Antom"),
        BadStatusError("http_500", "Antom returned HTTP 500"),
        UnverifiedResponseError("unverified_response", "not proven"),
        MalformedResponseError("malformed_response", "not in the documented form"),
    ],
)
def test_an_unusable_response_is_doubt_and_the_same_request_is_sent_again(
    error: OutcomeUnknownError,
) -> None:
    assert from_error(error) == Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind.DOUBT,
        code=error.code,
        message=str(error),
        advice="the same request is sent again",
    )


@pytest.mark.parametrize(
    ("claimed", "advice"),
    [
        (
            "INVALID_SIGNATURE",
            "if INVALID_SIGNATURE is true: fix the merchant's private key or its version",
        ),
        ("BRAND_NEW_CODE", "the same request is sent again"),
        ("SUCCESS", "the same request is sent again"),
        ("", "the same request is sent again"),
    ],
)
def test_an_unverified_code_is_reported_as_unverified(claimed: str, advice: str) -> None:
    evidence = from_error(
        UnverifiedResponseError("unverified_response", "not proven", claimed_code=claimed)
    )

    assert evidence.kind is EvidenceKind.DOUBT
    assert (evidence.code, evidence.claimed_code) == ("unverified_response", claimed)
    assert evidence.advice == advice
    assert not evidence.needs_attention


@pytest.mark.parametrize(
    ("claimed", "advice"),
    [
        (
            "KEY_NOT_FOUND",
            "if KEY_NOT_FOUND is true: upload the merchant's public key to Antom",
        ),
        ("", ""),
    ],
)
def test_an_inquirys_unverified_code_is_reported_as_unverified(claimed: str, advice: str) -> None:
    evidence = from_inquiry_error(
        UnverifiedResponseError("unverified_response", "not proven", claimed_code=claimed)
    )

    assert (evidence.kind, evidence.claimed_code) == (EvidenceKind.NO_INFORMATION, claimed)
    assert evidence.advice == advice


def test_a_call_that_was_not_sent_says_so_and_what_to_check() -> None:
    evidence = from_not_sent(NotSentError("not_sent", "no connection to Antom"))

    assert (evidence.source, evidence.kind) == (Source.RESPONSE, EvidenceKind.UNSENT)
    assert (evidence.code, evidence.message) == ("not_sent", "no connection to Antom")
    assert evidence.advice == (
        "check network, proxy and certificates between the worker and Antom's gateway"
    )
    assert apply(Refund(order=ORDER), evidence) == Refund(order=ORDER)


def test_a_gate_refusal_blocks_and_alerts_an_operator() -> None:
    evidence = from_error(GateRefusedError("INVALID_SIGNATURE", "Antom refused the call"))

    assert evidence.kind is EvidenceKind.BLOCKED
    assert evidence.advice == "fix the merchant's private key or its version"
    assert evidence.needs_attention


# --- the response to inquiryRefund


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "kind"),
    [
        ("S", "SUCCESS", "SUCCESS", EvidenceKind.SUCCEEDED),
        ("S", "SUCCESS", "FAIL", EvidenceKind.FAILED),
        ("S", "SUCCESS", "PROCESSING", EvidenceKind.PROCESSING),
        ("S", "SUCCESS", None, EvidenceKind.NOT_FOUND),
        ("S", "SUCCESS", "PENDING", EvidenceKind.MISMATCH),
        ("S", "SUCCESS", "CANCELLED", EvidenceKind.MISMATCH),
        ("S", "SUCCESS", "success", EvidenceKind.MISMATCH),
        ("S", "SUCCESS", "", EvidenceKind.MISMATCH),
        ("S", "ORDER_IS_CLOSED", "SUCCESS", EvidenceKind.SUCCEEDED),
        ("S", "ORDER_IS_CLOSED", "PROCESSING", EvidenceKind.PROCESSING),
        ("S", "ORDER_IS_CLOSED", "FAIL", EvidenceKind.CLOSED),
        ("S", "ORDER_IS_CLOSED", None, EvidenceKind.CLOSED),
        ("S", "MERCHANT_BALANCE_NOT_ENOUGH", "FAIL", EvidenceKind.FAILED),
        ("F", "ORDER_IS_CLOSED", None, EvidenceKind.CLOSED),
        ("U", "ORDER_IS_CLOSED", None, EvidenceKind.CLOSED),
        ("F", "ORDER_IS_CLOSED", "FAIL", EvidenceKind.CLOSED),
        ("U", "ORDER_IS_CLOSED", "SUCCESS", EvidenceKind.MISMATCH),
        ("F", "ORDER_IS_CLOSED", "PROCESSING", EvidenceKind.MISMATCH),
        ("F", "REFUND_NOT_EXIST", None, EvidenceKind.NOT_FOUND),
        ("F", "ORDER_NOT_EXIST", None, EvidenceKind.NOT_FOUND),
        ("F", "REFUND_NOT_EXIST", "SUCCESS", EvidenceKind.MISMATCH),
        ("U", "REFUND_NOT_EXIST", None, EvidenceKind.NO_INFORMATION),
        ("F", "PARAM_ILLEGAL", None, EvidenceKind.NO_INFORMATION),
        ("F", "PROCESS_FAIL", None, EvidenceKind.NO_INFORMATION),
        ("F", "SYSTEM_ERROR", "FAIL", EvidenceKind.NO_INFORMATION),
        ("F", "BRAND_NEW_CODE", None, EvidenceKind.NO_INFORMATION),
        ("U", "UNKNOWN_EXCEPTION", None, EvidenceKind.NO_INFORMATION),
        ("U", "REQUEST_TRAFFIC_EXCEED_LIMIT", None, EvidenceKind.NO_INFORMATION),
        ("U", "BRAND_NEW_CODE", "SUCCESS", EvidenceKind.NO_INFORMATION),
    ],
)
def test_an_inquiry_is_interpreted_as_in_the_decision_table(
    status: str, code: str, refund_status: str | None, kind: EvidenceKind
) -> None:
    evidence = from_inquiry(inquiry(status, code, refund_status))

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, kind)
    assert evidence.message


def test_a_succeeded_inquiry_contains_the_refund() -> None:
    evidence = from_inquiry(inquiry("S", "SUCCESS", "SUCCESS"))

    assert apply(BOUND, evidence).state is RefundState.SUCCEEDED
    assert apply(Refund(order=ORDER), evidence).state is RefundState.IN_DOUBT
    assert evidence.refund_id == "antom-1"
    assert evidence.refund_time == datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)


def test_a_failure_without_its_own_code_says_so() -> None:
    evidence = from_inquiry(inquiry("S", "SUCCESS", "FAIL"))

    assert evidence.code == "FAIL"
    assert evidence.advice == "Antom gave no reason: contact its support, or use a new id"
    assert not evidence.needs_attention


@pytest.mark.parametrize(
    ("code", "advice", "needs_attention"),
    [
        ("MERCHANT_BALANCE_NOT_ENOUGH", "top up the balance", False),
        ("RISK_REJECT", "contact Antom's support", True),
        ("BRAND_NEW_CODE", "Antom gave no reason", False),
    ],
)
def test_a_failure_with_its_own_code_keeps_the_advice_of_the_code(
    code: str, advice: str, *, needs_attention: bool
) -> None:
    evidence = from_inquiry(inquiry("S", code, "FAIL"))

    assert evidence.code == code
    assert advice in evidence.advice
    assert evidence.needs_attention is needs_attention


def test_an_unknown_refund_status_is_quoted_and_truncated() -> None:
    evidence = from_inquiry(inquiry("S", "SUCCESS", "P" * 999))

    assert evidence.message == f"the inquiry says '{'P' * 16}', which is not a known status"


# --- confirmation of an announced result


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "closing", "failure"),
    [
        ("S", "SUCCESS", "FAIL", EvidenceKind.CLOSED, EvidenceKind.FAILED),
        ("S", "SUCCESS", None, EvidenceKind.CLOSED, EvidenceKind.FAILED),
        ("F", "REFUND_NOT_EXIST", None, EvidenceKind.CLOSED, EvidenceKind.FAILED),
        ("F", "ORDER_IS_CLOSED", None, EvidenceKind.CLOSED, EvidenceKind.CLOSED),
        ("S", "SUCCESS", "SUCCESS", EvidenceKind.SUCCEEDED, EvidenceKind.SUCCEEDED),
        ("S", "SUCCESS", "PROCESSING", EvidenceKind.PROCESSING, EvidenceKind.PROCESSING),
        ("S", "SUCCESS", "PENDING", EvidenceKind.MISMATCH, EvidenceKind.MISMATCH),
        ("U", "ORDER_IS_CLOSED", "SUCCESS", EvidenceKind.MISMATCH, EvidenceKind.MISMATCH),
        ("F", "REFUND_NOT_EXIST", "PROCESSING", EvidenceKind.MISMATCH, EvidenceKind.MISMATCH),
        ("F", "SYSTEM_ERROR", None, EvidenceKind.NO_INFORMATION, EvidenceKind.NO_INFORMATION),
        ("U", "REFUND_NOT_EXIST", None, EvidenceKind.NO_INFORMATION, EvidenceKind.NO_INFORMATION),
    ],
)
def test_neither_success_nor_processing_nor_a_failed_inquiry_confirms_an_announced_result(
    status: str, code: str, refund_status: str | None, closing: EvidenceKind, failure: EvidenceKind
) -> None:
    evidence = from_inquiry(inquiry(status, code, refund_status))
    closed = apply(Refund(order=ORDER), from_response(response_of("F", "ORDER_IS_CLOSED")))
    refused = apply(Refund(order=ORDER), from_response(response_of("F", "RISK_REJECT")))

    assert confirm_by_inquiry(closed, evidence, is_quiet=True).kind is closing
    assert confirm_by_inquiry(refused, evidence, is_quiet=True).kind is failure


# --- the response to inquiryPayment


def transaction(**changes: Any) -> dict[str, Any]:
    return {
        "transactionType": "REFUND",
        "transactionStatus": "SUCCESS",
        "transactionRequestId": "rf-1",
        "transactionAmount": {"currency": "EUR", "value": "1250"},
        **changes,
    }


def payment(*transactions: dict[str, Any], **changes: Any) -> InquirePaymentResponse:
    fields = {
        "result": _result("S", "SUCCESS"),
        "paymentId": "pay-1",
        "transactions": transactions,
    }
    return InquirePaymentResponse.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("results", "is_named"),
    [
        (payment(transaction()), True),
        (payment(transaction(transactionRequestId="rf-0"), transaction()), True),
        (payment(transaction(transactionStatus="PROCESSING")), True),
        (payment(transaction(), paymentId=None), True),
        (payment(transaction(), paymentId="pay-2"), False),
        (payment(), False),
        (payment(transaction(transactionType="CAPTURE")), False),
        (payment(transaction(transactionRequestId="rf-2")), False),
        (payment(transaction(transactionRequestId=None)), False),
        (payment(transaction(transactionAmount={"currency": "EUR", "value": "1251"})), False),
        (payment(transaction(transactionAmount={"currency": "USD", "value": "1250"})), False),
        (payment(transaction(transactionAmount={"currency": "EUR", "value": "x"})), False),
    ],
)
def test_a_payment_lists_a_refund_by_type_id_and_amount(
    results: InquirePaymentResponse, *, is_named: bool
) -> None:
    assert lists_refund(results, ORDER) is is_named


def test_the_refunds_of_a_payment_are_those_that_moved_or_may_move_money() -> None:
    long = {"transactionRequestId": "x" * 65, "transactionId": "antom-1"}
    response = payment(
        transaction(),
        transaction(transactionStatus="PROCESSING", **long),
        transaction(transactionStatus="FAIL"),
        transaction(transactionType="CAPTURE"),
    )

    found = refunds_of_payment(response, ORDER)

    assert [(each.kind, each.name, each.amount) for each in found] == [
        (EvidenceKind.SUCCEEDED, "rf-1", EUR),
        (EvidenceKind.PROCESSING, "antom-1", EUR),
    ]


def test_the_refunds_of_another_payment_are_not_listed() -> None:
    assert refunds_of_payment(payment(transaction(), paymentId="pay-2"), ORDER) == ()


# --- no response to inquiryRefund


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("not_sent", "no connection"),
        NoResponseError("no_response", "no answer"),
        MalformedResponseError("malformed_response", "not in the documented form"),
    ],
)
def test_an_inquiry_without_a_response_says_nothing_about_the_refund(error: AntomError) -> None:
    assert from_inquiry_error(error) == Evidence(
        source=Source.INQUIRY, kind=EvidenceKind.NO_INFORMATION, code=error.code, message=str(error)
    )


def test_an_inquiry_refused_at_the_gate_alerts_an_operator() -> None:
    evidence = from_inquiry_error(GateRefusedError("ACCESS_DENIED", "Antom refused the inquiry"))

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, EvidenceKind.BLOCKED)
    assert evidence.advice == "ask Antom to permit this API for the client-id"
    assert evidence.needs_attention
    refund = apply(BOUND, evidence)
    assert refund.state is RefundState.PROCESSING
    assert refund.attention_reason == f"ACCESS_DENIED: {evidence.advice}"


# --- notifications


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "kind"),
    [
        ("S", "SUCCESS", "SUCCESS", EvidenceKind.SUCCEEDED),
        ("S", "SUCCESS", "S", EvidenceKind.SUCCEEDED),
        ("S", "BRAND_NEW_CODE", "SUCCESS", EvidenceKind.SUCCEEDED),
        ("F", "PROCESS_FAIL", "FAIL", EvidenceKind.FAILED),
        ("F", "PROCESS_FAIL", "F", EvidenceKind.FAILED),
        ("F", "BRAND_NEW_CODE", "FAIL", EvidenceKind.FAILED),
        ("F", "ORDER_NOT_EXIST", "FAIL", EvidenceKind.FAILED),
        ("S", "SUCCESS", "FAIL", EvidenceKind.MISMATCH),
        ("F", "PROCESS_FAIL", "SUCCESS", EvidenceKind.MISMATCH),
        ("U", "UNKNOWN_EXCEPTION", "SUCCESS", EvidenceKind.MISMATCH),
        ("U", "UNKNOWN_EXCEPTION", "FAIL", EvidenceKind.MISMATCH),
        ("S", "SUCCESS", "PROCESSING", EvidenceKind.MISMATCH),
        ("S", "SUCCESS", "U", EvidenceKind.MISMATCH),
        ("F", "SUCCESS", "FAIL", EvidenceKind.MISMATCH),
        ("F", "REFUND_IN_PROCESS", "FAIL", EvidenceKind.MISMATCH),
        ("F", "INVALID_SIGNATURE", "FAIL", EvidenceKind.MISMATCH),
        ("S", "PROCESS_FAIL", "SUCCESS", EvidenceKind.MISMATCH),
        ("F", "ORDER_IS_CLOSED", "FAIL", EvidenceKind.CLOSED_UNCONFIRMED),
        ("U", "ORDER_IS_CLOSED", "FAIL", EvidenceKind.CLOSED_UNCONFIRMED),
        ("S", "ORDER_IS_CLOSED", "FAIL", EvidenceKind.CLOSED_UNCONFIRMED),
        ("F", "ORDER_IS_CLOSED", "SUCCESS", EvidenceKind.MISMATCH),
        ("S", "ORDER_IS_CLOSED", "SUCCESS", EvidenceKind.MISMATCH),
        ("F", "ORDER_IS_CLOSED", "PROCESSING", EvidenceKind.MISMATCH),
    ],
)
def test_a_notification_is_trusted_where_all_its_parts_agree(
    status: str, code: str, refund_status: str, kind: EvidenceKind
) -> None:
    evidence = from_notification(notification_of(status, code, refund_status))

    assert (evidence.source, evidence.kind, evidence.code) == (Source.NOTIFICATION, kind, code)


def test_a_notification_becomes_evidence_with_all_its_fields() -> None:
    assert from_notification(notification_of("S", "SUCCESS", "SUCCESS")) == Evidence(
        source=Source.NOTIFICATION,
        kind=EvidenceKind.SUCCEEDED,
        code="SUCCESS",
        message="notified: SUCCESS (SUCCESS)",
        refund_request_id="rf-1",
        refund_id="antom-1",
        amount=EUR,
        refund_time=datetime(2026, 9, 12, 9, 11, 40, tzinfo=UTC),
    )


def test_an_inconsistent_notification_says_which_parts_contradict() -> None:
    assert from_notification(notification_of("F", "PROCESS_FAIL", "SUCCESS")).message == (
        "the notification contradicts itself: result F PROCESS_FAIL, refundStatus SUCCESS"
    )


@pytest.mark.parametrize(
    ("code", "needs_attention"),
    [
        ("MERCHANT_BALANCE_NOT_ENOUGH", False),
        ("RISK_REJECT", True),
        ("BRAND_NEW_CODE", True),
    ],
)
def test_a_notified_failure_keeps_the_advice_of_the_code(
    code: str, *, needs_attention: bool
) -> None:
    evidence = from_notification(notification_of("F", code, "FAIL"))

    assert evidence.advice
    assert evidence.needs_attention is needs_attention


def test_an_unreadable_amount_in_a_notification_is_not_final() -> None:
    strange = notification_of(
        "S", "SUCCESS", "SUCCESS", refundAmount={"currency": "EUR", "value": "x"}
    )

    assert apply(Refund(order=ORDER), from_notification(strange)).state is RefundState.IN_DOUBT
