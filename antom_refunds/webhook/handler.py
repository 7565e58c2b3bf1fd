"""The ASGI app: receive, verify, hand to Temporal, acknowledge; or refuse, count and log."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, assert_never

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.common import MetricMeter
from temporalio.service import RPCError

from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.delivery import Delivery, SignalLimitError
from antom_refunds.log_limit import LogLimit
from antom_refunds.merchants import Sender
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import notice
from antom_refunds.webhook.notice import ForRefund, OtherEvent, Unclaimed, UnusableNotice
from antom_refunds.webhook.refusals import CLOSING, STATUS, Refusal, RefusedNoticeError
from antom_refunds.webhook.request import SignedHeaders, described, limited_body, path_and_query
from antom_refunds.webhook.verification import verified_sender

log = logging.getLogger(__package__)

_JSON: Final = "application/json"
_ROUTER_REFUSALS: Final = {404: Refusal.UNKNOWN_PATH, 405: Refusal.WRONG_METHOD}
_LEVELS: Final = {
    Delivery.DELIVERED: logging.INFO,
    Delivery.ENDED: logging.INFO,
    Delivery.UNKNOWN: logging.WARNING,
    Delivery.ABANDONED: logging.ERROR,
    Delivery.CONTRADICTS: logging.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Takes notifications for the merchants it has keys of.

    `public_path` is the path (with query) that Antom calls, where a proxy shows us another;
    `count` is called with the outcome of each request: of Delivery, Unclaimed or Refusal. A body
    must arrive within `body_limit`, and Temporal must take the notification within
    `temporal_limit`: Antom's own limit is not documented, but a slow "later" is better than none.
    """

    notifications: NotificationDelivery
    senders: Mapping[str, Sender]
    count: Callable[[str], None]
    public_path: str | None = None
    body_limit: timedelta = timedelta(seconds=10)
    temporal_limit: timedelta = timedelta(seconds=4)
    _log_limit: LogLimit = field(default_factory=LogLimit)

    async def receive(self, request: Request) -> Response:
        """Antom's exact acknowledgement, or a status that makes it send again."""
        try:
            outcome = await self._take(request)
        except RefusedNoticeError as error:
            return self._refused(error.refusal, request)
        except Exception:
            log.exception("notice.defect", extra=described(request))
            return self._refused(Refusal.DEFECT, request)
        self.count(outcome.value)
        return Response(ACKNOWLEDGEMENT, media_type=_JSON)

    async def refuse_route(self, request: Request, error: Exception) -> Response:
        """Whatever the router refuses by itself: another method, another path."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._refused(_ROUTER_REFUSALS.get(status, Refusal.DEFECT), request)

    def _refused(self, refusal: Refusal, request: Request) -> Response:
        self.count(refusal.value)
        self._log_refused(refusal, request)
        headers = {"connection": "close"} if refusal in CLOSING else None
        return Response(refusal.value, STATUS[refusal], headers, "text/plain")

    def _log_refused(self, refusal: Refusal, request: Request) -> None:
        fields = {"reason": refusal.value, **described(request)}
        key = (refusal, fields["path"], fields["client_id"])
        suppressed = self._log_limit.admit(key)
        if suppressed is not None:
            log.warning("notice.refused", extra={**fields, "suppressed": suppressed})

    async def _take(self, request: Request) -> Delivery | Unclaimed:
        body = await limited_body(request, self.body_limit)
        path = self.public_path or path_and_query(request)
        sender = verified_sender(self.senders, SignedHeaders.of(request), path=path, body=body)
        match notice.read(body):
            case ForRefund() as said:
                return await self._deliver(said, body, sender)
            case OtherEvent() as event:
                _record_other(event, sender)
                return Unclaimed.NOT_OURS
            case UnusableNotice() as flaw:
                _record_unusable(flaw, body, sender)
                return Unclaimed.UNUSABLE
            case unread:
                assert_never(unread)

    async def _deliver(self, said: ForRefund, body: bytes, sender: Sender) -> Delivery:
        # Equal bytes are one notification, however often Antom sends them.
        digest = hashlib.sha256(body).hexdigest()
        delivery = await self._notified(said, digest, sender)
        _record(delivery, said, body, digest, sender)
        return delivery

    async def _notified(self, said: ForRefund, digest: str, sender: Sender) -> Delivery:
        try:
            async with asyncio.timeout(self.temporal_limit.total_seconds()):
                return await self.notifications.deliver(
                    said.refund_request_id,
                    said.evidence,
                    delivery_id=digest,
                    merchant=sender.merchant,
                )
        except (TemporalSettingsError, SignalLimitError, RPCError) as error:
            _record_undeliverable(error, said, sender)
            raise RefusedNoticeError(Refusal.TEMPORAL_AWAY) from error
        except (TemporalUnavailableError, TimeoutError) as error:
            raise RefusedNoticeError(Refusal.TEMPORAL_AWAY) from error


def create_app(handler: Handler, *, path: str) -> Starlette:
    """The ASGI app: the notification handler at `path`, and `/health`."""
    app = Starlette(
        routes=[
            Route(path, handler.receive, methods=["POST"]),
            Route("/health", _healthy, methods=["GET"]),
        ],
        exception_handlers={HTTPException: handler.refuse_route},
    )
    # A redirect is neither an acknowledgement nor a refusal, and the signature fits one path.
    app.router.redirect_slashes = False
    return app


def counting(meter: MetricMeter) -> Callable[[str], None]:
    """Counts notifications by outcome, on the process's metrics page."""
    counter = meter.create_counter("refund_notices", "Notifications by outcome")
    return lambda end: counter.add(1, {"end": end})


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _record(delivery: Delivery, said: ForRefund, body: bytes, digest: str, sender: Sender) -> None:
    """One log line; it keeps the verified bytes where no history does."""
    fields = {
        "refund_request_id": said.refund_request_id,
        "merchant": sender.merchant,
        "word": said.evidence.word.value,
        "code": said.evidence.code,
    }
    if delivery is not Delivery.DELIVERED and delivery is not Delivery.ENDED:
        fields |= {"notice": _text(body), "digest": digest, "said": said.evidence.message}
    log.log(_LEVELS[delivery], f"notice.{delivery}", extra=fields)  # noqa: G004 - a fixed set


def _record_other(event: OtherEvent, sender: Sender) -> None:
    fields = {"event_type": event.event_type, "merchant": sender.merchant}
    log.info("notice.not_ours", extra=fields)


def _record_unusable(flaw: UnusableNotice, body: bytes, sender: Sender) -> None:
    """It is acknowledged, since each of Antom's eight repetitions would be the same bytes.

    They are in the log, and whichever refund it was about still learns its end by inquiries.
    """
    fields = {
        "field": flaw.field,
        "reason": f"{flaw.field} {flaw.reason}",
        "merchant": sender.merchant,
        "notice": _text(body),
    }
    log.error("notice.unusable", extra=fields)


def _record_undeliverable(error: Exception, said: ForRefund, sender: Sender) -> None:
    fields = {
        "reason": str(error),
        "refund_request_id": said.refund_request_id,
        "merchant": sender.merchant,
    }
    log.error("notice.undeliverable", extra=fields)


def _text(body: bytes) -> str:
    """All of it: at most BODY_BYTES_MAX, and the log is the only place that keeps it."""
    return body.decode("utf-8", "backslashreplace")
