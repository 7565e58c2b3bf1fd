"""An unverified response decides nothing, but operators see the code that it claims."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from antom_refunds.antom import transport as transport_module
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import (
    AntomError,
    BadStatusError,
    NoResponseError,
    UnverifiedResponseError,
)
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import SignedMessage, sign
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from starter.key_pairs import write_pair

Respond = Callable[[httpx.Request], httpx.Response]
AnswerHeaders = Callable[..., dict[str, str]]

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)
PATH: Final = "/ams/api/v1/payments/refund"


def _refusal(code: object) -> bytes:
    return json.dumps({"result": {"resultCode": code, "resultStatus": "F"}}).encode()


async def _error(account: MerchantAccount, respond: Respond) -> AntomError:
    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(AntomError) as error:
            await antom.refund(ORDER)
    return error.value


@pytest.mark.parametrize(
    ("body", "headers", "claimed", "message"),
    [
        (
            _refusal("INVALID_SIGNATURE"),
            {},
            "INVALID_SIGNATURE",
            (
                "the response is not verified as Antom's: there is no signature header; "
                "it claims INVALID_SIGNATURE (unverified); "
                "check client_id, private_key_file and key_version"
            ),
        ),
        (
            _refusal("PROCESS_FAIL"),
            {},
            "PROCESS_FAIL",
            (
                "the response is not verified as Antom's: there is no signature header; "
                "it claims PROCESS_FAIL (unverified); check gateway and sandbox"
            ),
        ),
        (
            _refusal("<script>"),
            {"signature": "algorithm=RSA256, signature=AAAA"},
            "",
            (
                "the response is not verified as Antom's: no known key created this signature over "
                "these bytes; check antom_public_key_files, client_id and sandbox"
            ),
        ),
    ],
)
async def test_an_unverified_response_keeps_its_claim_and_names_the_settings(
    account: MerchantAccount, body: bytes, headers: dict[str, str], claimed: str, message: str
) -> None:
    error = await _error(account, lambda _: httpx.Response(200, headers=headers, content=body))

    assert type(error) is UnverifiedResponseError
    assert (error.code, error.claimed_code) == ("unverified_response", claimed)
    assert str(error) == message


@pytest.mark.parametrize(
    ("body", "claimed", "message"),
    [
        (
            _refusal("INVALID_CLIENT"),
            "INVALID_CLIENT",
            (
                "Antom returned HTTP 403; it claims INVALID_CLIENT (unverified); "
                "check client_id, private_key_file and key_version"
            ),
        ),
        (b"<html>no</html>", "", "Antom returned HTTP 403; check gateway and sandbox"),
        (b" " * 300_000, "", "Antom returned HTTP 403; check gateway and sandbox"),
    ],
)
async def test_another_status_keeps_its_claim(
    account: MerchantAccount, body: bytes, claimed: str, message: str
) -> None:
    error = await _error(account, lambda _: httpx.Response(403, content=body))

    assert type(error) is BadStatusError
    assert (error.code, error.claimed_code) == ("http_403", claimed)
    assert str(error) == message


async def _broken() -> AsyncIterator[bytes]:
    yield b"{"
    raise httpx.ReadError("cut")


async def _endless() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.Event().wait()


@pytest.mark.parametrize("body", [_broken, _endless])
async def test_another_status_does_not_wait_for_its_body(
    account: MerchantAccount,
    monkeypatch: pytest.MonkeyPatch,
    body: Callable[[], AsyncIterator[bytes]],
) -> None:
    monkeypatch.setattr(transport_module, "_ERROR_BODY_WAIT_MAX", timedelta(milliseconds=50))

    error = await _error(account, lambda _: httpx.Response(502, content=body()))

    assert (error.code, error.claimed_code) == ("http_502", "")


async def test_an_error_that_claims_nothing_has_no_claim(account: MerchantAccount) -> None:
    assert NoResponseError("no_response", "no answer").claimed_code == ""


# --- the sender of a response


async def test_a_response_to_another_client_is_rejected(
    account: MerchantAccount, antom_keys: tuple[Path, Path]
) -> None:
    """Signed by Antom for another client-id: not a response to this merchant."""
    body = json.dumps({"result": {"resultCode": "SUCCESS", "resultStatus": "S"}}).encode()
    signed = SignedMessage(path=PATH, client_id="5Y00000000000000", time="1", body=body)
    headers = {
        "client-id": signed.client_id,
        "response-time": signed.time,
        "signature": sign(signed, read_private_key(antom_keys[0]), key_version="1"),
    }

    error = await _error(account, lambda _: httpx.Response(200, headers=headers, content=body))

    assert type(error) is UnverifiedResponseError


async def test_the_client_id_header_of_the_response_is_ignored(
    account: MerchantAccount, answer_headers: AnswerHeaders
) -> None:
    body = json.dumps({"result": {"resultCode": "SUCCESS", "resultStatus": "S"}}).encode()
    headers = {**answer_headers(PATH, body), "client-id": "5Y00000000000000"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=body))

    async with AntomClient(account, transport=transport) as antom:
        assert (await antom.refund(ORDER)).result.result_code == "SUCCESS"


@pytest.mark.parametrize("place", [0, 1])
async def test_each_of_antoms_keys_verifies_a_response(
    account: MerchantAccount,
    merchant_keys: tuple[Path, Path],
    antom_keys: tuple[Path, Path],
    answer_headers: AnswerHeaders,
    tmp_path: Path,
    *,
    place: int,
) -> None:
    public = [write_pair(tmp_path, "rotated")[1]]
    public.insert(place, antom_keys[1])
    account = replace(account, keys=KeyRing(merchant_keys[0], public))
    body = json.dumps({"result": {"resultCode": "SUCCESS", "resultStatus": "S"}}).encode()
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers=answer_headers(PATH, body), content=body)
    )

    async with AntomClient(account, transport=transport) as antom:
        assert (await antom.refund(ORDER)).result.result_code == "SUCCESS"
