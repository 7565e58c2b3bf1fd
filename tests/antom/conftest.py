"""A fake Antom with real keys and real signatures."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from antom_refunds.antom.antom_client import MerchantAccount
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import SignedMessage, sign

CLIENT_ID = "5X00000000000000"
_ANTOMS_ZONE = timezone(timedelta(hours=8))


@pytest.fixture(scope="session")
def key_ring(merchant_keys: tuple[Path, Path], antom_keys: tuple[Path, Path]) -> KeyRing:
    return KeyRing(merchant_keys[0], [antom_keys[1]])


@pytest.fixture(scope="session")
def account(key_ring: KeyRing) -> MerchantAccount:
    return MerchantAccount(client_id=CLIENT_ID, keys=key_ring, gateway="https://antom.example.com")


@pytest.fixture(scope="session")
def answer_headers(antom_keys: tuple[Path, Path]) -> Callable[[str, bytes], dict[str, str]]:
    """The headers of Antom's response with this body to a call at this path."""
    key = read_private_key(antom_keys[0])

    def headers(path: str, body: bytes) -> dict[str, str]:
        time = datetime.now(_ANTOMS_ZONE).isoformat(timespec="seconds")
        signed = SignedMessage(path=path, client_id=CLIENT_ID, time=time, body=body)
        return {
            "client-id": CLIENT_ID,
            "response-time": time,
            "signature": sign(signed, key, key_version="1"),
        }

    return headers


@pytest.fixture(scope="session")
def answering(
    answer_headers: Callable[[str, bytes], dict[str, str]],
) -> Callable[[Mapping[str, Any] | bytes], httpx.MockTransport]:
    """A transport to an Antom that sends this signed response to every call."""

    def transport(message: Mapping[str, Any] | bytes) -> httpx.MockTransport:
        body = message if isinstance(message, bytes) else json.dumps(message, indent=2).encode()

        def respond(request: httpx.Request) -> httpx.Response:
            headers = answer_headers(request.url.raw_path.decode(), body)
            return httpx.Response(200, headers=headers, content=body)

        return httpx.MockTransport(respond)

    return transport
