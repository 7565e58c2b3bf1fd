"""Delivers signed messages to the merchant and brings back what it answered."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

import httpx
from pydantic import ValidationError

from antom_refunds.antom.signing import Signed
from antom_refunds.antom.wire import Result
from antom_refunds.simulator.seals import Seal, Seals

# Antom names no limit for its own waiting; ours only has to be longer than any honest answer.
_TIMEOUT_SECONDS: Final = 15.0
_ANSWER_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reception:
    """What the merchant answered; without an HTTP answer `error` says why."""

    status_code: int | None = None
    body: bytes = b""
    error: str | None = None

    @property
    def is_acknowledgement(self) -> bool:
        """HTTP 200 and the fixed body; only the message's wording is free (docs/antom.md)."""
        if self.status_code != HTTPStatus.OK:
            return False
        try:
            said = Result.model_validate(json.loads(self.body)["result"])
        except (ValueError, KeyError, TypeError, ValidationError):
            return False
        return (said.result_status, said.result_code) == _ACKNOWLEDGED


_ACKNOWLEDGED: Final = ("S", "SUCCESS")


def is_loopback(url: str) -> bool:
    """Whether this URL leads to this machine by its name or number alone."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Post:
    """One connection pool for all that Antom sends. Never raises for what the far side does."""

    def __init__(
        self,
        seals: Seals,
        *,
        now: Callable[[], datetime],
        loopback_only: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._seals = seals
        self._now = now
        self._loopback_only = loopback_only
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_TIMEOUT_SECONDS, pool=None), trust_env=False, transport=transport
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def deliver(self, url: str, body: bytes, *, client_id: str, seal: Seal) -> Reception:
        """Send this body; the signature covers the URL's path with its query."""
        try:
            if self._loopback_only and not is_loopback(url):
                return Reception(error="NotLoopback")
            headers = self._headers(url, body, client_id, seal)
            async with self._http.stream("POST", url, content=body, headers=headers) as answer:
                return Reception(answer.status_code, await _limited(answer))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Reception(error=type(error).__name__)

    def _headers(self, url: str, body: bytes, client_id: str, seal: Seal) -> dict[str, str]:
        time = str(int(self._now().timestamp() * 1000))
        path = httpx.URL(url).raw_path.decode()
        signed = Signed(path=path, client_id=client_id, time=time, body=body)
        return {
            "content-type": "application/json; charset=UTF-8",
            "client-id": client_id,
            "request-time": time,
            **self._seals.header(signed, seal),
        }


async def _limited(answer: httpx.Response) -> bytes:
    """The answer, nothing of it if it is too long to be an acknowledgement."""
    read = bytearray()
    async for chunk in answer.aiter_bytes():
        read += chunk
        if len(read) > _ANSWER_BYTES_MAX:
            return b""
    return bytes(read)
