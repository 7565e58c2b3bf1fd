"""When things happened, by Temporal's own record; read afterwards, so that reading costs nobody."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.latency.findings import Passage

_SIGNALED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_STARTED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
_PATIENCE: Final = timedelta(minutes=1)


class Told(NamedTuple):
    """A word that was sent to a workflow, and when, by the sender's clock."""

    workflow_id: str
    sent: datetime
    answered: datetime


async def passage(temporal: Client, told: Told) -> Passage:
    """The word's whole way; raises TimeoutError if the workflow does not end by it."""
    handle = temporal.get_workflow_handle(told.workflow_id)
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            await handle.result()
    except TimeoutError as error:
        raise TimeoutError(f"{told.workflow_id} was told its end, and goes on") from error
    return passage_in([event async for event in handle.fetch_history_events()], told)


def passage_in(history: Sequence[HistoryEvent], told: Told) -> Passage:
    """The same, from a history that was read; raises ValueError if that has no end."""
    if history[-1].event_type != _COMPLETED:
        raise ValueError(f"{told.workflow_id} was told its end, and has none")
    after = history[_first(history, _SIGNALED) :]
    return Passage(
        sent=told.sent,
        answered=told.answered,
        stored=_at(after[0]),
        taken=_at(after[_first(after, _STARTED)]),
        ended=_at(history[-1]),
    )


def _first(events: Sequence[HistoryEvent], kind: "EventType.ValueType") -> int:
    return next(place for place, event in enumerate(events) if event.event_type == kind)


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)
