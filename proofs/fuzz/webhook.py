"""The webhook as a server calls it: a documented refusal, or Antom's acknowledgement."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

import atheris

from antom_refunds.antom.keys import KeyFile
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence
from antom_refunds.merchants import NotificationKeys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import NotForRefund, NotificationHandler, Rejection, create_app
from proofs.fuzz import messages
from proofs.fuzz.inputs import check_evidence

_REFUSALS: Final = {400, 401, 405, 413, 503}
_LOOP: Final = asyncio.new_event_loop()
logging.disable()


class _Key(KeyFile[Any]):
    """Antom's public key, without a file."""

    def __init__(self) -> None:
        self._key = messages.KEY.public_key()

    @property
    def key(self) -> Any:
        return self._key


class _Notifications(NotificationDelivery):
    """Temporal, which accepts a notification, contradicts it, or is unavailable."""

    def __init__(self) -> None:
        self.delivery: Delivery | None = None
        self.delivered = 0

    async def deliver(
        self, refund_request_id: str, evidence: Evidence, *, delivery_id: str, merchant: str = "",
    ) -> Delivery:  # fmt: skip
        assert all((refund_request_id, delivery_id, merchant))
        check_evidence(evidence)
        if self.delivery is None:
            raise TemporalUnavailableError("unavailable")
        self.delivered += 1
        return self.delivery


_NOTIFICATIONS: Final = _Notifications()
_OUTCOMES: Final[list[str]] = []
_APP: Final = create_app(
    NotificationHandler(
        notifications=_NOTIFICATIONS,
        keys={messages.CLIENT_ID: NotificationKeys("default", (_Key(),))},
        count=_OUTCOMES.append,
    ),
    path=messages.PATH,
)


# Decisions are read from the end of the input, the body from its beginning.
WEBHOOK_SEEDS: Final = tuple(
    body + bytes(range(size)) for body in messages.NOTICES for size in (4, 16)
)


def webhook(data: bytes) -> None:
    drawn = atheris.FuzzedDataProvider(data)
    _NOTIFICATIONS.delivery = drawn.PickValueInList([*Delivery, None])
    query = drawn.ConsumeBytes(drawn.ConsumeIntInRange(0, 8))
    method = drawn.PickValueInList(["POST"] * 8 + ["GET", "PUT", ""])
    headers = dict(_headers(drawn))
    pieces = drawn.ConsumeIntInRange(1, 3)
    is_signed = drawn.ConsumeIntInRange(0, 3) > 0
    body = drawn.ConsumeBytes(drawn.remaining_bytes())
    if is_signed:
        target = messages.PATH + ("?" + query.decode("latin-1") if query else "")
        headers |= {
            b"client-id": messages.CLIENT_ID.encode(),
            b"request-time": messages.TIME.encode(),
            b"signature": messages.signature(body, path=target).encode("latin-1"),
        }
    _check(*_LOOP.run_until_complete(_call(method, query, headers, _cut(body, pieces))))


def _headers(drawn: Any) -> Iterable[tuple[bytes, bytes]]:
    for name in (b"client-id", b"request-time", b"signature", b"content-length"):
        if drawn.ConsumeBool():
            yield name, drawn.ConsumeBytes(drawn.ConsumeIntInRange(0, 32))
    if drawn.ConsumeBool():
        yield b"client-id", messages.CLIENT_ID.encode()


def _cut(body: bytes, pieces: int) -> list[bytes]:
    size = len(body) // pieces + 1
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


async def _call(
    method: str, query: bytes, headers: dict[bytes, bytes], pieces: list[bytes]
) -> tuple[int, bytes]:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": messages.PATH, "raw_path": messages.PATH.encode(),
        "query_string": query, "root_path": "", "headers": list(headers.items()),
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    coming = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await _APP(scope, receive, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


def _check(status: int, answer: bytes) -> None:
    outcomes = [*_OUTCOMES]
    delivered, _NOTIFICATIONS.delivered = _NOTIFICATIONS.delivered, 0
    _OUTCOMES.clear()
    assert len(outcomes) == 1, "each request is counted once"
    if status == 200:  # noqa: PLR2004 - HTTP
        assert answer == ACKNOWLEDGEMENT
        is_unclaimed = outcomes[0] in set(NotForRefund)
        assert delivered == (0 if is_unclaimed else 1), "acknowledged, but not delivered"
        assert is_unclaimed or outcomes[0] in set(Delivery)
    else:
        assert status in _REFUSALS
        assert delivered == 0
        assert outcomes[0] in set(Rejection)
