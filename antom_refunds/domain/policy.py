"""All business numbers: retry schedules, limits, timeouts. Sources: docs/antom.md#timing."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field


class Interval(BaseModel):
    """Attempts at a fixed interval: one each `every`, until `until` has elapsed since the start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Annotated[timedelta, Field(gt=timedelta())]
    until: timedelta = timedelta.max


class Schedule(BaseModel):
    """When attempts are due: first after each of `initial_waits`, then by `intervals`.

    Due times depend on the time elapsed since the start and not on the attempt number, so that an
    operator's reset or a burst of network errors does not shift them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial_waits: tuple[timedelta, ...]
    intervals: Annotated[tuple[Interval, ...], Field(min_length=1)]

    def next_wait(self, elapsed: timedelta) -> timedelta:
        """Time from `elapsed` until the next attempt is due; always more than zero."""
        due = timedelta()
        for step in self.initial_waits:
            due += step
            if due > elapsed:
                return due - elapsed
        return self._next_regular_wait(due, elapsed)

    def _next_regular_wait(self, base: timedelta, elapsed: timedelta) -> timedelta:
        for interval in self.intervals:
            due = base + ((elapsed - base) // interval.every + 1) * interval.every
            if due <= interval.until:
                return due - elapsed
            base = max(base, interval.until)
            if base > elapsed:
                return base - elapsed
        return self.intervals[-1].every


def _minutes(*waits: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=wait) for wait in waits)


def _seconds(*waits: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=wait) for wait in waits)


_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

# Antom's refund FAQ recommends 2 min, 10 min, 10 min and 1 h; it names no later waits.
RETRY_IN_DOUBT: Final = Schedule(
    initial_waits=_minutes(2, 10, 10, 60), intervals=(Interval(every=_HOUR),)
)
# An operator must fix the cause first, and it blocks every refund of the merchant.
RETRY_BLOCKED: Final = Schedule(
    initial_waits=_minutes(1, 4, 10), intervals=(Interval(every=timedelta(minutes=15)),)
)
# Nothing was sent, so nothing is in doubt: retry soon, but not in a tight loop.
RETRY_UNSENT: Final = Schedule(
    initial_waits=_seconds(1, 2, 4, 8, 15, 30), intervals=(Interval(every=timedelta(minutes=1)),)
)
# Antom documents no polling interval.
POLL: Final = Schedule(
    initial_waits=_seconds(5, 15, 30, 60, 120, 300),
    intervals=(
        Interval(every=timedelta(minutes=15), until=_HOUR),
        Interval(every=_HOUR, until=_DAY),
        Interval(every=timedelta(hours=6)),
    ),
)

# Temporal's timeout for one call to Antom. It must exceed the HTTP client's timeouts combined,
# or Temporal would time out a call that is still in progress.
CALL_TIMEOUT: Final = timedelta(seconds=30)
# Temporal considers a worker lost after this time without a heartbeat.
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=5)
HEARTBEAT_INTERVAL: Final = timedelta(seconds=1)
# After this time no earlier refund call can still be in flight: the longest permitted wait for
# the rate limit, plus the longest permitted call, plus a margin.
QUIET_PERIOD: Final = 2 * CALL_TIMEOUT + timedelta(seconds=5)
# Unusable responses in a row (identical, or of any kind) after which an operator is alerted.
UNUSABLE_IDENTICAL: Final = 2
UNUSABLE_IN_A_ROW: Final = 3
# Unsent calls in a row after which an operator is alerted: about five minutes of RETRY_UNSENT.
UNSENT_IN_A_ROW: Final = 10
# How often one refund's alarm may be cleared. The alarm after that stays until a terminal state,
# so that an intermittent fault cannot grow the history without limit.
ALARMS_CLEARED_MAX: Final = 10
# A run with this many history events continues as new, well before Temporal's limits per run of
# 2,000 updates and 10,000 signals would reject an operator's update or a notification.
HISTORY_EVENTS_MAX: Final = 2_000
# Temporal treats a retry delay of zero as unset, and applies its own backoff instead.
WAIT_MIN: Final = timedelta(milliseconds=1)
# Backoff after attempts that failed with an unexpected error.
RETRY_FIRST: Final = timedelta(seconds=1)
RETRY_MAX: Final = timedelta(minutes=1)
# When an operator should have settled a case: sooner if the state of the money is unclear.
CASE_DUE_AFTER_SHORT: Final = timedelta(days=1)
CASE_DUE_AFTER: Final = timedelta(days=3)
CASE_SNOOZE_MAX: Final = timedelta(days=90)
# How long a refund that has ended tries to join its case; then every worker's watch does.
CASE_REPORT_LIMIT: Final = timedelta(minutes=10)
# How often each worker looks for stopped refunds without a case, and measures the inbox.
CASE_WATCH_EVERY: Final = timedelta(minutes=1)
CASE_WATCH_EVERY_MIN: Final = timedelta(seconds=1)
# A dossier lists only the first pieces of evidence; the refund keeps everything that matters.
DOSSIER_ENTRIES_MAX: Final = 100


class Policy(BaseModel):
    """When to call Antom again, and when a refund is overdue.

    `speedup` divides every wait: 1 in production, higher to rehearse weeks in minutes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retry_in_doubt: Schedule = RETRY_IN_DOUBT
    retry_blocked: Schedule = RETRY_BLOCKED
    retry_unsent: Schedule = RETRY_UNSENT
    poll: Schedule = POLL
    overdue_after: timedelta = timedelta(days=10)
    quiet_period: timedelta = QUIET_PERIOD
    speedup: Annotated[float, Field(gt=0)] = 1.0

    @classmethod
    def at_speedup(cls, speedup: float, *, overdue_after: timedelta | None = None) -> Self:
        """A policy with every wait divided by `speedup`; `overdue_after` replaces the default."""
        overrides = {} if overdue_after is None else {"overdue_after": overdue_after}
        return cls.model_validate({"speedup": speedup, **overrides})

    def next_wait(self, schedule: Schedule, elapsed: timedelta) -> timedelta:
        """Wait until the next attempt; both times are real time. Always at least WAIT_MIN."""
        return max(schedule.next_wait(elapsed * self.speedup) / self.speedup, WAIT_MIN)

    @property
    def scaled_quiet_period(self) -> timedelta:
        """Real time after which no earlier refund call can still be in flight."""
        return self.quiet_period / self.speedup

    @property
    def scaled_overdue_after(self) -> timedelta:
        """Real time after which a refund that is not in a terminal state counts as overdue."""
        return self.overdue_after / self.speedup

    @property
    def scaled_case_watch(self) -> timedelta:
        """Real time between two looks of a worker at the cases."""
        return max(CASE_WATCH_EVERY / self.speedup, CASE_WATCH_EVERY_MIN)
