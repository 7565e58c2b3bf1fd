"""Whether a signed response was made for this call (docs/antom.md#verifying).

A signature covers the path, the client-id, the time and the body, and the body of a failure
names no refund. So the time is what ties a response to the call that it came with.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from antom_refunds.antom.call_errors import StaleResponseError

STALE_RESPONSE: Final = "stale_response"
# By the number of digits: seconds have ten from 2001 to 2286, milliseconds thirteen.
_DIVISORS: Final = {10: 1, 13: 1000}
_QUOTED_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class CallWindow:
    """When a call began to be sent and when its response had arrived, by our own clock."""

    sent_at: datetime
    received_at: datetime

    @property
    def middle(self) -> datetime:
        return self.sent_at + (self.received_at - self.sent_at) / 2


def parse_response_time(header: str) -> datetime:
    """The time of a `response-time` header: ISO 8601 with an offset, or the Unix time.

    The Unix time has 13 digits in milliseconds and 10 in seconds. Raises StaleResponseError for
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
    """Returns only if `time` lies within the call, give or take `skew_max`.

    Raises StaleResponseError, which says by how much and what to check.
    """
    # Only differences: a sum with a time from outside may lie beyond the calendar.
    early, late = window.sent_at - time, time - window.received_at
    if max(early, late) <= skew_max:
        return
    is_early = early > late
    off = math.ceil((early if is_early else late).total_seconds())
    where = "before the call" if is_early else "after it"
    message = (
        f"the response is signed, but was made {off} s {where}, and "
        f"{skew_max.total_seconds():.0f} s are allowed: check this machine's clock "
        "(is it synchronised?) and clock_skew_max; if the clock is right, "
        "the response belongs to another call"
    )
    raise StaleResponseError(STALE_RESPONSE, message)
