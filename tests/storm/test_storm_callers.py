"""A caller of the storm writes down what it learnt, and what it could not understand."""

from pathlib import Path

from antom_refunds.client import RefundClient, Started
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import RefundOrder
from antom_refunds.errors import RefundConflictError
from bench.storm.callers import Caller, Note, Stance, notes_in
from bench.storm.schedule import Ask
from tests.storm.witnesses import ORDER, outcome

ASK = Ask(at=0, caller=0, order=ORDER)


class Refunds(RefundClient):
    """Takes every order and ends it, or raises what it is told to."""

    def __init__(self, *, start: Exception | None = None, end: Exception | None = None) -> None:
        self._at_start = start
        self._at_end = end

    async def start(self, order: RefundOrder) -> Started:  # noqa: ARG002
        if self._at_start:
            raise self._at_start
        return Started(workflow_id="w", run_id="r", is_new=True)

    async def outcome(self, *_: object, **__: object) -> RefundOutcome:
        if self._at_end:
            raise self._at_end
        return outcome()


async def noted(refunds: Refunds, tmp_path: Path) -> list[Note]:
    path = tmp_path / "notes.jsonl"
    with path.open("ab", buffering=0) as notes:
        await Caller(refunds, 0.0, notes).serve([(7, ASK)])
    return notes_in(path)


async def test_a_caller_notes_that_its_refund_was_taken_and_how_it_ended(tmp_path: Path) -> None:
    accepted = Note(ask=7, stance=Stance.ACCEPTED)

    assert await noted(Refunds(), tmp_path) == [
        accepted,
        Note(ask=7, stance=Stance.ENDED, state="succeeded"),
    ]


async def test_a_caller_notes_that_it_was_refused(tmp_path: Path) -> None:
    refused = Refunds(start=RefundConflictError("r-1", ("amount",)))

    assert await noted(refused, tmp_path) == [Note(ask=7, stance=Stance.REFUSED)]


async def test_an_error_that_no_caller_can_know_is_noted_when_asking(tmp_path: Path) -> None:
    assert await noted(Refunds(start=LookupError()), tmp_path) == [
        Note(ask=7, stance=Stance.BROKEN)
    ]


async def test_an_error_that_no_caller_can_know_is_noted_when_reading_the_end(
    tmp_path: Path,
) -> None:
    notes = await noted(Refunds(end=LookupError()), tmp_path)

    assert [note.stance for note in notes] == [Stance.ACCEPTED, Stance.BROKEN]
