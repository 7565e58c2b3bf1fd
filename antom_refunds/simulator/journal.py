"""What was said: calls counted, payloads told apart, notifications with what came back."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.records import Calls, Payloads, Sending


class Journal:
    """Every call whose signature held is noted here, whatever was made of it afterwards."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._calls: dict[tuple[str, str, CallKind], int] = {}
        self._last: dict[tuple[str, str, CallKind], datetime] = {}
        self._digests: dict[tuple[str, str], dict[str, None]] = {}
        self._sendings: list[Sending] = []

    def heard(self, client_id: str, subject: str, kind: CallKind, body: bytes) -> None:
        key = client_id, subject, kind
        self._calls[key] = self._calls.get(key, 0) + 1
        self._last[key] = self._now()
        if kind is CallKind.REFUND:
            digest = sha256(body).hexdigest()
            self._digests.setdefault((client_id, subject), {})[digest] = None

    def sent(self, sending: Sending) -> None:
        self._sendings.append(sending)

    @property
    def calls(self) -> tuple[Calls, ...]:
        return tuple(
            Calls(
                client_id=key[0], subject=key[1], kind=key[2], count=count, last_at=self._last[key]
            )
            for key, count in self._calls.items()
        )

    @property
    def payloads(self) -> tuple[Payloads, ...]:
        return tuple(
            Payloads(client_id=client_id, refund_request_id=subject, digests=tuple(digests))
            for (client_id, subject), digests in self._digests.items()
        )

    @property
    def sendings(self) -> tuple[Sending, ...]:
        return tuple(self._sendings)
