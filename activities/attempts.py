"""One attempt of an activity: when the next one is due, that it is alive, what it remembers.

"Later" is the engine's: an attempt that learnt nothing raises with the time of the next one, so
waiting costs no history, survives every crash and is seen under Pending Activities.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
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
    """Whether this call was only just scheduled, and not retried or reset by an operator."""
    info = activity.info()
    return info.attempt == 1 and info.current_attempt_scheduled_time <= info.scheduled_time


def elapsed(since: datetime | None) -> timedelta:
    """The time since then, on the engine's clock alone: it is the one that all workers share."""
    info = activity.info()
    return max(info.started_time - (since or info.scheduled_time), timedelta())


def retry_later(
    reason: str, wait: timedelta, error_type: str, marked: Evidence | None = None
) -> ApplicationError:
    """What ends this attempt; the engine begins the next one after `wait`.

    `told` is what the attempt brought. The workflow gets it if no other attempt follows, because
    the activity was cancelled meanwhile.
    """
    return ApplicationError(
        f"{reason}; next in {format_wait(wait)}",
        *([] if marked is None else [marked]),
        type=error_type,
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN,
    )


def previous_streak() -> FailureStreak | None:
    """The streak of unusable responses that an earlier attempt of this activity left."""
    details = activity.info().heartbeat_details
    return FailureStreak.model_validate(details[0]) if details else None


def save_streak(streak: FailureStreak) -> None:
    """Leave it to the next attempt; the server keeps it with the activity, not in the history."""
    activity.heartbeat(streak)


class SendGuard:
    """Whether this attempt may still send: Temporal gives up one that it does not hear of."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._waiting_since = self._last_heartbeat_at = self._now()
        self._was_stalled = False

    def record_heartbeat(self) -> None:
        """To be called every HEARTBEAT_INTERVAL; a process that stood still calls it late."""
        self._was_stalled = self._was_stalled or self._is_late()
        self._last_heartbeat_at = self._now()

    def start_waiting(self) -> None:
        """The refund call begins to wait for its turn."""
        self._waiting_since = self._now()

    def reason_not_to_send(self) -> str | None:
        """Why the refund call must not be sent any more, in one sentence; None if it may."""
        if self._was_stalled or self._is_late():
            return "this worker stood still, and another one may have taken over"
        if self._now() - self._waiting_since > CALL_TIMEOUT.total_seconds():
            return "the call waited for its turn for too long: lower the load or add workers"
        return None

    def _is_late(self) -> bool:
        return self._now() - self._last_heartbeat_at > HEARTBEAT_TIMEOUT.total_seconds()


@asynccontextmanager
async def heartbeating() -> AsyncIterator[SendGuard]:
    """Heartbeats while inside, so that a lost worker is noticed within seconds."""
    guard = SendGuard()
    heartbeats = asyncio.create_task(_send_heartbeats(guard))
    try:
        yield guard
    finally:
        heartbeats.cancel()
        with suppress(asyncio.CancelledError):
            await heartbeats


async def _send_heartbeats(guard: SendGuard) -> None:
    """The first one comes after a while: most calls are over before."""
    details = activity.info().heartbeat_details
    while True:
        await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
        guard.record_heartbeat()
        activity.heartbeat(*details)


async def finish_despite_cancellation(call: Coroutine[Any, Any, Result]) -> Result:
    """The call's result, even if the attempt is cancelled meanwhile: what was sent, was sent.

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
    """A wait for people: "2 min", "1 h 30 min", "0.5 s"."""
    seconds = wait.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    parts = ([f"{hours} h"] if hours else []) + ([f"{rest} min"] if rest else [])
    return " ".join(parts)
