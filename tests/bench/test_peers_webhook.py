"""The webhook and the calls that the other engines share."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.refund import Refund
from antom_refunds.settings import MerchantSettings, Settings
from antom_refunds.simulator.authentication import Signers
from bench.notifications import NotificationSigner
from bench.peers.antom_calls import AntomCalls
from bench.peers.webhook import Deliver, create_webhook
from tests.bench.builders import ORDER, PROCESSING

Keys = tuple[Path, Path]


async def sent(deliver: Deliver, keys: Keys) -> httpx.Response:
    """The response to a genuine notification."""
    merchant = MerchantSettings(client_id="shop", antom_public_key_files=[keys[1]])
    settings = Settings(merchants={"default": merchant}, webhook_path="/notify")
    signer = NotificationSigner(Signers(read_private_key(keys[0])), "/notify")
    (notification,) = signer.sign([PROCESSING])
    transport = httpx.ASGITransport(create_webhook(settings, deliver))
    async with httpx.AsyncClient(transport=transport) as antom:
        body, headers = notification.signed.body, notification.headers
        return await antom.post("http://merchant/notify", content=body, headers=headers)


async def test_a_notification_is_acknowledged_once_the_engine_has_it(
    antom_keys: Keys,
) -> None:
    delivered: list[tuple[str, EvidenceKind]] = []

    async def deliver(refund_request_id: str, evidence: Evidence, _: str) -> None:
        delivered.append((refund_request_id, evidence.kind))

    response = await sent(deliver, antom_keys)

    assert (response.status_code, response.content) == (200, ACKNOWLEDGEMENT)
    assert delivered == [("r-1", EvidenceKind.SUCCEEDED)]


async def test_antom_sends_again_while_the_engine_is_unavailable(
    antom_keys: Keys,
) -> None:
    async def deliver(*_: object) -> None:
        raise ConnectionError

    assert (await sent(deliver, antom_keys)).status_code == 503


def _refusing(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _silent(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut")


@pytest.mark.parametrize(
    ("antom", "word"), [(_refusing, EvidenceKind.UNSENT), (_silent, EvidenceKind.DOUBT)]
)
async def test_a_lost_call_is_evidence(
    antom: Callable[[httpx.Request], httpx.Response],
    word: EvidenceKind,
    merchant_keys: Keys,
    antom_keys: Keys,
) -> None:
    account = MerchantAccount(
        client_id="client",
        keys=KeyRing(merchant_keys[0], [antom_keys[1]]),
        gateway="http://antom.example",
    )

    async with AntomClient(account, transport=httpx.MockTransport(antom)) as client:
        calls = AntomCalls(client)
        sent_evidence, inquired = await calls.ask(ORDER), await calls.inquire(Refund(order=ORDER))

    assert (sent_evidence.source, sent_evidence.kind) == (Source.RESPONSE, word)
    assert (inquired.source, inquired.kind) == (Source.INQUIRY, EvidenceKind.NO_INFORMATION)
