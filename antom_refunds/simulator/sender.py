"""Sends signed notifications to merchants and returns their responses."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

import httpx
from pydantic import ValidationError

from antom_refunds.antom.signing import SignedMessage
from antom_refunds.antom.wire import Result
from antom_refunds.limited_body import read_limited
from antom_refunds.simulator.signers import SignedBy, Signers

# Antom documents no timeout of its own; this one only has to exceed any honest response time.
_TIMEOUT_SECONDS: Final = 15.0
_RESPONSE_BYTES_MAX: Final = 64 * 1024
_ACKNOWLEDGED: Final = ("S", "SUCCESS")


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The merchant's response; without one `status_code` is None and `error` says why."""

    status_code: int | None = None
    body: bytes = b""
    error: str | None = None

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it is HTTP 200 with S and SUCCESS (docs/antom.md#notifications)."""
        if self.status_code != HTTPStatus.OK:
            return False
        try:
            result = Result.model_validate(json.loads(self.body)["result"])
        except (ValueError, KeyError, TypeError, ValidationError):
            return False
        return (result.result_status, result.result_code) == _ACKNOWLEDGED


def is_loopback(url: str) -> bool:
    """Whether this URL's host is this machine, judged by its name or its address alone."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class NotificationSender:
    """One connection pool for all notifications. Never raises for anything the merchant does."""

    def __init__(
        self,
        signers: Signers,
        *,
        now: Callable[[], datetime],
        loopback_only: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._signers = signers
        self._now = now
        self._loopback_only = loopback_only
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_TIMEOUT_SECONDS, pool=None), trust_env=False, transport=transport
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(
        self, url: str, body: bytes, *, client_id: str, signed_by: SignedBy
    ) -> DeliveryResult:
        """POST this body to the URL; the signature covers the URL's path with its query."""
        try:
            if self._loopback_only and not is_loopback(url):
                return DeliveryResult(error="NotLoopback")
            headers = self._headers(url, body, client_id, signed_by)
            async with self._http.stream("POST", url, content=body, headers=headers) as response:
                # A longer body cannot be an acknowledgement.
                received = await read_limited(response.aiter_bytes(), _RESPONSE_BYTES_MAX) or b""
                return DeliveryResult(response.status_code, received)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return DeliveryResult(error=type(error).__name__)

    def _headers(
        self, url: str, body: bytes, client_id: str, signed_by: SignedBy
    ) -> dict[str, str]:
        time = str(int(self._now().timestamp() * 1000))
        path = httpx.URL(url).raw_path.decode()
        signed = SignedMessage(path=path, client_id=client_id, time=time, body=body)
        return {
            "content-type": "application/json; charset=UTF-8",
            "client-id": client_id,
            "request-time": time,
            **self._signers.header(signed, signed_by),
        }
