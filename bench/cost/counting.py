"""Counting: the events of a history, their bytes, and the actions that Temporal Cloud bills."""

from collections.abc import Sequence
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

# Besides each attempt of an activity; a workflow that continues as new is started anew.
_BILLED: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_TIMER_STARTED,
    }
)


class Attempts(Interceptor):
    """Counts every attempt of an activity: of most of them the history says nothing."""

    def __init__(self) -> None:
        self.count = 0

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        return _Counting(next, self)


class _Counting(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, attempts: Attempts) -> None:
        super().__init__(inner)
        self._attempts = attempts

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        self._attempts.count += 1
        return await super().execute_activity(input)


def actions(events: Sequence[HistoryEvent], attempts: int) -> int:
    """What Temporal Cloud would bill for this history with so many attempts of its activities."""
    return sum(event.event_type in _BILLED for event in events) + attempts


def stored(events: Sequence[HistoryEvent]) -> int:
    """Bytes of these events."""
    return sum(event.ByteSize() for event in events)


async def history(temporal: Client, workflow_id: str) -> list[HistoryEvent]:
    """All events of a workflow, those of the runs before it continued as new included."""
    events: list[HistoryEvent] = []
    run_id: str | None = await _first_run(temporal, workflow_id)
    while run_id:
        handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
        run = [event async for event in handle.fetch_history_events()]
        events += run
        run_id = run[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return events


async def _first_run(temporal: Client, workflow_id: str) -> str:
    async for event in temporal.get_workflow_handle(workflow_id).fetch_history_events():
        return event.workflow_execution_started_event_attributes.first_execution_run_id
    raise LookupError(f"{workflow_id} has no history")
