"""Brings home what is known after a storm: Antom's ledger, Temporal's histories, the logs."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadConverter
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract
from antom_refunds.contract import RefundOutcome
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Word
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.simulator.remote import SimulatorRemote
from bench.storm.aftermath import Aftermath, History
from bench.storm.blows import PAUSES
from bench.storm.callers import Note, Stance
from bench.storm.schedule import Plan
from bench.storm.skies import ANSWER_TIMEOUT
from bench.storm.stage import Theatre

_AT_ONCE: Final = 8
_ACCEPTED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
_CANCEL: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
_ENDS: Final = ("FAILED", "TIMED_OUT", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW")


async def testify(
    theatre: Theatre, plan: Plan, notes: Iterable[Note], *, interruptions: int
) -> Aftermath:
    """The ledger first: whatever it holds by now must be in the histories read after it."""
    async with SimulatorRemote(theatre.simulator_url) as antom:
        ledger = await antom.ledger()
    notes = list(notes)
    accepted = {plan.asks[note.ask].order for note in notes if note.stance is Stance.ACCEPTED}
    broken = {note.ask for note in notes if note.stance is Stance.BROKEN}
    answered = {note.ask for note in notes} - broken
    ended = [note for note in notes if note.stance is Stance.ENDED]
    pauses = (blow.lasts for blow in plan.blows if blow.kind in PAUSES)
    return Aftermath(
        chosen=plan.ids,
        unanswered=frozenset(
            ask.order.refund_request_id
            for place, ask in enumerate(plan.asks)
            if place not in answered
        ),
        accepted=tuple(accepted),
        told=tuple((plan.asks[each.ask].order.refund_request_id, each.state) for each in ended),
        histories=await _histories(await theatre.temporal(), plan.ids),
        ledger=ledger,
        flagged=flagged_in(theatre.home / "logs" / "webhook.log"),
        interruptions=interruptions,
        unusable=plan.unusable,
        in_flight=ANSWER_TIMEOUT + timedelta(seconds=max(pauses, default=0.0)),
    )


def flagged_in(log: Path) -> frozenset[str]:
    """Refunds whose late notification contradicted them, as the webhook told its operators."""
    event = f"notice.{Delivery.CONTRADICTS}"
    lines = (line for line in log.read_text(errors="replace").splitlines() if event in line)
    return frozenset(json.loads(line)["refund_request_id"] for line in lines)


async def _histories(temporal: Client, ids: Iterable[str]) -> dict[str, History]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(refund_request_id: str) -> History | None:
        async with turn:
            return await _history(temporal, refund_request_id)

    found = await asyncio.gather(*(read(each) for each in sorted(ids)))
    return {history.refund_request_id: history for history in found if history is not None}


async def _history(temporal: Client, refund_request_id: str) -> History | None:
    """None if Temporal knows no such refund."""
    handle = temporal.get_workflow_handle(
        contract.workflow_id(refund_request_id, merchant=DEFAULT_MERCHANT)
    )
    try:
        events = [event async for event in handle.fetch_history_events()]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return history_of(refund_request_id, events)


def history_of(refund_request_id: str, events: list[HistoryEvent]) -> History:
    """What the judge needs of these events."""
    count = Counter(event.event_type for event in events)
    last = events[-1]
    kind = EventType.Name(last.event_type).removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_")
    has_completed = last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
    return History(
        refund_request_id=refund_request_id,
        started_at=_time(events[0]),
        closed_at=_time(last) if has_completed else None,
        outcome=_outcome(last) if has_completed else None,
        events=len(events),
        notices=tuple(
            event.workflow_execution_signaled_event_attributes.request_id
            for event in events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        ),
        lost_tasks=count[EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT]
        + count[EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED],
        lost_calls=count[EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT],
        unknown=sum(_finds_nothing(event) for event in events),
        called_at=_called_at(events),
        called_off_at=next((_time(event) for event in events if _stops(event)), None),
        instructions=count[_ACCEPTED] + count[_CANCEL],
        broke_off=kind if kind in _ENDS else "",
    )


def _stops(event: HistoryEvent) -> bool:
    """Whether the run was cancelled, or accepted a call-off that is not malformed."""
    update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
    is_ours = any(b'"by":"storm"' in each.data for each in update.args.payloads)
    return event.event_type == _CANCEL or (is_ours and update.name == contract.UPDATE_CALL_OFF)


def _finds_nothing(event: HistoryEvent) -> bool:
    """Whether an inquiry came home with "no such refund"."""
    result = event.activity_task_completed_event_attributes.result
    said = f'"word":"{Word.ABSENT}"'.encode()
    return any(said in each.data for each in result.payloads)


def _called_at(events: list[HistoryEvent]) -> datetime | None:
    """When an operator was first called; what the run's last task upserts with its end is none."""
    for event in events:
        upsert = event.upsert_workflow_search_attributes_event_attributes
        needs = upsert.search_attributes.indexed_fields.get(contract.Attribute.NEEDS_HUMAN)
        end = events[-1].workflow_execution_completed_event_attributes
        is_end = upsert.workflow_task_completed_event_id == end.workflow_task_completed_event_id
        if needs is not None and needs.data == b"true" and not is_end:
            return _time(event)
    return None


def _outcome(completed: HistoryEvent) -> RefundOutcome:
    result = completed.workflow_execution_completed_event_attributes.result
    converter: PayloadConverter = pydantic_data_converter.payload_converter
    outcome: RefundOutcome = converter.from_payload(result.payloads[0], RefundOutcome)
    return outcome


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)
