"""Brings home what is known after a storm: Antom's ledger, Temporal's histories, the logs."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadConverter
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract
from antom_refunds.client import Delivery
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.simulator.remote import SimulatorRemote
from bench.storm.aftermath import Aftermath, History
from bench.storm.callers import Note, Stance
from bench.storm.schedule import Plan
from bench.storm.stage import Theatre

_AT_ONCE: Final = 8


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
    )


def _outcome(completed: HistoryEvent) -> RefundOutcome:
    result = completed.workflow_execution_completed_event_attributes.result
    converter: PayloadConverter = pydantic_data_converter.payload_converter
    outcome: RefundOutcome = converter.from_payload(result.payloads[0], RefundOutcome)
    return outcome


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)
