"""What is said about latency follows from the findings: ratios in pairs, and the goal by them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.latency import LATENCY
from bench.latency.arrivals import at_rate
from bench.latency.findings import LatencyFindings, Leg, Passage, Round, Series, Side
from bench.latency.record import Told, passage_in
from tests.bench.somewhere import ABOUT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(milliseconds: float) -> datetime:
    return NOON + timedelta(milliseconds=milliseconds)


def series(*wholes: float) -> Series:
    """Each word stored and taken in a millisecond each."""
    return Series.of(
        [
            Passage(sent=NOON, stored=after(1), answered=after(1.5), taken=after(2), ended=after(t))
            for t in wholes
        ]
    )


def a_round(
    refund: float, bare: float, per_second: int = 10, *, direct: float | None = None
) -> Round:
    return Round(
        per_second=per_second,
        refund=series(refund),
        direct=series(refund if direct is None else direct),
        bare=series(bare),
    )


def found(*rounds: Round) -> LatencyFindings:
    return LatencyFindings(about=ABOUT, rounds=rounds)


def event(kind: "EventType.ValueType", milliseconds: float) -> HistoryEvent:
    made = HistoryEvent(event_type=kind)
    made.event_time.FromDatetime(after(milliseconds))
    return made


def test_the_stretches_of_the_way_add_up_to_the_whole() -> None:
    ours = series(10.0)

    stretches = [ours.leg(leg).p50 for leg in (Leg.STORED, Leg.TAKEN, Leg.ENDED)]

    assert stretches == [1.0, 1.0, 8.0]
    assert ours.whole.p50 == 10.0
    assert ours.leg(Leg.ANSWERED).p50 == 1.5


def test_the_way_is_read_from_the_signal_on() -> None:
    history = [
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, -9000),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, -8000),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, 3),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, 3),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, 4),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, 9),
    ]

    way = passage_in(history, Told("refund/default/r-1", NOON, after(5)))

    assert way == Passage(
        sent=NOON, answered=after(5), stored=after(3), taken=after(4), ended=after(9)
    )


def test_a_workflow_that_was_told_and_goes_on_is_no_latency() -> None:
    history = [event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, 3)]

    with pytest.raises(ValueError, match="was told its end, and has none"):
        passage_in(history, Told("refund/default/r-1", NOON, after(5)))


def test_each_refund_is_compared_with_the_bare_round_beside_it() -> None:
    slow_machine, quick_machine = a_round(30.0, 25.0), a_round(10.0, 8.0)
    odd = a_round(11.0, 5.5)

    ratio = found(slow_machine, quick_machine, odd).ratio(10)

    assert (ratio.least, ratio.median, ratio.most) == (1.2, 1.25, 2.0)


def test_the_goal_is_said_to_be_reached_or_not_at_each_rate() -> None:
    text = LATENCY.written(found(a_round(12.0, 10.0, 1), a_round(14.0, 10.0, 50)))

    assert "is reached at 1 a second (1.20), not reached at 50 a second (1.40)." in text


def test_what_a_refund_takes_without_the_webhook_is_said_beside_it() -> None:
    findings = found(a_round(14.0, 10.0, direct=12.0), a_round(15.0, 10.0, direct=13.0))

    assert findings.ratio(10, Side.DIRECT).median == 1.25
    assert "told directly takes 1.25 at 10 a second" in LATENCY.written(findings)


def test_a_ratio_of_exactly_the_goal_reaches_it() -> None:
    assert found(a_round(13.0, 10.0)).is_reached(10)


def test_every_number_is_kept_with_the_report() -> None:
    kept = found(a_round(12.0, 10.0))

    assert LATENCY.form.model_validate_json(kept.model_dump_json()) == kept


async def test_a_word_is_not_held_back_by_one_that_is_not_answered() -> None:
    is_second_sent = asyncio.Event()

    async def send(number: int) -> int:
        if number == 0:
            await is_second_sent.wait()
        else:
            is_second_sent.set()
        return number

    assert await at_rate(1000, [0, 1], send) == [0, 1]
