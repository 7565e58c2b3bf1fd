"""The webhook and the calls that the other engines share."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import Signed, sign
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund
from bench.peers.antom_calls import AntomCalls
from bench.peers.webhook import create_webhook

PATH = "/notify"
ORDER = RefundOrder(
    refund_request_id="noticed", payment_id="pay", amount=Money(currency="EUR", minor=5)
)
TOLD = {
    "notifyType": "REFUND_RESULT",
    "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"},
    "refundStatus": "SUCCESS",
    "refundRequestId": ORDER.refund_request_id,
    "refundAmount": {"currency": "EUR", "value": "5"},
}
NOTICE = json.dumps(TOLD).encode()

Keys = tuple[Path, Path]


class Delivered:
    """An engine that accepts everything, or nothing."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.taken: list[tuple[str, Word, str]] = []

    async def deliver(self, refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append((refund_request_id, evidence.word, delivery_id))


async def sent(body: bytes, engine: Delivered, webhook: Keys, signer: Keys) -> httpx.Response:
    """The response of the webhook with this public key to the owner of that private key."""
    signed = Signed(path=PATH, client_id="client", time="now", body=body)
    signature = sign(signed, read_private_key(signer[0]), key_version="1")
    headers = {"client-id": "client", "request-time": "now", "signature": signature}
    app = create_webhook(webhook[1], PATH, engine.deliver)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as antom:
        return await antom.post(PATH, content=body, headers=headers)


async def test_a_notification_is_acknowledged_once_the_engine_has_it(antom_keys: Keys) -> None:
    engine = Delivered()

    answer = await sent(NOTICE, engine, antom_keys, antom_keys)

    assert (answer.status_code, answer.content) == (200, ACKNOWLEDGEMENT)
    assert [taken[:2] for taken in engine.taken] == [(ORDER.refund_request_id, Word.SUCCEEDED)]


async def test_equal_bytes_are_one_delivery(antom_keys: Keys) -> None:
    engine = Delivered()

    for body in (NOTICE, NOTICE, NOTICE + b" "):
        await sent(body, engine, antom_keys, antom_keys)

    first, second, other = (delivery for _, _, delivery in engine.taken)
    assert first == second != other


async def test_a_forged_notification_is_refused(antom_keys: Keys, merchant_keys: Keys) -> None:
    engine = Delivered()

    answer = await sent(NOTICE, engine, antom_keys, merchant_keys)

    assert answer.status_code == 401
    assert not engine.taken


async def test_a_body_that_is_not_a_notification_is_refused(antom_keys: Keys) -> None:
    answer = await sent(b"{}", Delivered(), antom_keys, antom_keys)

    assert answer.status_code == 400


async def test_antom_sends_again_while_the_engine_is_unavailable(antom_keys: Keys) -> None:
    answer = await sent(NOTICE, Delivered(ConnectionError()), antom_keys, antom_keys)

    assert answer.status_code == 503


def _refusing(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _silent(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut")


@pytest.mark.parametrize(("antom", "word"), [(_refusing, Word.UNSENT), (_silent, Word.DOUBT)])
async def test_a_lost_call_is_evidence(
    antom: Callable[[httpx.Request], httpx.Response],
    word: Word,
    merchant_keys: Keys,
    antom_keys: Keys,
) -> None:
    account = Account(
        client_id="client",
        keys=KeyRing(merchant_keys[0], [antom_keys[1]]),
        gateway="http://antom.example",
    )

    async with AntomCalls(AntomClient(account, transport=httpx.MockTransport(antom))) as calls:
        asked, inquired = await calls.ask(ORDER), await calls.inquire(Refund(order=ORDER))

    assert (asked.source, asked.word) == (Source.ANSWER, word)
    assert (inquired.source, inquired.word) == (Source.INQUIRY, Word.SILENT)
