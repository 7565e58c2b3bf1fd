"""Helpers for one attempt of an activity: retry time, heartbeats, state for the next attempt.

Temporal does the waiting: an attempt without new information fails with the delay until the next
one. So waiting adds no history, survives every crash and is visible under Pending Activities.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.failure_streak import FailureStreak
from antom_refunds.domain.policy import CALL_TIMEOUT, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT

Result = TypeVar("Result")


def is_first_attempt() -> bool:
    """Whether the activity was neither retried by Temporal nor reset by an operator."""
    info = activity.info()
    return info.attempt == 1 and info.current_attempt_scheduled_time <= info.scheduled_time


def elapsed(since: datetime | None) -> timedelta:
    """Time from `since` (None: scheduling) to this attempt, by Temporal's clock.

    Workers' clocks may differ.
    """
    info = activity.info()
    return max(info.started_time - (since or info.scheduled_time), timedelta())


def retry_later(
    reason: str, wait: timedelta, error_type: str, marked: Evidence | None = None
) -> ApplicationError:
    """The error with which to fail this attempt; Temporal starts the next one after `wait`.

    `marked` is the attempt's evidence. The workflow receives it only if no other attempt follows,
    because the activity was cancelled.
    """
    return ApplicationError(
        f"{reason}; next in {format_wait(wait)}",
        *([] if marked is None else [marked]),
        type=error_type,
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN,
    )


def previous_streak() -> FailureStreak | None:
    """The streak of unusable responses that an earlier attempt of this activity saved."""
    details = activity.info().heartbeat_details
    return FailureStreak.model_validate(details[0]) if details else None


def save_streak(streak: FailureStreak) -> None:
    """Save it for the next attempt, as heartbeat details, which add no history."""
    activity.heartbeat(streak)


class SendGuard:
    """Decides whether this attempt may still send: without heartbeats, Temporal times it out."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is a clock in seconds, from any beginning."""
        self._now = now
        self._waiting_since = self._last_heartbeat_at = self._now()
        self._was_stalled = False

    def record_heartbeat(self) -> None:
        """Call this every HEARTBEAT_INTERVAL; a late call shows that the process was stalled."""
        self._was_stalled = self._was_stalled or self._is_late()
        self._last_heartbeat_at = self._now()

    def start_waiting(self) -> None:
        """Record that the refund call starts to wait for the rate limiter."""
        self._waiting_since = self._now()

    def reason_not_to_send(self) -> str | None:
        """Why the refund call must no longer be sent, in one sentence; None if it may be."""
        if self._was_stalled or self._is_late():
            return "this worker was stalled, and another one may have taken over"
        if self._now() - self._waiting_since > CALL_TIMEOUT.total_seconds():
            return "the call waited too long for the rate limit: lower the load or add workers"
        return None

    def _is_late(self) -> bool:
        return self._now() - self._last_heartbeat_at > HEARTBEAT_TIMEOUT.total_seconds()


@asynccontextmanager
async def heartbeating() -> AsyncIterator[SendGuard]:
    """Send heartbeats within the block, so that Temporal detects a lost worker in seconds."""
    guard = SendGuard()
    heartbeats = asyncio.create_task(_send_heartbeats(guard))
    try:
        yield guard
    finally:
        heartbeats.cancel()
        with suppress(asyncio.CancelledError):
            await heartbeats


async def _send_heartbeats(guard: SendGuard) -> None:
    """The first heartbeat follows after one interval: most calls finish earlier."""
    details = activity.info().heartbeat_details
    while True:
        await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
        guard.record_heartbeat()
        activity.heartbeat(*details)


async def finish_despite_cancellation(call: Coroutine[Any, Any, Result]) -> Result:
    """The call's result, even if the attempt is cancelled: the request may have been sent.

    Raises asyncio.CancelledError only if the worker stops.
    """
    task = asyncio.create_task(call)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() or activity.is_worker_shutdown():
                task.cancel()
                raise


def format_wait(wait: timedelta) -> str:
    """A readable wait: "2 min", "1 h 30 min", "0.5 s"."""
    seconds = wait.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    parts = ([f"{hours} h"] if hours else []) + ([f"{rest} min"] if rest else [])
    return " ".join(parts)
