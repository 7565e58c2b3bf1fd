"""Reads a notification's HTTP request: a bounded body, the signed headers and the path."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from starlette.requests import ClientDisconnect, Request

from antom_refunds.limited_body import read_limited
from antom_refunds.webhook.rejections import RejectedNotificationError, Rejection

BODY_BYTES_MAX: Final = 64 * 1024
# Maximum characters per field that an unverified request can put into the log.
_LOGGED_MAX: Final = 128
_BLANKS: Final = " \t"


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """The headers that a signature needs; `signature` is None if the header is missing."""

    client_id: str
    time: str
    signature: str | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """The headers of this request.

        Raises RejectedNotificationError if a header has two different values. A signature that an
        intermediary split over several lines is joined with commas (RFC 9110 §5.3).
        """
        parts = _values(request, "signature")
        return cls(
            client_id=_single(request, "client-id"),
            time=_single(request, "request-time"),
            signature=",".join(parts) or None,
        )


def _values(request: Request, name: str) -> list[str]:
    return [value.strip(_BLANKS) for value in request.headers.getlist(name)]


def _single(request: Request, name: str) -> str:
    values = set(_values(request, name))
    if len(values) > 1:
        raise RejectedNotificationError(Rejection.MALFORMED_HEADER)
    return values.pop() if values else ""


async def read_body(request: Request, limit: timedelta) -> bytes:
    """The whole body.

    Raises RejectedNotificationError if it is encoded, too large, too slow or incomplete.
    """
    if any(each.lower() not in {"", "identity"} for each in _values(request, "content-encoding")):
        raise RejectedNotificationError(Rejection.UNSUPPORTED_ENCODING)
    try:
        async with asyncio.timeout(limit.total_seconds()):
            body = await read_limited(request.stream(), BODY_BYTES_MAX)
    except TimeoutError as error:
        raise RejectedNotificationError(Rejection.SLOW_BODY) from error
    except ClientDisconnect as error:
        raise RejectedNotificationError(Rejection.DISCONNECTED) from error
    if body is None:
        raise RejectedNotificationError(Rejection.TOO_LARGE)
    return body


def path_and_query(request: Request) -> str:
    """The path exactly as sent: the signature covers the raw, undecoded path."""
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def describe_request(request: Request) -> dict[str, str]:
    """The request's fields for the log, truncated because none of them is verified."""
    return {
        "method": request.method[:_LOGGED_MAX],
        "path": path_and_query(request).partition("?")[0][:_LOGGED_MAX],
        "client_id": ",".join(_values(request, "client-id"))[:_LOGGED_MAX],
    }
