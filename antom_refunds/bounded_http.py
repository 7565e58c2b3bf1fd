"""uvicorn's HTTP/1.1 protocol (h11), with limits on each connection's request head."""

import asyncio
import logging
from datetime import timedelta
from typing import ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

HEAD_BYTES_MAX: Final = 16 * 1024
_TOO_LARGE_HEAD: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(H11Protocol):
    """Closes a connection whose request head exceeds the time or size limit."""

    head_seconds: ClassVar[float]
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            # Invalid data after our response: uvicorn tries to send a second response.
            self.transport.close()
        if self.conn.their_state is not h11.IDLE:
            self._stop_head_timer()
        elif self.conn.trailing_data[0]:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state is h11.IDLE and len(self.conn.trailing_data[0]) > HEAD_BYTES_MAX:
            self.transport.write(_TOO_LARGE_HEAD)
            self.transport.close()
            return
        super().send_400_response(msg)

    def _start_head_timer(self) -> None:
        """Arriving bytes do not restart the timer: the limit applies to the whole head."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        log.info("connection.closed", extra={"reason": "no complete request head in time"})
        self.transport.close()


def bounded_protocol(head_limit: timedelta) -> type[BoundedProtocol]:
    """A protocol class with this time limit for a complete request head."""

    class Protocol(BoundedProtocol):
        head_seconds = head_limit.total_seconds()

    return Protocol
