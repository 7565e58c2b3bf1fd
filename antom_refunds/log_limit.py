"""Limits repeated log lines, so that a flood of requests does not flood the log."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_OVERFLOW: Final = object()


@dataclass(slots=True)
class _Line:
    written_at: float
    suppressed: int = 0


class LogLimit:
    """Admits one line per key and time window; memory is bounded.

    Keys beyond `keys_max` within one window share one line. `now` is a clock in seconds.
    """

    def __init__(
        self,
        *,
        window: timedelta = timedelta(minutes=1),
        keys_max: int = 100,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window.total_seconds()
        self._keys_max = keys_max
        self._now = now
        # Oldest line first.
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()
        self._forgotten = 0

    def admit(self, key: Hashable) -> int | None:
        """None to suppress the line; otherwise the number of lines suppressed since the last one.

        Suppressed lines of expired keys are added to the number of the next admitted line.
        """
        now = self._now()
        line = self._lines.get(key)
        if line is not None and now - line.written_at >= self._window:
            self._forget(key)
            line = None
        if line is None:
            self._forget_expired(now)
            if len(self._lines) >= self._keys_max and key is not _OVERFLOW:
                return self.admit(_OVERFLOW)
            self._lines[key] = _Line(written_at=now)
            suppressed, self._forgotten = self._forgotten, 0
            return suppressed
        line.suppressed += 1
        return None

    def _forget_expired(self, now: float) -> None:
        while self._lines:
            oldest, line = next(iter(self._lines.items()))
            if now - line.written_at < self._window:
                return
            self._forget(oldest)

    def _forget(self, key: Hashable) -> None:
        self._forgotten += self._lines.pop(key).suppressed


class RepeatedWarningFilter(logging.Filter):
    """A filter for a third-party logger: admits equal warnings once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._limit = LogLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        suppressed = self._limit.admit(record.msg)
        if suppressed:
            record.suppressed = suppressed
        return suppressed is not None
