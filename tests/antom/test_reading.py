from datetime import UTC, datetime
from typing import Any, Final

import pytest

from antom_refunds.antom.errors import (
    AntomError,
    BadStatusError,
    GarbledAnswerError,
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    UnverifiedAnswerError,
)
from antom_refunds.antom.reading import (
    answered,
    inquired,
    names_refund,
    noticed,
    unanswered,
    uninquired,
    unsent,
)
from antom_refunds.antom.wire import (
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiryAnswer,
    RefundNotice,
)
from antom_refunds.domain.confirmation import confirmed
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.fold import take
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState

EUR: Final = Money(currency="EUR", minor=1250)
ORDER: Final = RefundOrder(refund_request_id="rf-1", payment_id="pay-1", amount=EUR)
BOUND: Final = take(
    Refund(order=ORDER),
    Evidence(source=Source.ANSWER, word=Word.PROCESSING, code="REFUND_IN_PROCESS"),
)


def _result(status: str, code: str) -> dict[str, Any]:
    return {"resultCode": code, "resultStatus": status, "resultMessage": "Antom's words"}


def answer(status: str, code: str, **changes: Any) -> RefundAnswer:
    fields = {
        "result": _result(status, code),
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "paymentId": "pay-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-11T10:04:09+08:00",
    }
    return RefundAnswer.model_validate({**fields, **changes})


def inquiry(
    status: str, code: str, refund_status: str | None, **changes: Any
) -> RefundInquiryAnswer:
    fields = {
        "result": _result(status, code),
        "refundStatus": refund_status,
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-11T10:04:09+08:00",
    }
    return RefundInquiryAnswer.model_validate({**fields, **changes})


def notice(status: str, code: str, refund_status: str, **changes: Any) -> RefundNotice:
    fields = {
        "notifyType": "REFUND_RESULT",
        "result": _result(status, code),
        "refundStatus": refund_status,
        "refundRequestId": "rf-1",
        "refundId": "antom-1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-12T02:11:40-07:00",
    }
    return RefundNotice.model_validate({**fields, **changes})


# --- the answer to the refund call


def test_an_answer_becomes_evidence_with_all_it_names() -> None:
    assert answered(answer("S", "SUCCESS")) == Evidence(
        source=Source.ANSWER,
        word=Word.SUCCEEDED,
        code="SUCCESS",
        message="the refund call was answered SUCCESS: Antom's words",
        refund_request_id="rf-1",
        payment_id="pay-1",
        refund_id="antom-1",
        amount=EUR,
        refund_time=datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        ("U", "REFUND_IN_PROCESS", Word.PROCESSING),
        ("S", "REFUND_IN_PROCESS", Word.PROCESSING),
        ("U", "UNKNOWN_EXCEPTION", Word.DOUBT),
        ("U", "REQUEST_TRAFFIC_EXCEED_LIMIT", Word.DOUBT),
        ("U", "BRAND_NEW_CODE", Word.DOUBT),
        ("F", "MERCHANT_BALANCE_NOT_ENOUGH", Word.FAILED_UNCONFIRMED),
        ("F", "BRAND_NEW_CODE", Word.FAILED_UNCONFIRMED),
        ("F", "REPEAT_REQ_INCONSISTENT", Word.ID_CONFLICT),
        ("U", "ORDER_IS_CLOSED", Word.CLOSING),
        ("F", "ORDER_IS_CLOSED", Word.CLOSING),
        # A status and a code that do not go together prove nothing.
        ("F", "SUCCESS", Word.DOUBT),
        ("U", "SUCCESS", Word.DOUBT),
        ("S", "MERCHANT_BALANCE_NOT_ENOUGH", Word.DOUBT),
        ("F", "REFUND_IN_PROCESS", Word.DOUBT),
        ("F", "UNKNOWN_EXCEPTION", Word.DOUBT),
    ],
)
def test_an_answer_says_what_its_status_and_code_say(status: str, code: str, word: Word) -> None:
    evidence = answered(answer(status, code))

    assert (evidence.word, evidence.code) == (word, code)


def test_long_words_of_antom_are_cut_for_the_operators_tables() -> None:
    result = {"resultCode": "C" * 999, "resultStatus": "U", "resultMessage": "m" * 999}

    message = answered(answer("U", "x", result=result)).message

    assert message == f"the refund call was answered {'C' * 64}: {'m' * 256}"


@pytest.mark.parametrize("status", ["S", "F", "U"])
def test_a_code_of_any_length_fits_into_a_search_attribute(status: str) -> None:
    result = {"resultCode": "C" * 5000, "resultStatus": status}

    said = (
        answered(answer("S", "x", result=result)),
        inquired(inquiry("S", "x", "FAIL", result=result)),
    )

    assert {each.code for each in said} == {"C" * 64}


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
def test_a_success_without_a_readable_amount_ends_nothing(amount: object) -> None:
    evidence = answered(answer("S", "SUCCESS", refundAmount=amount))

    assert evidence.amount is None
    assert take(Refund(order=ORDER), evidence).state is RefundState.IN_DOUBT


# --- no answer to the refund call


@pytest.mark.parametrize(
    "error",
    [
        NoAnswerError("no_answer", "no answer from Antom"),
        BadStatusError("http_500", "Antom answered HTTP 500"),
        UnverifiedAnswerError("unverified_answer", "not proven"),
        GarbledAnswerError("garbled_answer", "not of the documented form"),
    ],
)
def test_no_usable_answer_is_doubt_and_the_same_request_is_sent_again(
    error: OutcomeUnknownError,
) -> None:
    assert unanswered(error) == Evidence(
        source=Source.ANSWER,
        word=Word.DOUBT,
        code=error.code,
        message=str(error),
        advice="the same request is sent again",
    )


@pytest.mark.parametrize(
    ("claimed", "advice"),
    [
        (
            "INVALID_SIGNATURE",
            "if INVALID_SIGNATURE is true: mend the merchant's private key or its version",
        ),
        ("BRAND_NEW_CODE", "the same request is sent again"),
        ("SUCCESS", "the same request is sent again"),
        ("", "the same request is sent again"),
    ],
)
def test_an_unproven_code_is_told_as_unproven(claimed: str, advice: str) -> None:
    evidence = unanswered(
        UnverifiedAnswerError("unverified_answer", "not proven", claimed_code=claimed)
    )

    assert evidence.word is Word.DOUBT
    assert (evidence.code, evidence.claimed_code) == ("unverified_answer", claimed)
    assert evidence.advice == advice
    assert not evidence.needs_human


@pytest.mark.parametrize(
    ("claimed", "advice"),
    [
        (
            "KEY_NOT_FOUND",
            "if KEY_NOT_FOUND is true: upload the merchant's public key at Antom",
        ),
        ("", ""),
    ],
)
def test_an_inquirys_unproven_code_is_told_as_unproven(claimed: str, advice: str) -> None:
    evidence = uninquired(
        UnverifiedAnswerError("unverified_answer", "not proven", claimed_code=claimed)
    )

    assert (evidence.word, evidence.claimed_code) == (Word.SILENT, claimed)
    assert evidence.advice == advice


def test_a_call_that_never_left_says_so_and_what_to_check() -> None:
    evidence = unsent(NotSentError("not_sent", "no connection to Antom"))

    assert (evidence.source, evidence.word) == (Source.ANSWER, Word.UNSENT)
    assert (evidence.code, evidence.message) == ("not_sent", "no connection to Antom")
    assert evidence.advice == (
        "check network, proxy and certificates between the worker and Antom's gateway"
    )
    assert take(Refund(order=ORDER), evidence) == Refund(order=ORDER)


def test_a_refusal_at_the_gate_blocks_and_calls_a_person() -> None:
    evidence = unanswered(RefusedError("INVALID_SIGNATURE", "Antom refused the call"))

    assert evidence.word is Word.BLOCKED
    assert evidence.advice == "mend the merchant's private key or its version"
    assert evidence.needs_human


# --- the answer to inquiryRefund


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "word"),
    [
        ("S", "SUCCESS", "SUCCESS", Word.SUCCEEDED),
        ("S", "SUCCESS", "FAIL", Word.FAILED),
        ("S", "SUCCESS", "PROCESSING", Word.PROCESSING),
        ("S", "SUCCESS", None, Word.ABSENT),
        ("S", "SUCCESS", "PENDING", Word.SUSPECT),
        ("S", "SUCCESS", "CANCELLED", Word.SUSPECT),
        ("S", "SUCCESS", "success", Word.SUSPECT),
        ("S", "SUCCESS", "", Word.SUSPECT),
        ("S", "ORDER_IS_CLOSED", "SUCCESS", Word.SUCCEEDED),
        ("S", "ORDER_IS_CLOSED", "PROCESSING", Word.PROCESSING),
        ("S", "ORDER_IS_CLOSED", "FAIL", Word.CLOSED),
        ("S", "ORDER_IS_CLOSED", None, Word.CLOSED),
        ("S", "MERCHANT_BALANCE_NOT_ENOUGH", "FAIL", Word.FAILED),
        ("F", "ORDER_IS_CLOSED", None, Word.CLOSED),
        ("U", "ORDER_IS_CLOSED", None, Word.CLOSED),
        ("F", "ORDER_IS_CLOSED", "FAIL", Word.CLOSED),
        ("U", "ORDER_IS_CLOSED", "SUCCESS", Word.SUSPECT),
        ("F", "ORDER_IS_CLOSED", "PROCESSING", Word.SUSPECT),
        ("F", "REFUND_NOT_EXIST", None, Word.ABSENT),
        ("F", "ORDER_NOT_EXIST", None, Word.ABSENT),
        ("F", "REFUND_NOT_EXIST", "SUCCESS", Word.SUSPECT),
        ("U", "REFUND_NOT_EXIST", None, Word.SILENT),
        ("F", "PARAM_ILLEGAL", None, Word.SILENT),
        ("F", "PROCESS_FAIL", None, Word.SILENT),
        ("F", "SYSTEM_ERROR", "FAIL", Word.SILENT),
        ("F", "BRAND_NEW_CODE", None, Word.SILENT),
        ("U", "UNKNOWN_EXCEPTION", None, Word.SILENT),
        ("U", "REQUEST_TRAFFIC_EXCEED_LIMIT", None, Word.SILENT),
        ("U", "BRAND_NEW_CODE", "SUCCESS", Word.SILENT),
    ],
)
def test_an_inquiry_says_what_the_decision_table_says(
    status: str, code: str, refund_status: str | None, word: Word
) -> None:
    evidence = inquired(inquiry(status, code, refund_status))

    assert (evidence.source, evidence.word) == (Source.INQUIRY, word)
    assert evidence.message


def test_an_inquiry_that_succeeded_names_the_refund() -> None:
    evidence = inquired(inquiry("S", "SUCCESS", "SUCCESS"))

    assert take(BOUND, evidence).state is RefundState.SUCCEEDED
    assert take(Refund(order=ORDER), evidence).state is RefundState.IN_DOUBT
    assert evidence.refund_id == "antom-1"
    assert evidence.refund_time == datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)


def test_a_failure_without_a_code_of_its_own_says_so() -> None:
    evidence = inquired(inquiry("S", "SUCCESS", "FAIL"))

    assert evidence.code == "FAIL"
    assert evidence.advice == "Antom names no reason: ask its support, or use a new id"
    assert not evidence.needs_human


@pytest.mark.parametrize(
    ("code", "advice", "needs_human"),
    [
        ("MERCHANT_BALANCE_NOT_ENOUGH", "top up the balance", False),
        ("RISK_REJECT", "ask Antom's support", True),
        ("BRAND_NEW_CODE", "Antom names no reason", False),
    ],
)
def test_a_failure_with_a_code_of_its_own_keeps_the_codes_advice(
    code: str, advice: str, *, needs_human: bool
) -> None:
    evidence = inquired(inquiry("S", code, "FAIL"))

    assert evidence.code == code
    assert advice in evidence.advice
    assert evidence.needs_human is needs_human


def test_an_unknown_refund_status_is_quoted_but_not_at_any_length() -> None:
    evidence = inquired(inquiry("S", "SUCCESS", "P" * 999))

    assert evidence.message == f"the inquiry says '{'P' * 16}', which is no known status"


# --- confirming an end that was announced before


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "closing", "failure"),
    [
        ("S", "SUCCESS", "FAIL", Word.CLOSED, Word.FAILED),
        ("S", "SUCCESS", None, Word.CLOSED, Word.FAILED),
        ("F", "REFUND_NOT_EXIST", None, Word.CLOSED, Word.FAILED),
        ("F", "ORDER_IS_CLOSED", None, Word.CLOSED, Word.CLOSED),
        ("S", "SUCCESS", "SUCCESS", Word.SUCCEEDED, Word.SUCCEEDED),
        ("S", "SUCCESS", "PROCESSING", Word.PROCESSING, Word.PROCESSING),
        ("S", "SUCCESS", "PENDING", Word.SUSPECT, Word.SUSPECT),
        ("U", "ORDER_IS_CLOSED", "SUCCESS", Word.SUSPECT, Word.SUSPECT),
        ("F", "REFUND_NOT_EXIST", "PROCESSING", Word.SUSPECT, Word.SUSPECT),
        ("F", "SYSTEM_ERROR", None, Word.SILENT, Word.SILENT),
        ("U", "REFUND_NOT_EXIST", None, Word.SILENT, Word.SILENT),
    ],
)
def test_neither_success_nor_processing_nor_silence_confirms_an_announced_end(
    status: str, code: str, refund_status: str | None, closing: Word, failure: Word
) -> None:
    evidence = inquired(inquiry(status, code, refund_status))
    closed = take(Refund(order=ORDER), answered(answer("F", "ORDER_IS_CLOSED")))
    refused = take(Refund(order=ORDER), answered(answer("F", "RISK_REJECT")))

    assert confirmed(closed, evidence, is_quiet=True).word is closing
    assert confirmed(refused, evidence, is_quiet=True).word is failure


# --- the answer to inquiryPayment


def transaction(**changes: Any) -> dict[str, Any]:
    return {
        "transactionType": "REFUND",
        "transactionStatus": "SUCCESS",
        "transactionRequestId": "rf-1",
        "transactionAmount": {"currency": "EUR", "value": "1250"},
        **changes,
    }


def payment(*transactions: dict[str, Any], **changes: Any) -> PaymentInquiryAnswer:
    fields = {
        "result": _result("S", "SUCCESS"),
        "paymentId": "pay-1",
        "transactions": transactions,
    }
    return PaymentInquiryAnswer.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("said", "is_named"),
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
def test_a_payment_names_a_refund_by_type_id_and_amount(
    said: PaymentInquiryAnswer, *, is_named: bool
) -> None:
    assert names_refund(said, ORDER) is is_named


# --- no answer to inquiryRefund


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("not_sent", "no connection"),
        NoAnswerError("no_answer", "no answer"),
        GarbledAnswerError("garbled_answer", "not of the documented form"),
    ],
)
def test_an_inquiry_without_an_answer_says_nothing_of_the_refund(error: AntomError) -> None:
    assert uninquired(error) == Evidence(
        source=Source.INQUIRY, word=Word.SILENT, code=error.code, message=str(error)
    )


def test_an_inquiry_refused_at_the_gate_calls_a_person() -> None:
    evidence = uninquired(RefusedError("ACCESS_DENIED", "Antom refused the inquiry"))

    assert (evidence.source, evidence.word) == (Source.INQUIRY, Word.BLOCKED)
    assert evidence.advice == "ask Antom to permit this API for the client-id"
    assert evidence.needs_human
    refund = take(BOUND, evidence)
    assert refund.state is RefundState.PROCESSING
    assert refund.human_reason == f"ACCESS_DENIED: {evidence.advice}"


# --- notifications


@pytest.mark.parametrize(
    ("status", "code", "refund_status", "word"),
    [
        ("S", "SUCCESS", "SUCCESS", Word.SUCCEEDED),
        ("S", "SUCCESS", "S", Word.SUCCEEDED),
        ("S", "BRAND_NEW_CODE", "SUCCESS", Word.SUCCEEDED),
        ("F", "PROCESS_FAIL", "FAIL", Word.FAILED),
        ("F", "PROCESS_FAIL", "F", Word.FAILED),
        ("F", "BRAND_NEW_CODE", "FAIL", Word.FAILED),
        ("F", "ORDER_NOT_EXIST", "FAIL", Word.FAILED),
        ("S", "SUCCESS", "FAIL", Word.SUSPECT),
        ("F", "PROCESS_FAIL", "SUCCESS", Word.SUSPECT),
        ("U", "UNKNOWN_EXCEPTION", "SUCCESS", Word.SUSPECT),
        ("U", "UNKNOWN_EXCEPTION", "FAIL", Word.SUSPECT),
        ("S", "SUCCESS", "PROCESSING", Word.SUSPECT),
        ("S", "SUCCESS", "U", Word.SUSPECT),
        ("F", "SUCCESS", "FAIL", Word.SUSPECT),
        ("F", "REFUND_IN_PROCESS", "FAIL", Word.SUSPECT),
        ("F", "INVALID_SIGNATURE", "FAIL", Word.SUSPECT),
        ("S", "PROCESS_FAIL", "SUCCESS", Word.SUSPECT),
        ("F", "ORDER_IS_CLOSED", "FAIL", Word.CLOSING),
        ("U", "ORDER_IS_CLOSED", "FAIL", Word.CLOSING),
        ("S", "ORDER_IS_CLOSED", "FAIL", Word.CLOSING),
        ("F", "ORDER_IS_CLOSED", "SUCCESS", Word.SUSPECT),
        ("S", "ORDER_IS_CLOSED", "SUCCESS", Word.SUSPECT),
        ("F", "ORDER_IS_CLOSED", "PROCESSING", Word.SUSPECT),
    ],
)
def test_a_notification_is_believed_where_all_its_parts_agree(
    status: str, code: str, refund_status: str, word: Word
) -> None:
    evidence = noticed(notice(status, code, refund_status))

    assert (evidence.source, evidence.word, evidence.code) == (Source.NOTICE, word, code)


def test_a_notification_becomes_evidence_with_all_it_names() -> None:
    assert noticed(notice("S", "SUCCESS", "SUCCESS")) == Evidence(
        source=Source.NOTICE,
        word=Word.SUCCEEDED,
        code="SUCCESS",
        message="notified: SUCCESS (SUCCESS)",
        refund_request_id="rf-1",
        refund_id="antom-1",
        amount=EUR,
        refund_time=datetime(2026, 9, 12, 9, 11, 40, tzinfo=UTC),
    )


def test_a_notification_that_disagrees_with_itself_says_how() -> None:
    assert noticed(notice("F", "PROCESS_FAIL", "SUCCESS")).message == (
        "the notification disagrees with itself: result F PROCESS_FAIL, refundStatus SUCCESS"
    )


@pytest.mark.parametrize(
    ("code", "needs_human"),
    [
        ("MERCHANT_BALANCE_NOT_ENOUGH", False),
        ("RISK_REJECT", True),
        ("BRAND_NEW_CODE", True),
    ],
)
def test_a_failure_by_notification_keeps_the_codes_advice(code: str, *, needs_human: bool) -> None:
    evidence = noticed(notice("F", code, "FAIL"))

    assert evidence.advice
    assert evidence.needs_human is needs_human


def test_an_unreadable_amount_in_a_notification_ends_nothing() -> None:
    strange = notice("S", "SUCCESS", "SUCCESS", refundAmount={"currency": "EUR", "value": "x"})

    assert take(Refund(order=ORDER), noticed(strange)).state is RefundState.IN_DOUBT
