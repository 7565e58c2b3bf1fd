"""The deciding fields of Antom's JSON, and invalid values that must not affect them."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.antom.decoding import claimed_code, decode
from antom_refunds.antom.wire import (
    Amount,
    InquirePaymentResponse,
    InquireRefundResponse,
    MalformedBodyError,
    RefundNotification,
    RefundRequest,
    RefundResponse,
    WireResponse,
    parse,
)
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

AMOUNT: Final = {"currency": "EUR", "value": "1250"}
HEARD: Final = Amount(currency="EUR", value="1250")
# Any JSON value, including half surrogate pairs and control characters.
TEXT: Final = st.text(st.characters(exclude_categories=()), max_size=80)
JUNK: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def _body(status: str = "S", **fields: Any) -> bytes:
    result = {"resultCode": "SUCCESS", "resultStatus": status, **fields.pop("result", {})}
    return json.dumps({"result": result, **fields}).encode()


def test_a_body_that_is_nested_too_deeply_is_rejected() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(b"[" * 60_000)


# --- other fields


@pytest.mark.parametrize("raw_value", [None, True, {}, ["a"], {"text": 1}])
def test_a_message_that_is_not_text_is_read_as_empty(raw_value: object) -> None:
    response = parse(_body(result={"resultMessage": raw_value}), RefundResponse)

    assert (response.result.result_code, response.result.result_message) == ("SUCCESS", "")


def test_half_a_surrogate_pair_does_not_invalidate_a_response() -> None:
    body = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"ok \\ud83d"}}'

    assert parse(body, RefundResponse).result.result_message == "ok \ufffd"


def test_a_whole_surrogate_pair_is_read_as_its_character() -> None:
    body = b'{"result":{"resultCode":"A","resultStatus":"U","resultMessage":"\\ud83d\\ude00"}}'

    assert parse(body, RefundResponse).result.result_message == "\U0001f600"


def test_half_pairs_are_replaced_everywhere() -> None:
    body = (
        b'{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"more":[{"\\ud83d":["\\udead"]}],'
        b'"transactions":[{"transactionId":"t\\ud83d","transactionAmount":null,"n":5}]}'
    )

    [transaction] = parse(body, InquirePaymentResponse).transactions

    assert transaction.transaction_id == "t\ufffd"


@pytest.mark.parametrize("raw", [b"cut \xf0\x9f", b"line\nfeed", b"tab\t", b"\xed\xa0\xbd"])
def test_invalid_utf8_affects_only_the_message(raw: bytes) -> None:
    body = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"%b"}}' % raw

    assert parse(body, RefundResponse).result.result_code == "SUCCESS"


@pytest.mark.parametrize(
    "raw_value",
    [
        None,
        "",
        "12",
        {},
        {"currency": "EUR"},
        {"currency": "EUR", "value": None},
        {"currency": "EUR", "value": True},
        {"currency": ["EUR"], "value": "1250"},
        [AMOUNT],
    ],
)
def test_an_amount_that_cannot_be_read_counts_as_missing(raw_value: object) -> None:
    assert parse(_body(refundAmount=raw_value), RefundResponse).refund_amount is None


def test_numbers_are_read_as_they_were_written() -> None:
    body = _body(refundAmount={"currency": "EUR", "value": 1250}, refundId=12345678901234567890)

    response = parse(body, RefundResponse)

    assert response.refund_amount == HEARD
    assert response.refund_id == "12345678901234567890"


@pytest.mark.parametrize("status", ["F", "U"])
@pytest.mark.parametrize("raw_value", [None, "", " ", "rf 1", "rf\u00fc", "x" * 65, {}, [], True])
def test_an_invalid_id_with_a_failure_is_none(raw_value: object, status: str) -> None:
    body = _body(status, refundRequestId=raw_value, refundId=raw_value, paymentId=raw_value)

    response = parse(body, RefundResponse)

    assert (response.refund_request_id, response.refund_id, response.payment_id) == (
        None,
        None,
        None,
    )


def test_a_valid_id_with_a_failure_is_kept() -> None:
    response = parse(_body("F", refundRequestId="rf-2", paymentId="pay-2"), RefundResponse)

    assert (response.refund_request_id, response.payment_id) == ("rf-2", "pay-2")


@pytest.mark.parametrize("raw_value", ["", " ", "rf 1", "rf\u00fc"])
def test_an_invalid_id_with_a_success_is_kept_and_differs_from_the_orders(raw_value: str) -> None:
    response = parse(_body(refundRequestId=raw_value, paymentId=raw_value), RefundResponse)

    assert (response.refund_request_id, response.payment_id) == (raw_value, raw_value)


def test_a_long_id_is_not_truncated_to_an_orders_id() -> None:
    response = parse(_body(refundRequestId="x" * 5000), RefundResponse)

    assert response.refund_request_id == "x" * 65


@pytest.mark.parametrize("raw_value", [None, {}, "none", [None, "x", 7]])
def test_invalid_transactions_are_left_out(raw_value: object) -> None:
    assert parse(_body(transactions=raw_value), InquirePaymentResponse).transactions == ()


def test_a_transaction_is_read_as_far_as_it_can_be() -> None:
    odd = {"transactionType": "VOID", "transactionStatus": {}, "transactionTime": "soon"}
    good = {"transactionType": "REFUND", "transactionAmount": AMOUNT, "transactionId": "t-1"}

    first, second = parse(_body(transactions=[odd, good]), InquirePaymentResponse).transactions

    assert (first.transaction_type, first.transaction_status) == ("VOID", "")
    assert first.transaction_amount is None
    assert (second.transaction_amount, second.transaction_id) == (HEARD, "t-1")


def test_field_names_are_only_those_of_antom() -> None:
    body = _body(refund_status="SUCCESS", refund_request_id="rf-1")

    response = parse(body, InquireRefundResponse)

    assert (response.refund_status, response.refund_request_id) == (None, None)


UNDECIDING: Final = st.fixed_dictionaries(
    dict.fromkeys(("refundId", "refundRequestId", "paymentId", "refundAmount", "refundTime"), JUNK),
    optional={"settlementQuote": JUNK, "transactions": JUNK, "metadata": JUNK},
)
UNKNOWN: Final = st.dictionaries(TEXT, JUNK, max_size=3)


@given(fields=UNDECIDING, unknown=UNKNOWN, message=JUNK)
def test_invalid_values_in_other_fields_do_not_change_the_deciding_fields(
    fields: dict[str, Any], unknown: dict[str, Any], message: Any
) -> None:
    fields = {"more": unknown, **fields, "refundStatus": "PROCESSING"}
    result = {"more": unknown, "resultMessage": message}

    for status in ("S", "F", "U"):
        body = _body(status, result=result, **fields)
        inquiry, response = parse(body, InquireRefundResponse), parse(body, RefundResponse)

        deciding = (
            inquiry.result.result_status,
            inquiry.result.result_code,
            inquiry.refund_status,
        )
        assert deciding == (status, "SUCCESS", "PROCESSING")
        assert response.result == inquiry.result
        # It can be encoded: no half pair is left.
        assert inquiry.model_dump_json().encode()
        assert response.model_dump_json().encode()


@given(transactions=JUNK, amount=JUNK, method=JUNK)
def test_invalid_values_do_not_invalidate_a_payment_response(
    transactions: Any, amount: Any, method: Any
) -> None:
    listed = [transactions, {"transactionAmount": amount, "transactionType": method}]
    for value in (transactions, listed):
        body = _body(
            paymentStatus="SUCCESS",
            transactions=value,
            paymentAmount=amount,
            paymentMethodType=method,
            paymentTime=method,
        )
        assert parse(body, InquirePaymentResponse).payment_status == "SUCCESS"


# --- deciding fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", "body"),
        (b"<html>busy</html>", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b"\xff\xfe", "body"),
        (b"{}", "result"),
        (b'{"result": null}', "result"),
        (b'{"result": {"resultCode": null, "resultStatus": "S"}}', "result.resultCode"),
        (b'{"result": {"resultCode": {}, "resultStatus": "S"}}', "result.resultCode"),
        (b'{"result": {"resultCode": "A", "resultStatus": "s"}}', "result.resultStatus"),
        (b'{"result": {"resultCode": "A", "resultStatus": true}}', "result.resultStatus"),
        (
            b'{"result": {"resultCode": "A", "resultStatus": "S"}, "refundStatus": {}}',
            "refundStatus",
        ),
    ],
)
def test_the_deciding_fields_must_be_readable(body: bytes, fields: str) -> None:
    with pytest.raises(MalformedBodyError) as error:
        parse(body, InquireRefundResponse)

    assert error.value.fields == fields
    assert str(error.value) == f"not in the documented form: {fields}"


_GOOD: Final = '"result":{"resultCode":"SUCCESS","resultStatus":"S"}'


@pytest.mark.parametrize(
    ("body", "form", "fields"),
    [
        (f"{{{_GOOD},{_GOOD}}}", RefundResponse, "result"),
        (
            '{"result":{"resultCode":"A","resultCode":"SUCCESS","resultStatus":"S"}}',
            RefundResponse,
            "result.resultCode",
        ),
        (
            '{"result":{"resultCode":"A","resultStatus":"F","resultStatus":"S"}}',
            RefundResponse,
            "result.resultStatus",
        ),
        (
            f'{{{_GOOD},"refundStatus":"FAIL","refundStatus":"SUCCESS"}}',
            InquireRefundResponse,
            "refundStatus",
        ),
        (
            f'{{{_GOOD},"refundRequestId":"rf-2","refundRequestId":"rf-1"}}',
            RefundResponse,
            "refundRequestId",
        ),
        (f'{{{_GOOD},"paymentId":"p-2","paymentId":"p-1"}}', RefundResponse, "paymentId"),
        (f'{{{_GOOD},"refundAmount":{{}},"refundAmount":{{}}}}', RefundResponse, "refundAmount"),
        (
            f'{{{_GOOD},"refundAmount":{{"currency":"EUR","value":"1","value":"2"}}}}',
            RefundResponse,
            "refundAmount",
        ),
        (
            f'{{{_GOOD},"refundStatus":"FAIL","refund\\u0053tatus":"SUCCESS"}}',
            InquireRefundResponse,
            "refundStatus",
        ),
        (
            (
                f'{{{_GOOD},"refundRequestId":"a","refundRequestId":"b","refundStatus":"SUCCESS",'
                '"refundAmount":{"currency":"EUR","value":"1"}}'
            ),
            RefundNotification,
            "refundRequestId",
        ),
    ],
)
def test_a_duplicate_deciding_field_is_an_error(
    body: str, form: type[WireResponse], fields: str
) -> None:
    with pytest.raises(MalformedBodyError) as error:
        parse(body.encode(), form)

    assert error.value.fields == fields


def test_other_fields_can_be_duplicated() -> None:
    body = (
        '{%s,"refundId":"a","refundId":"b","x":{"value":1,"value":2},"refundTime":1,"refundTime":2}'
    )

    response = parse((body % _GOOD).encode(), RefundResponse)

    assert (response.result.result_code, response.refund_id, response.refund_time) == (
        "SUCCESS",
        None,
        None,
    )


def test_an_error_shows_nothing_of_the_body() -> None:
    with pytest.raises(MalformedBodyError) as error:
        parse(_body("a secret"), RefundResponse)

    assert "a secret" not in f"{error.value}{error.value.__cause__}"


# --- the claimed code of an unverified body


@pytest.mark.parametrize(
    ("body", "claimed"),
    [
        (b'{"result":{"resultCode":"INVALID_SIGNATURE","resultStatus":"F"}}', "INVALID_SIGNATURE"),
        (b'{"result":{"resultCode":"' + b"A" * 64 + b'"}}', "A" * 64),
        (b'{"result":{"resultCode":"' + b"A" * 65 + b'"}}', ""),
        (b'{"result":{"resultCode":"<script>"}}', ""),
        (b'{"result":{"resultCode":"A","resultCode":"B"}}', ""),
        (b'{"result":{"resultCode":{}}}', ""),
        (b'{"result":{"resultCode":""}}', ""),
        (b'{"result":"x"}', ""),
        (b'{"result":[]}', ""),
        (b'{"result":null}', ""),
        (b'{"code":"A"}', ""),
        (b'"result"', ""),
        (b"[" * 100_000, ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_only_a_plausible_code_is_a_claim(body: bytes, claimed: str) -> None:
    assert claimed_code(body) == claimed


@given(st.binary(max_size=100) | JUNK.map(lambda junk: json.dumps({"result": junk}).encode()))
def test_reading_a_claim_never_raises(body: bytes) -> None:
    assert len(claimed_code(body)) <= 64


def test_a_refund_request_always_has_these_bytes() -> None:
    order = RefundOrder(
        refund_request_id="rf-1",
        payment_id="pay-1",
        amount=Money(currency="EUR", minor=1250),
        reason="item returned",
        notify_url="https://shop.example/notify",
        capture_id="cap-1",
        reference_refund_id="ref-1",
    )

    assert RefundRequest.of(order).body() == (
        b'{"refundRequestId":"rf-1","paymentId":"pay-1",'
        b'"refundAmount":{"currency":"EUR","value":"1250"},"refundReason":"item returned",'
        b'"refundNotifyUrl":"https://shop.example/notify","captureId":"cap-1",'
        b'"referenceRefundId":"ref-1"}'
    )
    bare = RefundOrder(refund_request_id="rf-1", payment_id="pay-1", amount=order.amount)
    assert RefundRequest.of(bare).body() == (
        b'{"refundRequestId":"rf-1","paymentId":"pay-1",'
        b'"refundAmount":{"currency":"EUR","value":"1250"}}'
    )


@pytest.mark.parametrize("own", ["", "x" * 65])
def test_a_notification_names_its_refund_in_1_to_64_characters(own: str) -> None:
    body = _body(refundStatus="SUCCESS", refundAmount=AMOUNT, refundRequestId=own)

    with pytest.raises(MalformedBodyError) as error:
        parse(body, RefundNotification)

    assert "refundRequestId" in error.value.fields
