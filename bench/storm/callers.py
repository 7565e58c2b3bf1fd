"""A business service of the storm: `python -m bench.storm.callers PLAN NUMBER BEGINNING NOTES`.

It asks for its refunds when their time has come and reads how they ended. It may be killed at
any moment; started again it knows from its notes alone what it need not ask again.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict

from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.errors import RefundAbandonedError, RefundConflictError, RefundNotFoundError
from antom_refunds.process import OK, leave
from bench.storm.schedule import Ask, Plan

log = logging.getLogger(__name__)

_AGAIN: Final = timedelta(milliseconds=200)
_PATIENCE: Final = timedelta(minutes=10)
Told = TypeVar("Told")


class Stance(StrEnum):
    """What a caller knows of one ask."""

    ACCEPTED = "accepted"  # start() returned: from now on it is ours to end
    REFUSED = "refused"  # the id stands for other fields
    ENDED = "ended"  # outcome() told the end
    BROKEN = "broken"  # an error that no caller can know


class Note(BaseModel):
    """One line of a caller's notes; `ask` is the place in the plan, `state` the end it was told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: int
    stance: Stance
    state: str = ""


def notes_in(path: Path) -> list[Note]:
    """What a caller knew so far; nothing if it never came to write."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [Note.model_validate_json(line) for line in lines]


class Caller:
    """One process's part of the plan."""

    def __init__(self, refunds: RefundClient, beginning: float, notes: FileIO) -> None:
        self._refunds = refunds
        self._beginning = beginning
        self._notes = notes

    async def serve(self, asks: Iterable[tuple[int, Ask]]) -> None:
        async with asyncio.TaskGroup() as group:
            for place, ask in asks:
                group.create_task(self._ask_in_time(place, ask))

    async def _ask_in_time(self, place: int, ask: Ask) -> None:
        await asyncio.sleep(max(0.0, self._beginning + ask.at - time.time()))
        try:
            await self._see_through(place, ask)
        except Exception:
            log.exception("caller.broke")
            self._note(place, Stance.BROKEN)

    async def _see_through(self, place: int, ask: Ask) -> None:
        try:
            await _insisting(lambda: self._refunds.start(ask.order))
        except RefundConflictError:
            self._note(place, Stance.REFUSED)
            return
        self._note(place, Stance.ACCEPTED)
        with suppress(RefundAbandonedError):  # its history tells the judge
            await self._learn_end(place, ask.order.refund_request_id)

    async def _learn_end(self, place: int, refund_request_id: str) -> None:
        outcome = await _insisting(lambda: self._refunds.outcome(refund_request_id, wait=_PATIENCE))
        if outcome is not None:
            self._note(place, Stance.ENDED, outcome.state)

    def _note(self, place: int, stance: Stance, state: str = "") -> None:
        note = Note(ask=place, stance=stance, state=state)
        self._notes.write(note.model_dump_json().encode() + b"\n")


async def _insisting(call: Callable[[], Awaitable[Told]]) -> Told:
    """As long as Temporal is away, again; raises TimeoutError if it never comes back."""
    async with asyncio.timeout(_PATIENCE.total_seconds()):
        while True:
            try:
                return await call()
            except (TemporalUnavailableError, RefundNotFoundError):
                await asyncio.sleep(_AGAIN.total_seconds())


async def serve(asks: Sequence[Ask], number: int, beginning: float, path: Path) -> int:
    """Until all that this caller asked for has ended."""
    over = {note.ask for note in notes_in(path) if note.stance is not Stance.ACCEPTED}
    mine = [
        (place, ask) for place, ask in enumerate(asks) if ask.caller == number and place not in over
    ]
    with path.open("ab", buffering=0) as notes:  # one write a line: SIGKILL cuts none in two
        await Caller(await _insisting(RefundClient.connect), beginning, notes).serve(mine)
    return OK


if __name__ == "__main__":
    _, plan_file, its_number, its_beginning, notes_file = sys.argv
    plan = Plan.model_validate_json(Path(plan_file).read_bytes())
    leave(asyncio.run(serve(plan.asks, int(its_number), float(its_beginning), Path(notes_file))))
