"""The webhook as a server calls it: a documented refusal, or Antom's acknowledgement."""

import asyncio
import logging
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final

import atheris

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
_KEY: Final[Any] = SimpleNamespace(key=messages.KEY.public_key())  # a KeyFile without a file
_KEYS: Final = {messages.CLIENT_ID: NotificationKeys("default", (_KEY,))}
_APP: Final = create_app(
    NotificationHandler(notifications=_NOTIFICATIONS, keys=_KEYS, count=_OUTCOMES.append),
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
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
        "path": messages.PATH, "raw_path": messages.PATH.encode(), "query_string": query,
        "headers": list(headers.items()), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    _check(*_LOOP.run_until_complete(_call(scope, _cut(body, pieces))))


def _headers(drawn: Any) -> Iterable[tuple[bytes, bytes]]:
    for name in (b"client-id", b"request-time", b"signature", b"content-length"):
        if drawn.ConsumeBool():
            yield name, drawn.ConsumeBytes(drawn.ConsumeIntInRange(0, 32))
    if drawn.ConsumeBool():
        yield b"client-id", messages.CLIENT_ID.encode()


def _cut(body: bytes, pieces: int) -> list[bytes]:
    size = len(body) // pieces + 1
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


async def _call(scope: dict[str, Any], pieces: list[bytes]) -> tuple[int, bytes]:
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
    delivered, _NOTIFICATIONS.delivered = _NOTIFICATIONS.delivered, 0
    outcome, *others = _OUTCOMES
    _OUTCOMES.clear()
    assert not others, "each request is counted once"
    if status == 200:  # noqa: PLR2004 - HTTP
        assert answer == ACKNOWLEDGEMENT
        is_unclaimed = outcome in set(NotForRefund)
        assert delivered == (0 if is_unclaimed else 1), "acknowledged, but not delivered"
        assert is_unclaimed or outcome in set(Delivery)
    else:
        assert status in _REFUSALS
        assert delivered == 0
        assert outcome in set(Rejection)
