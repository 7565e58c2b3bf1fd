"""What a notification request brings: bounded bytes, and headers as intermediaries leave them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from starlette.requests import ClientDisconnect, Request

from antom_refunds.limited_body import read_limited
from antom_refunds.webhook.rejections import RejectedNotificationError, Rejection

BODY_BYTES_MAX: Final = 64 * 1024
# What whoever calls us may write into a log line, in characters.
_LOGGED_MAX: Final = 128
_BLANKS: Final = " \t"


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """The headers that carry a signature; `signature` is None where there is none."""

    client_id: str
    time: str
    signature: str | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Raises RejectedNotificationError if a header has two different values.

        The lines of a split signature are joined by commas, as RFC 9110 §5.3 lets intermediaries
        do with any list.
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

    Raises RejectedNotificationError if it is encoded, too large, too slow or cut off.
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
    """Exactly as it was sent: a decoded path is another path to a signature."""
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def describe_request(request: Request) -> dict[str, str]:
    """The request for a log line, each part cut: none of it is verified."""
    return {
        "method": request.method[:_LOGGED_MAX],
        "path": path_and_query(request).partition("?")[0][:_LOGGED_MAX],
        "client_id": ",".join(_values(request, "client-id"))[:_LOGGED_MAX],
    }
