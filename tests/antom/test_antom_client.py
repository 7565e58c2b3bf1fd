"""The client against a fake Antom with real signatures, and with real sockets for broken ones."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from antom_refunds.antom import antom_client as client_module
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import (
    BadStatusError,
    GateRefusedError,
    MalformedResponseError,
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    UnverifiedResponseError,
)
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.antom.results import MEANINGS, CodeKind
from antom_refunds.antom.signing import SignedMessage, sign, verify
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

Answering = Callable[[Mapping[str, Any] | bytes], httpx.MockTransport]
AnswerHeaders = Callable[[str, bytes], dict[str, str]]
Respond = Callable[[httpx.Request], httpx.Response]

ORDER: Final = RefundOrder(
    refund_request_id="rf-1",
    payment_id="pay-1",
    amount=Money(currency="EUR", minor=1250),
    reason="a secret reason",
)
LIVE: Final = "/ams/api/v1/payments/refund"
RESULT: Final = {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success."}
ANSWER: Final[dict[str, Any]] = {
    "result": RESULT,
    "refundRequestId": "rf-1",
    "refundId": "antom-1",
    "paymentId": "pay-1",
    "refundAmount": {"currency": "EUR", "value": "1250"},
    "refundTime": "2026-09-11T10:04:09+08:00",
}
GATE_CODES: Final = [code for code, meaning in MEANINGS.items() if meaning.kind is CodeKind.GATE]


# --- responses


async def test_a_signed_response_is_returned_unchanged(
    account: MerchantAccount, answering: Answering
) -> None:
    async with AntomClient(account, transport=answering(ANSWER)) as antom:
        response = await antom.refund(ORDER)

    assert response.result.result_status == "S"
    assert response.refund_id == "antom-1"
    assert response.refund_amount is not None
    assert response.refund_amount.money() == ORDER.amount
    assert response.refund_time == datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)


async def test_a_business_failure_is_a_response_and_no_error(
    account: MerchantAccount, answering: Answering
) -> None:
    result = {"resultCode": "MERCHANT_BALANCE_NOT_ENOUGH", "resultStatus": "F"}

    async with AntomClient(account, transport=answering({"result": result})) as antom:
        response = await antom.refund(ORDER)

    assert response.result.result_code == "MERCHANT_BALANCE_NOT_ENOUGH"


async def test_an_inquiry_returns_the_refunds_status(
    account: MerchantAccount, answering: Answering
) -> None:
    transport = answering({**ANSWER, "refundStatus": "PROCESSING"})

    async with AntomClient(account, transport=transport) as antom:
        response = await antom.inquire_refund("rf-1")

    assert response.refund_status == "PROCESSING"


async def test_a_payment_inquiry_returns_the_refunds_of_the_payment(
    account: MerchantAccount, answering: Answering
) -> None:
    transaction = {
        "transactionType": "REFUND",
        "transactionStatus": "SUCCESS",
        "transactionAmount": {"currency": "EUR", "value": 1250},
        "transactionRequestId": "rf-1",
    }
    payment = {"result": RESULT, "paymentStatus": "SUCCESS", "transactions": [transaction]}

    async with AntomClient(account, transport=answering(payment)) as antom:
        response = await antom.inquire_payment("pay-1")

    assert response.payment_status == "SUCCESS"
    assert response.transactions[0].transaction_amount is not None
    assert response.transactions[0].transaction_amount.money() == ORDER.amount
    assert response.transactions[0].transaction_request_id == "rf-1"


async def test_numbers_are_read_as_strings_and_unknown_fields_ignored(
    account: MerchantAccount, answering: Answering
) -> None:
    response = {
        **ANSWER,
        "refundId": 7,
        "refundAmount": {"currency": "EUR", "value": 1250, "precision": 2},
        "settlementQuote": {"quotePrice": 1.1},
    }

    async with AntomClient(account, transport=answering(response)) as antom:
        refunded = await antom.refund(ORDER)

    assert refunded.refund_id == "7"
    assert refunded.refund_amount is not None
    assert refunded.refund_amount.money() == ORDER.amount


@pytest.mark.parametrize("time", ["yesterday", "2026-09-11T10:04:09", "", None, {}, "2026-13-01"])
async def test_an_unreadable_time_does_not_invalidate_the_response(
    account: MerchantAccount, answering: Answering, time: object
) -> None:
    async with AntomClient(account, transport=answering({**ANSWER, "refundTime": time})) as antom:
        response = await antom.refund(ORDER)

    assert response.refund_time is None
    assert response.refund_id == "antom-1"


@pytest.mark.parametrize("code", GATE_CODES)
async def test_a_gate_refusal_was_not_executed(
    account: MerchantAccount, answering: Answering, code: str
) -> None:
    result = {"resultCode": code, "resultStatus": "F", "resultMessage": "no"}

    async with AntomClient(account, transport=answering({"result": result})) as antom:
        with pytest.raises(GateRefusedError, match=code) as refusal:
            await antom.refund(ORDER)
        with pytest.raises(GateRefusedError, match=code):
            await antom.inquire_refund("rf-1")

    assert refusal.value.code == code
    assert not isinstance(refusal.value, OutcomeUnknownError)


@pytest.mark.parametrize("status", ["S", "U"])
async def test_a_gate_code_without_a_refusal_is_a_response(
    account: MerchantAccount, answering: Answering, status: str
) -> None:
    result = {"resultCode": "ACCESS_DENIED", "resultStatus": status}

    async with AntomClient(account, transport=answering({"result": result})) as antom:
        response = await antom.refund(ORDER)

    assert response.result.result_status == status


# --- requests


def _recording(answer_headers: AnswerHeaders) -> tuple[list[httpx.Request], httpx.MockTransport]:
    requests: list[httpx.Request] = []
    body = json.dumps(ANSWER).encode()

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        headers = answer_headers(request.url.raw_path.decode(), body)
        return httpx.Response(200, headers=headers, content=body)

    return requests, httpx.MockTransport(respond)


def _verify(request: httpx.Request, path: str, public_key: Path) -> None:
    signed = SignedMessage(
        path=path,
        client_id=request.headers["client-id"],
        time=request.headers["request-time"],
        body=request.content,
    )
    verify(signed, request.headers["signature"], [read_public_key(public_key)])


@pytest.mark.parametrize("api", ["refund", "inquiryRefund", "inquiryPayment"])
@pytest.mark.parametrize(
    ("is_sandbox", "base"),
    [(False, "/ams/api/v1/payments/"), (True, "/ams/sandbox/api/v1/payments/")],
)
async def test_a_call_goes_to_the_path_it_is_signed_for(
    account: MerchantAccount,
    answer_headers: AnswerHeaders,
    merchant_keys: tuple[Path, Path],
    api: str,
    base: str,
    *,
    is_sandbox: bool,
) -> None:
    requests, transport = _recording(answer_headers)
    account = replace(account, is_sandbox=is_sandbox, key_version="3")

    async with AntomClient(account, transport=transport) as antom:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "refund": lambda: antom.refund(ORDER),
            "inquiryRefund": lambda: antom.inquire_refund("rf-1"),
            "inquiryPayment": lambda: antom.inquire_payment("pay-1"),
        }
        await calls[api]()

    [request] = requests
    assert str(request.url) == f"https://antom.example.com{base}{api}"
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json; charset=UTF-8"
    assert "keyVersion=3" in request.headers["signature"]
    _verify(request, base + api, merchant_keys[1])


async def test_the_request_time_is_the_epoch_in_milliseconds(
    account: MerchantAccount, answer_headers: AnswerHeaders
) -> None:
    requests, transport = _recording(answer_headers)
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    async with AntomClient(account, transport=transport) as antom:
        await antom.refund(ORDER)

    sent_at = datetime.fromtimestamp(int(requests[0].headers["request-time"]) / 1000, UTC)
    assert before <= sent_at <= datetime.now(UTC)


async def test_the_same_order_sends_the_same_bytes_with_a_fresh_time(
    account: MerchantAccount, answer_headers: AnswerHeaders, merchant_keys: tuple[Path, Path]
) -> None:
    requests, transport = _recording(answer_headers)
    now = datetime.now(UTC)
    times = iter([now, now, now + timedelta(seconds=1), now + timedelta(seconds=1)])

    async with AntomClient(account, transport=transport, now=lambda: next(times)) as antom:
        await antom.refund(ORDER)
        await antom.refund(RefundOrder.model_validate_json(ORDER.model_dump_json()))

    first, second = requests
    assert first.content == second.content
    assert first.headers["request-time"] != second.headers["request-time"]
    _verify(second, LIVE, merchant_keys[1])


# --- responses that prove nothing


async def _fails(
    account: MerchantAccount, respond: Respond, error: type[Exception], match: str
) -> None:
    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(error, match=match):
            await antom.refund(ORDER)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 404, 429, 500, 502, 503])
async def test_any_http_status_but_200_is_doubt_even_if_signed(
    account: MerchantAccount, answer_headers: AnswerHeaders, status: int
) -> None:
    body = json.dumps(ANSWER).encode()
    headers = {**answer_headers(LIVE, body), "location": "https://elsewhere.example.com/"}
    seen = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(status, headers=headers, content=body)

    await _fails(account, respond, BadStatusError, f"Antom returned HTTP {status}")

    assert seen == [f"https://antom.example.com{LIVE}"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": None}, "there is no signature header"),
        ({"signature": ""}, "there is no signature header"),
        ({"signature": "algorithm=none, signature="}, "algorithm is not RSA256"),
        ({"signature": "algorithm=RSA256, signature=?"}, "not URL-encoded base64"),
        ({"response-time": None}, "no known key"),
        ({"response-time": "1789531200000"}, "no known key"),
    ],
)
async def test_a_response_without_antoms_signature_is_doubt(
    account: MerchantAccount,
    answer_headers: AnswerHeaders,
    change: dict[str, str | None],
    reason: str,
) -> None:
    body = json.dumps(ANSWER).encode()
    changed = {**answer_headers(LIVE, body), **change}
    headers = {name: value for name, value in changed.items() if value is not None}

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, content=body)

    await _fails(account, respond, UnverifiedResponseError, reason)


async def test_a_response_signed_with_another_key_is_doubt(
    account: MerchantAccount, merchant_keys: tuple[Path, Path]
) -> None:
    body = json.dumps(ANSWER).encode()
    signed = SignedMessage(path=LIVE, client_id=account.client_id, time="1", body=body)
    ours = sign(signed, read_private_key(merchant_keys[0]), key_version="1")

    def respond(_: httpx.Request) -> httpx.Response:
        headers = {"response-time": "1", "signature": ours}
        return httpx.Response(200, headers=headers, content=body)

    await _fails(account, respond, UnverifiedResponseError, "no known key")


async def test_a_response_to_another_call_is_doubt(
    account: MerchantAccount, answer_headers: AnswerHeaders
) -> None:
    body = json.dumps(ANSWER).encode()

    def respond(_: httpx.Request) -> httpx.Response:
        headers = answer_headers("/ams/api/v1/payments/inquiryRefund", body)
        return httpx.Response(200, headers=headers, content=body)

    await _fails(account, respond, UnverifiedResponseError, "no known key")


async def test_an_unsigned_gate_refusal_is_doubt(account: MerchantAccount) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        result = {"resultCode": "INVALID_SIGNATURE", "resultStatus": "F"}
        return httpx.Response(200, json={"result": result})

    await _fails(account, respond, UnverifiedResponseError, "there is no signature header")


async def test_a_truncated_response_is_doubt(
    account: MerchantAccount, answer_headers: AnswerHeaders
) -> None:
    body = json.dumps(ANSWER).encode()

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=answer_headers(LIVE, body), content=body[:-10])

    await _fails(account, respond, UnverifiedResponseError, "no known key")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", "body"),
        (b"<html>busy</html>", "body"),
        (b"[]", "body"),
        (b"{}", "result"),
        (b'{"result": null}', "result"),
        (b'{"result": {"resultCode": "SUCCESS"}}', "result.resultStatus"),
        (b'{"result": {"resultCode": "SUCCESS", "resultStatus": "s"}}', "result.resultStatus"),
        (b'{"result": {"resultStatus": "S"}}', "result.resultCode"),
        (json.dumps(ANSWER).encode()[:-10], "body"),
        (b"\xff\xfe", "body"),
    ],
)
async def test_a_signed_response_with_another_structure_is_doubt(
    account: MerchantAccount, answering: Answering, body: bytes, fields: str
) -> None:
    async with AntomClient(account, transport=answering(body)) as antom:
        with pytest.raises(MalformedResponseError) as error:
            await antom.refund(ORDER)

    assert str(error.value) == f"the response is not in the documented form: {fields}"


async def test_an_endless_response_is_read_only_up_to_the_limit(account: MerchantAccount) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless())

    await _fails(account, respond, MalformedResponseError, "longer than 262144 bytes")

    assert sent == 5


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (httpx.ConnectError, NotSentError, "not_sent"),
        (httpx.ConnectTimeout, NotSentError, "not_sent"),
        (httpx.PoolTimeout, NotSentError, "not_sent"),
        (httpx.UnsupportedProtocol, NotSentError, "not_sent"),
        (httpx.ReadTimeout, NoResponseError, "no_response"),
        (httpx.WriteTimeout, NoResponseError, "no_response"),
        (httpx.ReadError, NoResponseError, "no_response"),
        (httpx.WriteError, NoResponseError, "no_response"),
        (httpx.CloseError, NoResponseError, "no_response"),
        (httpx.RemoteProtocolError, NoResponseError, "no_response"),
        (httpx.LocalProtocolError, NoResponseError, "no_response"),
        (httpx.ProxyError, NotSentError, "not_sent"),
        (httpx.DecodingError, NoResponseError, "no_response"),
    ],
)
async def test_only_a_request_that_certainly_never_left_counts_as_not_sent(
    account: MerchantAccount,
    error: type[httpx.RequestError],
    expected: type[NotSentError | NoResponseError],
    code: str,
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        raise error("10.1.2.3 said so")

    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(expected) as refusal:
            await antom.refund(ORDER)

    assert refusal.value.code == code
    assert error.__name__ in str(refusal.value)
    assert "10.1.2.3" not in str(refusal.value)


# --- real sockets

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(account: MerchantAccount, handle: Handle) -> AsyncIterator[AntomClient]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    local = replace(
        account,
        gateway=f"http://127.0.0.1:{port}",
        response_timeout=timedelta(milliseconds=200),
    )
    # With a transport of its own the client ignores the proxy settings of the machine.
    async with server, AntomClient(local, transport=httpx.AsyncHTTPTransport()) as antom:
        yield antom


async def test_a_refused_connection_counts_as_not_sent(account: MerchantAccount) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = replace(account, gateway=f"http://127.0.0.1:{unused.getsockname()[1]}")

        async with AntomClient(closed, transport=httpx.AsyncHTTPTransport()) as antom:
            with pytest.raises(NotSentError, match="no connection to Antom: ConnectError"):
                await antom.refund(ORDER)


async def test_a_connection_cut_after_sending_is_doubt(account: MerchantAccount) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with _serving(account, cut) as antom:
        with pytest.raises(NoResponseError, match="no response from Antom"):
            await antom.refund(ORDER)


async def test_a_connection_closed_within_the_response_is_doubt(account: MerchantAccount) -> None:
    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"result"')
        await writer.drain()

    async with _serving(account, half) as antom:
        with pytest.raises(NoResponseError, match="RemoteProtocolError"):
            await antom.refund(ORDER)


async def test_no_response_after_sending_is_doubt(account: MerchantAccount) -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _serving(account, silence) as antom:
        with pytest.raises(NoResponseError, match="ReadTimeout"):
            await antom.refund(ORDER)


async def test_a_slow_endless_response_ends_at_the_deadline(
    account: MerchantAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_DEADLINE", timedelta(milliseconds=500))

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        for _beat in range(40):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async with _serving(account, trickle) as antom:
        with pytest.raises(NoResponseError, match="no response within"):
            await antom.refund(ORDER)


# --- secrets


async def test_bodies_keys_and_signatures_are_never_logged(
    account: MerchantAccount,
    answer_headers: AnswerHeaders,
    merchant_keys: tuple[Path, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "antom_refunds")
    requests, transport = _recording(answer_headers)

    async with AntomClient(account, transport=transport) as antom:
        await antom.refund(ORDER)
    await _fails(account, lambda _: httpx.Response(500), BadStatusError, "HTTP 500")
    await _fails(account, lambda _: httpx.Response(200), UnverifiedResponseError, "no signature")

    ours = [record for record in caplog.records if record.name.startswith("antom_refunds")]
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in ours)
    secrets = [
        "a secret reason",
        "pay-1",
        requests[0].headers["signature"][-40:],
        merchant_keys[0].read_text().splitlines()[3],
    ]
    assert [secret for secret in secrets if secret in logged] == []


async def test_errors_show_neither_bodies_nor_signatures(
    account: MerchantAccount, answering: Answering
) -> None:
    body = b'{"result": {"resultCode": "SUCCESS", "resultStatus": "a secret"}}'

    async with AntomClient(account, transport=answering(body)) as antom:
        with pytest.raises(MalformedResponseError) as error:
            await antom.refund(ORDER)

    assert "a secret" not in str(error.value)
