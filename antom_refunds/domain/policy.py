"""Every number of the refund's life, with its unit. Sources stand in docs/antom.md#timing."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field


class Interval(BaseModel):
    """A steady rhythm: one moment each `every`, until `until` has passed since the beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Annotated[timedelta, Field(gt=timedelta())]
    until: timedelta = timedelta.max


class Schedule(BaseModel):
    """Moments counted from a beginning: first after each of `initial_waits`, then by `intervals`.

    A schedule is asked by elapsed time and not by attempt, so that an operator's reset or a
    burst of network errors moves nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial_waits: tuple[timedelta, ...]
    intervals: Annotated[tuple[Interval, ...], Field(min_length=1)]

    def next_wait(self, elapsed: timedelta) -> timedelta:
        """How long from `elapsed` to the next moment; always more than zero."""
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

# Antom's refund FAQ names 2 min, 10 min, 10 min, 1 h and nothing beyond.
RETRY_IN_DOUBT: Final = Schedule(
    initial_waits=_minutes(2, 10, 10, 60), intervals=(Interval(every=_HOUR),)
)
# A person has to mend something first; every refund of the merchant is waiting alike.
RETRY_BLOCKED: Final = Schedule(
    initial_waits=_minutes(1, 4, 10), intervals=(Interval(every=timedelta(minutes=15)),)
)
# Nothing was sent, so nothing is in doubt: soon, but not in a hot loop.
RETRY_UNSENT: Final = Schedule(
    initial_waits=_seconds(1, 2, 4, 8, 15, 30), intervals=(Interval(every=timedelta(minutes=1)),)
)
# Antom names no polling interval.
POLL: Final = Schedule(
    initial_waits=_seconds(5, 15, 30, 60, 120, 300),
    intervals=(
        Interval(every=timedelta(minutes=15), until=_HOUR),
        Interval(every=_HOUR, until=_DAY),
        Interval(every=timedelta(hours=6)),
    ),
)

# One attempt of one call at Antom, as the engine sees it: longer than all timeouts of the
# HTTP client together, or the engine would give up a call that is still alive.
CALL_TIMEOUT: Final = timedelta(seconds=30)
# A worker that is lost in the middle of a call is noticed after this time without a heartbeat.
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=5)
HEARTBEAT_INTERVAL: Final = timedelta(seconds=1)
# After this time no earlier refund call can still be in flight: one that waited for its turn as
# long as it may, and then took as long as it may.
QUIET_PERIOD: Final = 2 * CALL_TIMEOUT + timedelta(seconds=5)
# Unusable responses in a row, identical or of any kind, after which an operator must know.
UNUSABLE_IDENTICAL: Final = 2
UNUSABLE_IN_A_ROW: Final = 3
# Calls in a row for which no connection opened: some five minutes of RETRY_UNSENT.
UNSENT_IN_A_ROW: Final = 10
# How often an alarm of one refund may be cleared again; the last one stays until the end, so that
# a cause that comes and goes cannot grow the history without limit.
ALARMS_CLEARED_MAX: Final = 10
# A history of this many events is continued in a new run, long before Temporal's own limits of
# 2,000 updates and 10,000 signals would lock an operator or a notification out.
HISTORY_EVENTS_MAX: Final = 2_000
# The engine takes a wait of nothing for none given, and then waits as it sees fit.
WAIT_MIN: Final = timedelta(milliseconds=1)
# Between attempts that broke for reasons nobody planned for.
RETRY_FIRST: Final = timedelta(seconds=1)
RETRY_MAX: Final = timedelta(minutes=1)
# How many pieces of evidence a dossier lists, the first ones; the refund itself keeps what counts.
DOSSIER_ENTRIES_MAX: Final = 100


class Policy(BaseModel):
    """When to call Antom again, and when a person should know.

    `speedup` divides every wait: 1 in production, more to rehearse weeks in minutes.
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
        """The usual policy, each wait divided by `speedup`; another overdue limit if given."""
        chosen = {} if overdue_after is None else {"overdue_after": overdue_after}
        return cls.model_validate({"speedup": speedup, **chosen})

    def next_wait(self, schedule: Schedule, elapsed: timedelta) -> timedelta:
        """How long to wait from `elapsed`, both in real time; always at least WAIT_MIN."""
        return max(schedule.next_wait(elapsed * self.speedup) / self.speedup, WAIT_MIN)

    @property
    def scaled_quiet_period(self) -> timedelta:
        """Real time after which no earlier refund call can still be in flight."""
        return self.quiet_period / self.speedup

    @property
    def scaled_overdue_after(self) -> timedelta:
        """Real time after which a refund without an end counts as overdue."""
        return self.overdue_after / self.speedup
