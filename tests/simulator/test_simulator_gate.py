"""What is refused before the books are opened, and how every answer is signed."""

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

from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.errors import RefusedError
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import Signed, sign, verify
from antom_refunds.simulator.accounts import Client
from antom_refunds.simulator.gate import BODY_BYTES_MAX
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.world import World
from tests.simulator.stage import CLIENT_ID, REFUND_PATH, Timeline, a_payment, an_order, asking

Headers = Callable[..., dict[str, str]]
SANDBOX_ID = "SANDBOX_5X00000000000000"


def _code(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    return str(answer.json()["result"]["resultCode"])


def _body(**changes: Any) -> bytes:
    return json.dumps(asking(**changes)).encode()


async def test_every_answer_is_signed_by_antom_over_the_path_that_was_called(
    http: httpx.AsyncClient, signed: Headers, antom_keys: tuple[Path, Path]
) -> None:
    body, path = _body(), f"{REFUND_PATH}?via=test"

    answer = await http.post(path, content=body, headers=signed(body, path=path))

    covered = Signed(
        path=path,
        client_id=answer.headers["client-id"],
        time=answer.headers["response-time"],
        body=answer.content,
    )
    verify(covered, answer.headers["signature"], [read_public_key(antom_keys[1])])
    assert answer.headers["response-time"] == "2026-09-11T10:04:09+08:00"
    assert _code(answer) == "ORDER_NOT_EXIST"


@pytest.mark.parametrize("is_signed", [False, True])
async def test_a_refusal_at_the_gate_is_signed_only_if_the_simulator_is_told_to(
    http: httpx.AsyncClient,
    world: World,
    signed: Headers,
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.signs_gate_refusals = is_signed
    body = _body()

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(answer) == "KEY_NOT_FOUND"
    assert ("signature" in answer.headers) == ("response-time" in answer.headers) == is_signed


async def test_a_call_that_passed_the_gate_is_refused_with_a_signature(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    answer = await http.post(REFUND_PATH, content=b"{", headers=signed(b"{"))

    assert _code(answer) == "MSG_PARSE_ERROR"
    assert "signature" in answer.headers


@pytest.mark.parametrize("part", ["path", "body", "time", "client"])
async def test_a_signature_over_anything_else_is_invalid(
    world: World, client: Client, http: httpx.AsyncClient, signed: Headers, part: str
) -> None:
    world.register(client.model_copy(update={"client_id": "another_merchant"}))
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

    answer = await http.post(path, content=body, headers=headers)

    assert _code(answer) == "INVALID_SIGNATURE"
    assert world.view().calls == ()


async def test_a_stranger_cannot_sign_for_a_merchant(http: httpx.AsyncClient) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body = _body()
    covered = Signed(path=REFUND_PATH, client_id=CLIENT_ID, time="1789531200000", body=body)
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
        ("UNKNOWN_CLIENT", "client-id", "nobody"),
        ("UNKNOWN_CLIENT", "client-id", ""),
        ("INVALID_SIGNATURE", "signature", ""),
        ("INVALID_SIGNATURE", "signature", "algorithm=HMAC, keyVersion=1, signature=eA%3D%3D"),
        ("PARAM_ILLEGAL", "request-time", ""),
        ("MEDIA_TYPE_NOT_ACCEPTABLE", "content-type", "text/plain"),
        ("MEDIA_TYPE_NOT_ACCEPTABLE", "content-type", "application/json; charset=latin-1"),
    ],
)
async def test_a_wrong_header_is_refused_with_its_code(
    http: httpx.AsyncClient, signed: Headers, code: str, header: str, value: str
) -> None:
    body = _body()

    answer = await http.post(REFUND_PATH, content=body, headers={**signed(body), header: value})

    assert _code(answer) == code


async def test_a_key_version_that_was_never_registered_is_not_found(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    body = _body()

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(answer) == "KEY_NOT_FOUND"


async def test_a_merchant_may_hold_several_key_versions(
    world: World, client: Client, http: httpx.AsyncClient, signed: Headers
) -> None:
    pem = client.public_keys["1"]
    world.register(client.model_copy(update={"public_keys": {"1": pem, "2": pem}}))
    body = _body()

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body, version="2"))

    assert _code(answer) == "ORDER_NOT_EXIST"


@pytest.mark.parametrize(
    "path", ["/", "/ams/api/v1/payments/pay", "/ams/api/v2/payments/refund", REFUND_PATH + "/"]
)
async def test_an_unknown_path_is_no_api(
    http: httpx.AsyncClient, signed: Headers, path: str
) -> None:
    body = _body()

    assert _code(await http.post(path, content=body, headers=signed(body))) == "INVALID_API"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_supported(
    http: httpx.AsyncClient, signed: Headers, method: str
) -> None:
    answer = await http.request(method, REFUND_PATH, headers=signed(b""))

    assert _code(answer) == "METHOD_NOT_SUPPORTED"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"rf_1"', b"\xff", b"[" * 60_000])
async def test_a_body_that_is_no_json_object_cannot_be_parsed(
    http: httpx.AsyncClient, signed: Headers, body: bytes
) -> None:
    answer = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(answer) == "MSG_PARSE_ERROR"


async def test_a_body_longer_than_the_limit_is_not_read(
    http: httpx.AsyncClient, signed: Headers
) -> None:
    body = _body(refundReason="x" * BODY_BYTES_MAX)

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(answer) == "MSG_PARSE_ERROR"


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
async def test_an_illegal_field_is_refused(
    world: World, http: httpx.AsyncClient, signed: Headers, changes: dict[str, Any]
) -> None:
    world.ledger.add_payment(a_payment())
    body = _body(**changes)

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert _code(answer) == "PARAM_ILLEGAL"
    assert world.view().movements == ()


async def test_fields_that_we_do_not_know_are_ignored(
    world: World, http: httpx.AsyncClient, signed: Headers
) -> None:
    world.ledger.add_payment(a_payment())
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
async def test_an_inquiry_must_name_what_it_is_about(
    http: httpx.AsyncClient, signed: Headers, kind: CallKind, fields: dict[str, str], code: str
) -> None:
    body, path = json.dumps(fields).encode(), f"/ams/api/v1/payments/{kind}"

    answer = await http.post(path, content=body, headers=signed(body, path=path))

    assert _code(answer) == code


async def test_in_an_inquiry_the_refund_id_wins(
    world: World, antom: AntomClient, http: httpx.AsyncClient, signed: Headers
) -> None:
    world.ledger.add_payment(a_payment())
    refund_id = (await antom.refund(an_order())).refund_id
    path = f"/ams/api/v1/payments/{CallKind.INQUIRY}"
    body = json.dumps({"refundId": refund_id, "refundRequestId": "rf_9"}).encode()

    answer = await http.post(path, content=body, headers=signed(body, path=path))

    assert answer.json()["refundRequestId"] == "rf_1"
    assert world.view().count("rf_1", CallKind.INQUIRY) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"paymentRequestId": "order_1"}, "SUCCESS"),
        ({"paymentId": "pay_1", "paymentRequestId": "order_9"}, "SUCCESS"),
        ({"paymentId": "pay_9", "paymentRequestId": "order_1"}, "ORDER_NOT_EXIST"),
        ({"paymentRequestId": "order_9"}, "ORDER_NOT_EXIST"),
    ],
)
async def test_in_a_payment_inquiry_the_payment_id_wins(
    world: World, http: httpx.AsyncClient, signed: Headers, asked: dict[str, str], code: str
) -> None:
    world.ledger.add_payment(a_payment(payment_request_id="order_1"))
    body, path = json.dumps(asked).encode(), f"/ams/api/v1/payments/{CallKind.PAYMENT}"

    answer = await http.post(path, content=body, headers=signed(body, path=path))

    assert _code(answer) == code
    assert "transactions" not in answer.json()


@pytest.mark.parametrize("is_sandbox", [True, False])
async def test_the_sandbox_has_its_own_path_and_its_own_clients(  # noqa: PLR0917
    world: World,
    client: Client,
    app: Starlette,
    account: Account,
    timeline: Timeline,
    is_sandbox: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.register(client.model_copy(update={"client_id": SANDBOX_ID}))
    world.ledger.add_payment(a_payment(client_id=SANDBOX_ID))
    account = replace(account, client_id=SANDBOX_ID, is_sandbox=is_sandbox)

    transport = httpx.ASGITransport(app)
    async with AntomClient(account, transport=transport, now=world.now) as sandbox:
        if is_sandbox:
            assert (await sandbox.refund(an_order())).result.result_code == "SUCCESS"
        else:
            world.signs_gate_refusals = True
            with pytest.raises(RefusedError, match="INVALID_API"):
                await sandbox.refund(an_order())


def test_a_key_that_is_not_rsa_is_no_public_key() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(ValueError, match="is not an RSA key"):
        Client(client_id=CLIENT_ID, public_keys={"1": pem})
