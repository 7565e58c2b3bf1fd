"""Costs: counting histories, and the text that follows from what was counted."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.cost import COST
from bench.cost.counting import actions, stored
from bench.cost.findings import CostFindings, Fare, Toll
from bench.cost.ways import WAYS
from bench.cost.writing import Line
from tests.bench.somewhere import ABOUT


def toll(events: int, *, billed: int = 3, size: int = 1024, end: str = "succeeded") -> Toll:
    return Toll(events=events, actions=billed, calls=1, stored=size, end=end)


def findings(*fares: Fare) -> CostFindings:
    few = Fare(way="by the 10th", ours=toll(19), loop=toll(110), inquiries=10)
    many = Fare(way="by the 20th", ours=toll(19), loop=toll(220), inquiries=20)
    return CostFindings(about=ABOUT, fares=(few, many, *fares))


def event(kind: "EventType.ValueType") -> HistoryEvent:
    return HistoryEvent(event_type=kind)


def test_what_is_billed_is_starts_signals_upserts_timers_and_every_attempt() -> None:
    history = [
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
        event(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED),
        event(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
        event(EventType.EVENT_TYPE_TIMER_STARTED),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED),
        event(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES),
        event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED),
    ]

    assert actions(history, attempts=5) == 4 + 5


def test_a_history_is_as_large_as_its_events() -> None:
    one = event(EventType.EVENT_TYPE_TIMER_STARTED)

    assert stored([one, one]) == 2 * one.ByteSize() > 0


def test_what_grows_more_slowly_is_less_from_some_inquiry_on() -> None:
    slow, steep = Line(20, 25, 1), Line(20, 42, 2)

    first = slow.is_below_from(steep)

    assert first == 4
    assert 25 + (first - 20) * 1 < 42 + (first - 20) * 2


def test_the_text_tells_what_each_inquiry_adds() -> None:
    text = COST.written(findings())

    assert "Each further inquiry adds 11.0 events in the loop and 0.0 here" in text
    assert "fewer events from inquiry 2 on" in text


def test_the_text_tells_where_the_loop_is_better() -> None:
    text = COST.written(findings(Fare(way="at once", ours=toll(12), loop=toll(11))))

    assert "Fewer in the loop: at once." in text
    assert "| at once | 12 | 11 |" in text


def test_a_way_of_ours_alone_is_in_the_table_and_compared_with_nothing() -> None:
    text = COST.written(findings(Fare(way="overdue", ours=toll(26), loop=None)))

    assert "| overdue | 26 | - |" in text


@pytest.mark.parametrize(("events", "is_within"), [(13, True), (14, False)])
def test_a_history_may_be_no_longer_than_its_limit(events: int, *, is_within: bool) -> None:
    fare = Fare(way="at once", ours=toll(events), loop=None, events_max=13)

    assert fare.is_within is is_within
    assert ("longer than they may be: at once" in COST.written(findings(fare))) is not is_within


def test_different_ends_are_told() -> None:
    apart = Fare(way="at once", ours=toll(12), loop=toll(11, end="failed"))

    assert "They ended differently: at once." in COST.written(findings(apart))


def test_findings_survive_their_storage() -> None:
    found = findings()

    assert COST.form.model_validate_json(found.model_dump_json()) == found


def test_two_ways_differ_in_their_inquiries_alone() -> None:
    few, many = (way for way in WAYS if way.inquiries is not None)

    assert few.takes_weeks is many.takes_weeks is True
    assert few.policy == many.policy
    assert few.payment == many.payment
