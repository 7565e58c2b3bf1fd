"""The webhook's ASGI app: verifies a notification, signals its refund, and acknowledges it."""

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
from antom_refunds.merchants import NotificationKeys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import notification
from antom_refunds.webhook.notification import (
    NotForRefund,
    OtherEvent,
    RefundEvidence,
    UnusableNotification,
)
from antom_refunds.webhook.notification_request import (
    SignedHeaders,
    describe_request,
    path_and_query,
    read_body,
)
from antom_refunds.webhook.rejections import (
    CLOSES_CONNECTION,
    STATUS,
    RejectedNotificationError,
    Rejection,
)
from antom_refunds.webhook.verification import verify_sender

log = logging.getLogger(__package__)

_JSON: Final = "application/json"
_ROUTER_REJECTIONS: Final[dict[int | None, Rejection]] = {
    404: Rejection.UNKNOWN_PATH,
    405: Rejection.WRONG_METHOD,
}
_LEVELS: Final = {
    Delivery.DELIVERED: logging.INFO,
    Delivery.ALREADY_TERMINAL: logging.INFO,
    Delivery.UNKNOWN: logging.WARNING,
    Delivery.TERMINATED: logging.ERROR,
    Delivery.CONFLICTS: logging.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationHandler:
    """Handles notifications for the merchants in `keys`, by client-id.

    `public_path` is the path (with query) that Antom calls, if a proxy changes it. `count` is
    called with the outcome of each request: a value of Delivery, NotForRefund or Rejection. A body
    must arrive within `body_limit`, and Temporal must store the notification within
    `temporal_limit`: Antom does not document its own timeout, and should get a response before it.
    """

    notifications: NotificationDelivery
    keys: Mapping[str, NotificationKeys]
    count: Callable[[str], None]
    public_path: str | None = None
    body_limit: timedelta = timedelta(seconds=10)
    temporal_limit: timedelta = timedelta(seconds=4)
    _log_limit: LogLimit = field(default_factory=LogLimit)

    async def handle(self, request: Request) -> Response:
        """Respond with Antom's exact acknowledgement, or a status that makes Antom retry."""
        try:
            outcome = await self._process(request)
        except RejectedNotificationError as error:
            return self._reject(error.rejection, request)
        except Exception:
            log.exception("notification.defect", extra=describe_request(request))
            return self._reject(Rejection.DEFECT, request)
        self.count(outcome.value)
        return Response(ACKNOWLEDGEMENT, media_type=_JSON)

    async def reject_route(self, request: Request, error: Exception) -> Response:
        """Respond to requests that the router rejects: another method or path."""
        status = getattr(error, "status_code", None)
        return self._reject(_ROUTER_REJECTIONS.get(status, Rejection.DEFECT), request)

    def _reject(self, rejection: Rejection, request: Request) -> Response:
        self.count(rejection.value)
        self._log_rejection(rejection, request)
        headers = {"connection": "close"} if rejection in CLOSES_CONNECTION else None
        return Response(rejection.value, STATUS[rejection], headers, "text/plain")

    def _log_rejection(self, rejection: Rejection, request: Request) -> None:
        fields = {"reason": rejection.value, **describe_request(request)}
        key = (rejection, fields["path"], fields["client_id"])
        suppressed = self._log_limit.admit(key)
        if suppressed is not None:
            log.warning("notification.rejected", extra={**fields, "suppressed": suppressed})

    async def _process(self, request: Request) -> Delivery | NotForRefund:
        body = await read_body(request, self.body_limit)
        path = self.public_path or path_and_query(request)
        keys = verify_sender(self.keys, SignedHeaders.of(request), path=path, body=body)
        match notification.parse_notification(body):
            case RefundEvidence() as parsed:
                return await self._deliver(parsed, body, keys)
            case OtherEvent() as event:
                _record_other(event, keys)
                return NotForRefund.NOT_OURS
            case UnusableNotification() as flaw:
                _record_unusable(flaw, body, keys)
                return NotForRefund.UNUSABLE
            case unhandled:
                assert_never(unhandled)

    async def _deliver(
        self, parsed: RefundEvidence, body: bytes, keys: NotificationKeys
    ) -> Delivery:
        # Equal bytes are repetitions of one notification.
        digest = hashlib.sha256(body).hexdigest()
        delivery = await self._notify(parsed, digest, keys)
        _record(delivery, parsed, body, digest, keys)
        return delivery

    async def _notify(
        self, parsed: RefundEvidence, digest: str, keys: NotificationKeys
    ) -> Delivery:
        try:
            async with asyncio.timeout(self.temporal_limit.total_seconds()):
                return await self.notifications.deliver(
                    parsed.refund_request_id,
                    parsed.evidence,
                    delivery_id=digest,
                    merchant=keys.merchant,
                )
        except (TemporalSettingsError, SignalLimitError, RPCError) as error:
            _record_undeliverable(error, parsed, keys)
            raise RejectedNotificationError(Rejection.TEMPORAL_UNAVAILABLE) from error
        except (TemporalUnavailableError, TimeoutError) as error:
            raise RejectedNotificationError(Rejection.TEMPORAL_UNAVAILABLE) from error


def create_app(handler: NotificationHandler, *, path: str) -> Starlette:
    """The ASGI app: the notification handler at `path`, and `/health`."""
    app = Starlette(
        routes=[
            Route(path, handler.handle, methods=["POST"]),
            Route("/health", _healthy, methods=["GET"]),
        ],
        exception_handlers={HTTPException: handler.reject_route},
    )
    # A redirect is neither an acknowledgement nor a rejection, and the signature covers one path.
    app.router.redirect_slashes = False
    return app


def notification_counter(meter: MetricMeter) -> Callable[[str], None]:
    """A function that counts notifications by outcome, in the process's metrics."""
    counter = meter.create_counter("refund_notifications", "Notifications by outcome")
    return lambda outcome: counter.add(1, {"outcome": outcome})


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _record(
    delivery: Delivery, parsed: RefundEvidence, body: bytes, digest: str, keys: NotificationKeys
) -> None:
    """Log one line, including the verified bytes if no history contains them."""
    fields = {
        "refund_request_id": parsed.refund_request_id,
        "merchant": keys.merchant,
        "kind": parsed.evidence.kind.value,
        "code": parsed.evidence.code,
    }
    if delivery is not Delivery.DELIVERED and delivery is not Delivery.ALREADY_TERMINAL:
        fields |= {"notification": _text(body), "digest": digest, "reason": parsed.evidence.message}
    log.log(_LEVELS[delivery], f"notification.{delivery}", extra=fields)  # noqa: G004 - a fixed set


def _record_other(event: OtherEvent, keys: NotificationKeys) -> None:
    fields = {"event_type": event.event_type, "merchant": keys.merchant}
    log.info("notification.not_ours", extra=fields)


def _record_unusable(flaw: UnusableNotification, body: bytes, keys: NotificationKeys) -> None:
    """Log a notification that is acknowledged because repetitions would be just as unusable.

    The log keeps its bytes, and the refund still gets its result by inquiries.
    """
    fields = {
        "field": flaw.field,
        "reason": f"{flaw.field} {flaw.reason}",
        "merchant": keys.merchant,
        "notification": _text(body),
    }
    log.error("notification.unusable", extra=fields)


def _record_undeliverable(error: Exception, parsed: RefundEvidence, keys: NotificationKeys) -> None:
    fields = {
        "reason": str(error),
        "refund_request_id": parsed.refund_request_id,
        "merchant": keys.merchant,
    }
    log.error("notification.undeliverable", extra=fields)


def _text(body: bytes) -> str:
    """The whole body (at most BODY_BYTES_MAX), because only the log keeps it."""
    return body.decode("utf-8", "backslashreplace")
