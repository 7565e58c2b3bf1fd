"""Latency is read from Temporal's history, and messages are sent when they are due."""

import asyncio

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.latency import Delivered, Times, send, summarise, times_in
from tests.bench.builders import NOON, after

DELIVERED = Delivered("refund/default/r-1", NOON, after(5))


def event(kind: "EventType.ValueType", milliseconds: float) -> HistoryEvent:
    made = HistoryEvent(event_type=kind)
    made.event_time.FromDatetime(after(milliseconds))
    return made


def test_segments_are_read_from_the_signal_on() -> None:
    history = [
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, -9000),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, -8000),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, 3),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, 3),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, 4),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, 9),
    ]

    assert times_in(history, DELIVERED) == Times(3, 1, 5, 5)


def a_round(refund: float, bare: float) -> dict[str, list[Times]]:
    """Stored and taken within a millisecond each."""
    totals = {"refund": refund, "direct": refund, "bare": bare}
    return {variant: [Times(1, 1, total - 2, 1.5)] for variant, total in totals.items()}


def test_each_round_is_compared_with_the_bare_workflow_in_it() -> None:
    rounds = [a_round(30.0, 25.0), a_round(10.0, 8.0), a_round(11.0, 5.5)]

    (rate,) = summarise({10: rounds})["rates"]

    assert rate["variants"]["refund"]["ratio"] == {"least": 1.2, "median": 1.25, "most": 2.0}
    assert rate["is_reached"]


def test_a_ratio_above_the_goal_does_not_reach_it() -> None:
    (rate,) = summarise({10: [a_round(14.0, 10.0)]})["rates"]

    assert not rate["is_reached"]


async def test_a_message_does_not_wait_for_the_answer_to_another_one() -> None:
    is_second_sent = asyncio.Event()

    async def first() -> Delivered:
        await is_second_sent.wait()
        return DELIVERED

    async def second() -> Delivered:
        is_second_sent.set()
        return DELIVERED

    assert await send(1000, [first, second]) == [DELIVERED, DELIVERED]
