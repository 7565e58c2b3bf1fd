"""Keeps one cause that hits many refunds from filling the log with one line for each of them."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Final

_INTERVAL: Final = timedelta(minutes=10)
_KEYS_MAX: Final = 1000


class LogLimiter:
    """Says whether a line about this matter may be logged: once in each `interval`.

    At most `keys_max` matters are remembered; then the one that was logged longest ago is
    forgotten first, so too much may be logged and never too little. `now` counts seconds.
    """

    def __init__(
        self,
        *,
        interval: timedelta = _INTERVAL,
        keys_max: int = _KEYS_MAX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval.total_seconds()
        self._keys_max = keys_max
        self._now = now
        self._logged_at: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def should_log(self, key: tuple[str, ...]) -> bool:
        """True the first time in each interval, for example for ("shop", "INVALID_SIGNATURE")."""
        now = self._now()
        logged_at = self._logged_at.get(key)
        if logged_at is not None and now - logged_at < self._interval:
            return False
        self._logged_at[key] = now
        self._logged_at.move_to_end(key)
        if len(self._logged_at) > self._keys_max:
            self._logged_at.popitem(last=False)
        return True
