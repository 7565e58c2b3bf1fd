"""The facts of a history, read from histories that a real server recorded."""

from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from proofs.storm.collect import history_of
from proofs.storm.observations import History

HISTORIES = Path(__file__).parents[1] / "histories"


def read(name: str, *, without_end: bool = False) -> History:
    recorded = WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())
    events = list(recorded.events)
    return history_of(events[:-1] if without_end else events)


def test_a_search_attribute_flags_a_refund() -> None:
    assert read("0.1.0-blocked").flagged_at is not None
    assert read("0.1.0-doubt").flagged_at is None


def test_a_flag_that_is_upserted_with_the_end_is_too_late() -> None:
    """A failure that needs an operator is flagged in the workflow task of its end."""
    assert read("0.1.0-closed").outcome is not None
    assert read("0.1.0-failed").flagged_at is None


def test_a_cancellation_stops_a_refund() -> None:
    cancelled = read("0.1.0-cancelled")

    assert cancelled.called_off_at is not None
    assert cancelled.instructions == 1


def test_a_call_off_stops_a_refund_if_it_is_one_of_ours() -> None:
    name = "0.1.0-called-off"
    text = (HISTORIES / f"{name}.json").read_text()
    (event,) = [
        event
        for event in WorkflowHistory.from_json(name, text).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    ]
    arguments = event.workflow_execution_update_accepted_event_attributes.accepted_request.input

    assert read(name).called_off_at is None
    arguments.args.payloads[0].data = b'{"by":"storm","reason":"any"}'
    assert history_of([event]).called_off_at is not None


def test_a_check_stops_nothing_and_is_counted() -> None:
    checked = read("0.1.0-checked")

    assert (checked.called_off_at, checked.instructions) == (None, 1)


def test_a_run_that_completed_or_goes_on_did_not_break_off() -> None:
    assert read("0.1.0-doubt").broke_off == ""
    assert read("0.1.0-doubt", without_end=True).broke_off == ""


def test_a_run_that_failed_broke_off() -> None:
    recorded = WorkflowHistory.from_json("w", (HISTORIES / "0.1.0-doubt.json").read_text())
    events = list(recorded.events)
    events[-1].event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED

    assert history_of(events).broke_off == "FAILED"
