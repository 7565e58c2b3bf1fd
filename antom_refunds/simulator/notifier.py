"""notifyRefund: sent until acknowledged, at most eight times (docs/antom.md#notifyrefund)."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Final

import httpx
from pydantic import ValidationError

from antom_refunds.antom.signing import SignedMessage
from antom_refunds.antom.wire import Result
from antom_refunds.limited_body import read_limited
from antom_refunds.loopback import is_loopback
from antom_refunds.simulator.authentication import SignedBy, Signers
from antom_refunds.simulator.fault_effects import OutgoingNotification, messages_for
from antom_refunds.simulator.faults import FaultKind, FaultPlan, Operation
from antom_refunds.simulator.records import Journal, NotificationAttempt, RefundRecord

log = logging.getLogger(__name__)

# The wait before each attempt, counted from the attempt before it.
SCHEDULE: Final = (
    timedelta(),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=15),
)
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
            if self._loopback_only and not is_loopback(httpx.URL(url).host):
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


class Notifier:
    """Sends notifications on Antom's schedule and records every response."""

    def __init__(
        self,
        sender: NotificationSender,
        journal: Journal,
        fault_plan: FaultPlan,
        *,
        speedup: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sender = sender
        self._journal = journal
        self._fault_plan = fault_plan
        self._speedup = speedup
        self._now = now
        self._sleep = sleep

    async def notify(self, refund: RefundRecord, url: str, *, first: int = 1) -> None:
        """Send until the merchant acknowledges, beginning with attempt number `first` of eight."""
        for number, wait in enumerate(SCHEDULE[first - 1 :], start=first):
            await self._sleep(wait.total_seconds() / self._speedup)
            if await self.attempt(refund, url, number=number):
                return
        log.info("notification.given_up", extra={"refund_request_id": refund.refund_request_id})

    async def attempt(self, refund: RefundRecord, url: str, *, number: int) -> bool:
        """Make one attempt; returns whether it was acknowledged."""
        fault = self._fault_plan.next(refund.refund_request_id, Operation.NOTIFY)
        if fault.delay:
            await self._sleep(fault.delay.total_seconds())
        name = None if fault.kind is FaultKind.NONE else fault.kind.value
        attempt = _attempt(refund, url, number=number, fault=name, at=self._now())
        messages = messages_for(refund, fault)
        if fault.concurrent:
            sent = await asyncio.gather(*(self._send(each, attempt) for each in messages))
        else:
            sent = [await self._send(each, attempt) for each in messages]
        for each in sent or [attempt]:
            self._journal.record_notification(each)
        pairs = zip(messages, sent, strict=True)
        return any(each.is_acknowledged for message, each in pairs if message.ends_retries)

    async def _send(
        self, message: OutgoingNotification, attempt: NotificationAttempt
    ) -> NotificationAttempt:
        delivery = await self._sender.send(
            attempt.url, message.body, client_id=attempt.client_id, signed_by=message.signed_by
        )
        digest = sha256(message.body).hexdigest()
        return with_result(
            attempt.model_copy(update={"at": self._now(), "digest": digest}), delivery
        )


def with_result(attempt: NotificationAttempt, delivery: DeliveryResult) -> NotificationAttempt:
    """The attempt with the response to it."""
    return attempt.model_copy(
        update={
            "status_code": delivery.status_code,
            "error": delivery.error,
            "is_acknowledged": delivery.is_acknowledgement,
        }
    )


def _attempt(
    refund: RefundRecord, url: str, *, number: int, fault: str | None, at: datetime
) -> NotificationAttempt:
    return NotificationAttempt(
        client_id=refund.client_id,
        refund_request_id=refund.refund_request_id,
        url=url,
        number=number,
        at=at,
        fault=fault,
    )
