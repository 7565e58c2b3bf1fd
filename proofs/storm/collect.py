"""Collects the facts after a storm: ledger, histories, records of callers, webhook log."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract
from antom_refunds.cases import CaseClient
from antom_refunds.contract import RefundOutcome
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import EvidenceKind
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.simulator.control_client import SimulatorClient
from bench.environment import limited_gather
from proofs.storm.antom_faults import RESPONSE_TIMEOUT
from proofs.storm.caller import RequestStatus
from proofs.storm.environment import StormStack
from proofs.storm.observations import History, Observations
from proofs.storm.plan import PAUSES, Plan

_CONCURRENCY: Final = 8
_CASES_MAX: Final = 100_000
_ENDS: Final = ("FAILED", "TIMED_OUT", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW")


async def collect_observations(
    stack: StormStack, plan: Plan, *, interruptions: int
) -> Observations:
    """Reads the ledger first: what it holds by now must be in the histories read after it."""
    async with SimulatorClient(stack.simulator_url) as antom:
        ledger = await antom.ledger()
    orders, records = [request.order for request in plan.requests], stack.records()
    of = {status: [each for each in records if each.status is status] for status in RequestStatus}
    answered = {each.request for each in records}
    answered -= {each.request for each in of[RequestStatus.BROKEN]}
    pauses = (fault.lasts for fault in plan.process_faults if fault.kind in PAUSES)
    temporal, ids = await stack.temporal(), sorted(plan.ids)
    histories = await limited_gather(ids, lambda each: _history(temporal, each), _CONCURRENCY)
    return Observations(
        chosen=plan.ids,
        unanswered=frozenset(
            order.refund_request_id for place, order in enumerate(orders) if place not in answered
        ),
        accepted=tuple({orders[each.request] for each in of[RequestStatus.ACCEPTED]}),
        reported=tuple(
            (orders[each.request].refund_request_id, each.state) for each in of[RequestStatus.ENDED]
        ),
        histories={each: history for each, history in zip(ids, histories, strict=True) if history},
        ledger=ledger,
        flagged=flagged_in(stack.home / "logs" / "webhook.log"),
        interruptions=interruptions,
        unusable=plan.unusable,
        in_flight=RESPONSE_TIMEOUT + timedelta(seconds=max(pauses, default=0.0)),
        cases=await _cases(temporal),
    )


def flagged_in(log: Path) -> frozenset[str]:
    """Refunds whose late notification contradicted them, as the webhook logged for operators."""
    event = f"notification.{Delivery.CONFLICTS}"
    lines = (line for line in log.read_text(errors="replace").splitlines() if event in line)
    return frozenset(json.loads(line)["refund_request_id"] for line in lines)


async def _cases(temporal: Client) -> frozenset[tuple[str, str]]:
    """Kind and refund of every case; the last ones were opened long before this."""
    found = CaseClient(temporal).list(limit=_CASES_MAX)
    return frozenset({(str(each.kind), str(each.refund)) async for each in found})


async def _history(temporal: Client, refund_request_id: str) -> History | None:
    """None if Temporal has no such refund."""
    workflow_id = contract.workflow_id(refund_request_id, merchant=DEFAULT_MERCHANT)
    handle = temporal.get_workflow_handle(workflow_id)
    try:
        events = [event async for event in handle.fetch_history_events()]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return history_of(events)


def history_of(events: Sequence[HistoryEvent]) -> History:
    """What the invariants need of these events."""
    by_kind: defaultdict[str, list[HistoryEvent]] = defaultdict(list)
    for event in events:
        kind = EventType.Name(event.event_type)
        by_kind[kind.removeprefix("EVENT_TYPE_").removeprefix("WORKFLOW_EXECUTION_")].append(event)
    completed = by_kind["COMPLETED"]
    return History(
        started_at=_time(events[0]),
        closed_at=next(map(_time, completed), None),
        outcome=next(map(_outcome, completed), None),
        events=len(events),
        notices=tuple(map(_delivery_id, by_kind["SIGNALED"])),
        lost_tasks=len(by_kind["WORKFLOW_TASK_TIMED_OUT"] + by_kind["WORKFLOW_TASK_FAILED"]),
        lost_calls=len(by_kind["ACTIVITY_TASK_TIMED_OUT"]),
        not_found=sum(map(_finds_nothing, by_kind["ACTIVITY_TASK_COMPLETED"])),
        flagged_at=_flagged_at(events),
        called_off_at=next((_time(event) for event in events if _stops(event)), None),
        instructions=len(by_kind["UPDATE_ACCEPTED"] + by_kind["CANCEL_REQUESTED"]),
        handed_over=len(by_kind["START_CHILD_WORKFLOW_EXECUTION_INITIATED"]),
        broke_off=next((each for each in _ENDS if by_kind[each]), ""),
    )


def _delivery_id(signaled: HistoryEvent) -> str:
    return signaled.workflow_execution_signaled_event_attributes.request_id


def _stops(event: HistoryEvent) -> bool:
    """Whether the run was cancelled, or accepted a call-off that is not malformed."""
    update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
    is_ours = any(b'"by":"storm"' in each.data for each in update.args.payloads)
    is_cancelled = event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
    return is_cancelled or (is_ours and update.name == contract.UPDATE_CALL_OFF)


def _finds_nothing(event: HistoryEvent) -> bool:
    """Whether an inquiry reported "no such refund" to the workflow."""
    result = event.activity_task_completed_event_attributes.result
    found = f'"kind":"{EvidenceKind.NOT_FOUND}"'.encode()
    return any(found in each.data for each in result.payloads)


def _flagged_at(events: Sequence[HistoryEvent]) -> datetime | None:
    """When it first asked for an operator; what the last task upserts with the end is too late."""
    end = events[-1].workflow_execution_completed_event_attributes
    for event in events:
        upsert = event.upsert_workflow_search_attributes_event_attributes
        needs = upsert.search_attributes.indexed_fields.get(contract.Attribute.NEEDS_ATTENTION)
        is_end = upsert.workflow_task_completed_event_id == end.workflow_task_completed_event_id
        if needs is not None and needs.data == b"true" and not is_end:
            return _time(event)
    return None


def _outcome(completed: HistoryEvent) -> RefundOutcome:
    result = completed.workflow_execution_completed_event_attributes.result
    return RefundOutcome.model_validate_json(result.payloads[0].data)


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)
