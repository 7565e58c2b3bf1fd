"""Checks that a signed response was created for this call (docs/antom.md#verifying).

A signature covers the path, the client-id, the time and the body, and the body of a failure
names no refund. So only the time links a response to its call.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from antom_refunds.antom.call_errors import StaleResponseError

STALE_RESPONSE: Final = "stale_response"
# Unix times by number of digits: from 2001 to 2286, seconds have ten and milliseconds thirteen.
_DIVISORS: Final = {10: 1, 13: 1000}
_QUOTED_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class CallWindow:
    """When sending began and when the response was complete, by this machine's clock."""

    sent_at: datetime
    received_at: datetime

    @property
    def middle(self) -> datetime:
        return self.sent_at + (self.received_at - self.sent_at) / 2


def parse_response_time(header: str) -> datetime:
    """Parse a `response-time` header: ISO 8601 with an offset, or a Unix time.

    A Unix time has 13 digits in milliseconds or 10 in seconds. Raises StaleResponseError for
    anything else.
    """
    if not header:
        raise StaleResponseError(STALE_RESPONSE, "the response is signed, but has no response-time")
    try:
        time = _unix_time(header) or datetime.fromisoformat(header)
    except ValueError:
        time = None
    if time is None or time.utcoffset() is None:
        quoted = ascii(header[:_QUOTED_MAX])
        message = f"the response is signed, but its response-time {quoted} cannot be read"
        raise StaleResponseError(STALE_RESPONSE, message)
    return time


def _unix_time(header: str) -> datetime | None:
    if not (header.isascii() and header.isdigit() and len(header) in _DIVISORS):
        return None
    return datetime.fromtimestamp(int(header) / _DIVISORS[len(header)], UTC)


def require_fresh(time: datetime, window: CallWindow, *, skew_max: timedelta) -> None:
    """Return if `time` is within the call, with a tolerance of `skew_max`.

    Otherwise raises StaleResponseError, which states the deviation and what to check.
    """
    # Compare differences: adding to a time from outside could overflow datetime's range.
    early, late = window.sent_at - time, time - window.received_at
    if max(early, late) <= skew_max:
        return
    is_early = early > late
    deviation = math.ceil((early if is_early else late).total_seconds())
    direction = "before the call" if is_early else "after it"
    message = (
        f"the response is signed, but was created {deviation} s {direction}, and only "
        f"{skew_max.total_seconds():.0f} s are allowed: check this machine's clock "
        "(is it synchronised?) and clock_skew_max; if the clock is right, "
        "the response belongs to another call"
    )
    raise StaleResponseError(STALE_RESPONSE, message)
