"""What the gate and the request models reject, and how every response is signed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import GateRefusedError
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import SignedMessage, sign, verify
from antom_refunds.simulator.accounts import AntomMerchant
from antom_refunds.simulator.authentication import BODY_BYTES_MAX
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import (
    CLIENT_ID,
    REFUND_PATH,
    FakeClock,
    a_payment,
    an_order,
    refund_fields,
)

Headers = Callable[..., dict[str, str]]
SANDBOX_ID = "SANDBOX_5X00000000000000"


def _code(response: httpx.Response) -> str:
    assert response.status_code == 200
    return str(response.json()["result"]["resultCode"])


def _body(**changes: Any) -> bytes:
    return json.dumps(refund_fields(**changes)).encode()


async def test_every_response_is_signed_by_antom_over_the_requested_path(
    http: httpx.AsyncClient, signed: Headers, antom_keys: tuple[Path, Path]
) -> None:
    body, path = _body(), f"{REFUND_PATH}?via=test"

    response = await http.post(path, content=body, headers=signed(body, path=path))

    covered = SignedMessage(
        path=path,
        client_id=response.headers["client-id"],
        time=response.headers["response-time"],
        body=response.content,
    )
    verify(covered, response.headers["signature"], [read_public_key(antom_keys[1])])
    assert response.headers["response-time"] == "2026-09-11T10:04:09+08:00"
    assert _code(response) == "ORDER_NOT_EXIST"


@pytest.mark.parametrize("is_signed", [False, True])
async def test_a_gate_refusal_is_signed_only_if_configured(
    http: httpx.AsyncClient,
    simulator: AntomSimulator,
    signed: Headers,
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.signs_gate_refusals = is_signed
    body = _body()

    response = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(response) == "KEY_NOT_FOUND"
    assert ("signature" in response.headers) == ("response-time" in response.headers) == is_signed


async def test_a_rejection_after_the_gate_is_signed(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    response = await http.post(REFUND_PATH, content=b"{", headers=signed(b"{"))

    assert _code(response) == "MSG_PARSE_ERROR"
    assert "signature" in response.headers


@pytest.mark.parametrize("part", ["path", "body", "time", "client"])
async def test_a_signature_of_another_request_is_invalid(
    simulator: AntomSimulator,
    merchant: AntomMerchant,
    http: httpx.AsyncClient,
    signed: Headers,
    part: str,
) -> None:
    simulator.register(merchant.model_copy(update={"client_id": "another_merchant"}))
    body = _body()
    headers = signed(body)
    path = REFUND_PATH
    match part:
        case "path":
            path = path.replace("refund", "inquiryRefund")
        case "body":
            body += b" "
        case "time":
            headers["request-time"] = "1789531200001"
        case _:
            headers["client-id"] = "another_merchant"

    response = await http.post(path, content=body, headers=headers)

    assert _code(response) == "INVALID_SIGNATURE"
    assert simulator.snapshot().calls == ()


async def test_a_signature_with_an_unregistered_key_is_invalid(http: httpx.AsyncClient) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body = _body()
    covered = SignedMessage(path=REFUND_PATH, client_id=CLIENT_ID, time="1789531200000", body=body)
    headers = {
        "content-type": "application/json",
        "client-id": CLIENT_ID,
        "request-time": covered.time,
        "signature": sign(covered, key, key_version="1"),
    }

    assert _code(await http.post(REFUND_PATH, content=body, headers=headers)) == "INVALID_SIGNATURE"


@pytest.mark.parametrize(
    ("code", "header", "value"),
    [
        ("UNKNOWN_CLIENT", "client-id", "unknown"),
        ("UNKNOWN_CLIENT", "client-id", ""),
        ("INVALID_SIGNATURE", "signature", ""),
        ("INVALID_SIGNATURE", "signature", "algorithm=HMAC, keyVersion=1, signature=eA%3D%3D"),
        ("PARAM_ILLEGAL", "request-time", ""),
        ("MEDIA_TYPE_NOT_ACCEPTABLE", "content-type", "text/plain"),
        ("MEDIA_TYPE_NOT_ACCEPTABLE", "content-type", "application/json; charset=latin-1"),
    ],
)
async def test_a_wrong_header_is_rejected_with_its_code(
    http: httpx.AsyncClient, signed: Headers, code: str, header: str, value: str
) -> None:
    body = _body()

    response = await http.post(REFUND_PATH, content=body, headers={**signed(body), header: value})

    assert _code(response) == code


async def test_a_key_version_that_was_never_registered_is_not_found(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    body = _body()

    response = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(response) == "KEY_NOT_FOUND"


async def test_a_merchant_may_hold_several_key_versions(
    simulator: AntomSimulator, merchant: AntomMerchant, http: httpx.AsyncClient, signed: Headers
) -> None:
    pem = merchant.public_keys["1"]
    simulator.register(merchant.model_copy(update={"public_keys": {"1": pem, "2": pem}}))
    body = _body()

    response = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(response) == "ORDER_NOT_EXIST"


@pytest.mark.parametrize(
    "path", ["/", "/ams/api/v1/payments/pay", "/ams/api/v2/payments/refund", REFUND_PATH + "/"]
)
async def test_an_unknown_path_is_an_invalid_api(
    http: httpx.AsyncClient, signed: Headers, path: str
) -> None:
    body = _body()

    assert _code(await http.post(path, content=body, headers=signed(body))) == "INVALID_API"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_supported(
    http: httpx.AsyncClient, signed: Headers, method: str
) -> None:
    response = await http.request(method, REFUND_PATH, headers=signed(b""))

    assert _code(response) == "METHOD_NOT_SUPPORTED"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"rf_1"', b"\xff", b"[" * 60_000])
async def test_a_body_that_is_not_a_json_object_cannot_be_parsed(
    http: httpx.AsyncClient, signed: Headers, body: bytes
) -> None:
    response = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(response) == "MSG_PARSE_ERROR"


async def test_a_body_longer_than_the_limit_is_not_read(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    body = _body(refundReason="x" * BODY_BYTES_MAX)

    response = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(response) == "MSG_PARSE_ERROR"


@pytest.mark.parametrize(
    "changes",
    [
        {"refundRequestId": None},
        {"refundRequestId": 1},
        {"refundRequestId": "r" * 65},
        {"refundRequestId": "rf 1"},
        {"paymentId": None},
        {"paymentId": ""},
        {"paymentId": "p" * 65},
        {"refundAmount": {"currency": "EUR"}},
        {"refundAmount": {"currency": "EUR", "value": 1250}},
        {"refundAmount": {"currency": "EUR", "value": "12.50"}},
        {"refundAmount": {"currency": "EUR", "value": "0"}},
        {"refundAmount": {"currency": "EUR", "value": "-1"}},
        {"refundAmount": {"currency": "EUR", "value": "1" * 17}},
        {"refundAmount": {"currency": "eur", "value": "1250"}},
        {"refundAmount": {"currency": "IDR", "value": "1250"}},
        {"refundReason": "x" * 257},
        {"refundNotifyUrl": "ftp://shop.example.com"},
        {"refundNotifyUrl": "https://" + "x" * 1024},
    ],
)
async def test_an_invalid_field_is_rejected(
    simulator: AntomSimulator, http: httpx.AsyncClient, signed: Headers, changes: dict[str, Any]
) -> None:
    simulator.ledger.add_payment(a_payment())
    body = _body(**changes)

    response = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(response) == "PARAM_ILLEGAL"
    assert simulator.snapshot().movements == ()


async def test_unknown_fields_are_ignored(
    simulator: AntomSimulator, http: httpx.AsyncClient, signed: Headers
) -> None:
    simulator.ledger.add_payment(a_payment())
    body = _body(metadata='{"shop":"7"}')

    assert _code(await http.post(REFUND_PATH, content=body, headers=signed(body))) == "SUCCESS"


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        (CallKind.INQUIRY, {}, "PARAM_ILLEGAL"),
        (CallKind.INQUIRY, {"refundRequestId": "r" * 65}, "PARAM_ILLEGAL"),
        (CallKind.PAYMENT, {}, "PARAM_ILLEGAL"),
        (CallKind.PAYMENT, {"paymentId": "p" * 65}, "PARAM_ILLEGAL"),
    ],
)
async def test_an_inquiry_must_contain_an_id(
    http: httpx.AsyncClient, signed: Headers, kind: CallKind, fields: dict[str, str], code: str
) -> None:
    body, path = json.dumps(fields).encode(), f"/ams/api/v1/payments/{kind}"

    response = await http.post(path, content=body, headers=signed(body, path=path))

    assert _code(response) == code


async def test_in_an_inquiry_the_refund_id_wins(
    simulator: AntomSimulator, antom: AntomClient, http: httpx.AsyncClient, signed: Headers
) -> None:
    simulator.ledger.add_payment(a_payment())
    refund_id = (await antom.refund(an_order())).refund_id
    path = f"/ams/api/v1/payments/{CallKind.INQUIRY}"
    body = json.dumps({"refundId": refund_id, "refundRequestId": "rf_9"}).encode()

    response = await http.post(path, content=body, headers=signed(body, path=path))

    assert response.json()["refundRequestId"] == "rf_1"
    assert simulator.snapshot().count("rf_1", CallKind.INQUIRY) == 1


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        ({"paymentRequestId": "order_1"}, "SUCCESS"),
        ({"paymentId": "pay_1", "paymentRequestId": "order_9"}, "SUCCESS"),
        ({"paymentId": "pay_9", "paymentRequestId": "order_1"}, "ORDER_NOT_EXIST"),
        ({"paymentRequestId": "order_9"}, "ORDER_NOT_EXIST"),
    ],
)
async def test_in_a_payment_inquiry_the_payment_id_wins(
    simulator: AntomSimulator,
    http: httpx.AsyncClient,
    signed: Headers,
    requested: dict[str, str],
    code: str,
) -> None:
    simulator.ledger.add_payment(a_payment(payment_request_id="order_1"))
    body, path = json.dumps(requested).encode(), f"/ams/api/v1/payments/{CallKind.PAYMENT}"

    response = await http.post(path, content=body, headers=signed(body, path=path))

    assert _code(response) == code
    assert "transactions" not in response.json()


@pytest.mark.parametrize("is_sandbox", [True, False])
async def test_the_sandbox_has_its_own_path_and_its_own_merchants(  # noqa: PLR0917
    simulator: AntomSimulator,
    merchant: AntomMerchant,
    app: Starlette,
    account: MerchantAccount,
    clock: FakeClock,
    is_sandbox: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.register(merchant.model_copy(update={"client_id": SANDBOX_ID}))
    simulator.ledger.add_payment(a_payment(client_id=SANDBOX_ID))
    account = replace(account, client_id=SANDBOX_ID, is_sandbox=is_sandbox)

    transport = httpx.ASGITransport(app)
    async with AntomClient(account, transport=transport, now=simulator.now) as sandbox:
        if is_sandbox:
            assert (await sandbox.refund(an_order())).result.result_code == "SUCCESS"
        else:
            simulator.signs_gate_refusals = True
            with pytest.raises(GateRefusedError, match="INVALID_API"):
                await sandbox.refund(an_order())


def test_a_public_key_must_be_rsa() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(ValueError, match="is not an RSA key"):
        AntomMerchant(client_id=CLIENT_ID, public_keys={"1": pem})
