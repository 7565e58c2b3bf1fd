"""The notification handler: raw bytes, verify, decode, signal, and only then acknowledge.

Antom is told "success" only when Temporal has the notification, or when nobody is left to need
it. Whatever else happens, Antom sends it again (docs/antom.md#notifications).
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.common import MetricMeter

from antom_refunds.antom import reading
from antom_refunds.antom.signing import (
    MalformedSignatureError,
    MissingSignatureError,
    Signed,
    WrongSignatureError,
    verify,
)
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotice
from antom_refunds.client import Delivery, RefundClient
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.merchants import Sender

log = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 64 * 1024
# Antom's own limit for our answer is not documented; a slow "later" is better than none.
_TEMPORAL_LIMIT: Final = timedelta(seconds=4)
_JSON: Final = "application/json"


class Refusal(StrEnum):
    """Why a request was not acknowledged."""

    UNKNOWN_CLIENT = "unknown_client"
    MISSING_SIGNATURE = "missing_signature"
    MALFORMED_SIGNATURE = "malformed_signature"
    WRONG_SIGNATURE = "wrong_signature"
    MALFORMED_BODY = "malformed_body"
    TOO_LARGE = "too_large"
    WRONG_METHOD = "wrong_method"
    TEMPORAL_AWAY = "temporal_away"


_STATUS: Final = {
    Refusal.UNKNOWN_CLIENT: 401,
    Refusal.MISSING_SIGNATURE: 401,
    Refusal.MALFORMED_SIGNATURE: 401,
    Refusal.WRONG_SIGNATURE: 401,
    Refusal.MALFORMED_BODY: 400,
    Refusal.TOO_LARGE: 413,
    Refusal.WRONG_METHOD: 405,
    Refusal.TEMPORAL_AWAY: 503,
}
_SIGNATURE_FLAWS: Final = {
    MissingSignatureError: Refusal.MISSING_SIGNATURE,
    MalformedSignatureError: Refusal.MALFORMED_SIGNATURE,
    WrongSignatureError: Refusal.WRONG_SIGNATURE,
}
_LEVELS: Final = {
    Delivery.DELIVERED: logging.INFO,
    Delivery.ENDED: logging.INFO,
    Delivery.UNKNOWN: logging.WARNING,
    Delivery.ABANDONED: logging.ERROR,
    Delivery.CONTRADICTS: logging.ERROR,
}


class RefusedNoticeError(Exception):
    """The request changes nothing; Antom is told so by the HTTP status."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Takes notifications for the merchants it has keys of.

    `public_path` is the path (with query) that Antom calls, where a proxy shows us another;
    `count` is told each end of a request.
    """

    refunds: RefundClient
    senders: Mapping[str, Sender]
    count: Callable[[str], None]
    public_path: str | None = None

    async def receive(self, request: Request) -> Response:
        """Antom's exact acknowledgement, or a status that makes it send again."""
        try:
            delivery = await self._take(request)
        except RefusedNoticeError as error:
            log.warning("notice.refused", extra={"reason": error.refusal.value})
            return self._refused(error.refusal)
        self.count(delivery.value)
        return Response(ACKNOWLEDGEMENT, media_type=_JSON)

    async def refuse_method(self, request: Request, error: Exception) -> Response:  # noqa: ARG002
        """Whatever the router refuses by itself: another method, another path."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == _STATUS[Refusal.WRONG_METHOD]:
            return self._refused(Refusal.WRONG_METHOD)
        return Response(status_code=status)

    def _refused(self, refusal: Refusal) -> Response:
        self.count(refusal.value)
        return Response(refusal.value, status_code=_STATUS[refusal], media_type="text/plain")

    async def _take(self, request: Request) -> Delivery:
        body = await _limited_body(request)
        sender = self._verified_sender(request, body)
        notice = _decoded(body)
        delivery = await self._delivered(notice, body, sender)
        _record(delivery, notice, sender, body)
        return delivery

    def _verified_sender(self, request: Request, body: bytes) -> Sender:
        client_id = request.headers.get("client-id", "")
        sender = self.senders.get(client_id)
        if sender is None:
            raise RefusedNoticeError(Refusal.UNKNOWN_CLIENT)
        signed = Signed(
            path=self.public_path or _path_and_query(request),
            client_id=client_id,
            time=request.headers.get("request-time", ""),
            body=body,
        )
        try:
            verify(signed, request.headers.get("signature"), [file.key for file in sender.keys])
        except tuple(_SIGNATURE_FLAWS) as error:
            raise RefusedNoticeError(_SIGNATURE_FLAWS[type(error)]) from error
        return sender

    async def _delivered(self, notice: RefundNotice, body: bytes, sender: Sender) -> Delivery:
        try:
            async with asyncio.timeout(_TEMPORAL_LIMIT.total_seconds()):
                return await self.refunds.notify(
                    notice.refund_request_id,
                    reading.noticed(notice),
                    # Equal bytes are one notification, however often Antom sends them.
                    delivery_id=hashlib.sha256(body).hexdigest(),
                    merchant=sender.merchant,
                )
        except TemporalSettingsError as error:
            log.error("notice.undeliverable", extra={"reason": str(error)})  # noqa: TRY400
            raise RefusedNoticeError(Refusal.TEMPORAL_AWAY) from error
        except (TemporalUnavailableError, TimeoutError) as error:
            raise RefusedNoticeError(Refusal.TEMPORAL_AWAY) from error


def create_app(handler: Handler, *, path: str) -> Starlette:
    """The ASGI app: the notification door at `path`, and `/health`."""
    return Starlette(
        routes=[
            Route(path, handler.receive, methods=["POST"]),
            Route("/health", _healthy, methods=["GET"]),
        ],
        exception_handlers={HTTPException: handler.refuse_method},
    )


def counting(meter: MetricMeter) -> Callable[[str], None]:
    """Counts notifications by what became of them, on the process's metrics page."""
    counter = meter.create_counter("refund_notices", "Notifications by what became of them")
    return lambda end: counter.add(1, {"end": end})


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _limited_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise RefusedNoticeError(Refusal.TOO_LARGE)
    return bytes(body)


def _path_and_query(request: Request) -> str:
    """Exactly as it was sent: a decoded path is another path to a signature."""
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _decoded(body: bytes) -> RefundNotice:
    try:
        return RefundNotice.model_validate_json(body)
    except ValidationError as error:
        raise RefusedNoticeError(Refusal.MALFORMED_BODY) from error


def _record(delivery: Delivery, notice: RefundNotice, sender: Sender, body: bytes) -> None:
    """One log line; it keeps the verified bytes where no history does."""
    fields = {
        "refund_request_id": notice.refund_request_id,
        "merchant": sender.merchant,
        "refund_status": notice.refund_status,
    }
    if delivery is not Delivery.DELIVERED and delivery is not Delivery.ENDED:
        fields["notice"] = body.decode("utf-8", "backslashreplace")
    log.log(_LEVELS[delivery], f"notice.{delivery}", extra=fields)  # noqa: G004 - a fixed set
