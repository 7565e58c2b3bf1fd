"""One race: the whole job at once, as fast as the engine takes it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.simulator.records import LedgerView
from bench.peers.asking import Asker, ends_of
from bench.peers.audit import Audit
from bench.peers.course import GLANCE, SIMULATOR, Course, believed, entered, lasted
from bench.peers.peer import End
from bench.peers.roster import Entrant
from bench.peers.script import Job, Manner
from bench.spread import Spread

AT_ONCE: Final = 40
_LIMIT: Final = timedelta(seconds=60)
_MILLISECONDS: Final = 1000


class Race(BaseModel):
    """What one engine needed for one job.

    `early` is how many ends the engine dated before Antom's own word. `seconds` is from the first
    asking to the last end; `to_take`, `to_end` and `to_end_at_once` (those that Antom does not
    keep waiting) are seconds from asking. `cpu` is milliseconds for each refund by part of the
    engine, `simulator` is Antom's; `calls` and `stored` (bytes) are for each refund too.
    """

    model_config = ConfigDict(frozen=True)

    engine: str
    about: str = Field(default="", exclude=True)
    number: int
    early: int = 0
    seconds: float
    to_take: Spread
    to_end: Spread
    to_end_at_once: Spread
    calls: float
    cpu: dict[str, float]
    simulator: float
    stored: float
    audit: Audit

    @property
    def per_second(self) -> float:
        return self.audit.ended / self.seconds if self.seconds else 0.0

    @property
    def cpu_of_all(self) -> float:
        """The asker's share too: an engine's client works in its caller."""
        return sum(self.cpu.values())


async def raced(entrant: Entrant, job: Job, *, number: int) -> Race:
    """Raises SettingsError if the engine does not start."""
    async with entered(entrant, job) as course:
        asker = Asker(course.peer)
        stored, before = course.stored_bytes(), course.cpu_seconds()
        after = await _run(course, asker, job)
        spent = {name: _each(after[name] - before[name], job) for name in sorted(before)}
        ends, ledger = await ends_of(course.peer), await course.antom.ledger()
        ends, early = believed(ends, ledger)
        return Race(
            engine=entrant.key,
            about=course.peer.about,
            number=number,
            early=early,
            **_times(job, asker, ends),
            calls=_calls(job, ledger) / len(job.errands),
            simulator=spent.pop(SIMULATOR),
            cpu=spent,
            stored=(course.stored_bytes() - stored) / len(job.errands),
            audit=Audit.of(job.orders, ends, ledger),
        )


async def _run(course: Course, asker: Asker, job: Job) -> Mapping[str, float]:
    """Until every refund has ended, or the bound is reached; the books of that moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIMIT.total_seconds()):
            await asker.flood(job.orders, at_once=AT_ONCE)
            return await _spent_until_ended(course, job.ids())
    return course.cpu_seconds()


async def _spent_until_ended(course: Course, ids: frozenset[str]) -> Mapping[str, float]:
    """The books from before the last look, which costs the engine something too."""
    while True:
        spent = course.cpu_seconds()
        if await course.have_ended(ids):
            return spent
        await asyncio.sleep(GLANCE.total_seconds())


def _times(job: Job, asker: Asker, ends: Mapping[str, End]) -> dict[str, Any]:
    ids = job.ids()
    over = [ends[each].at for each in ids if each in ends]
    begun = min(asker.asked.values())
    taken = ((at - asker.asked[each]).total_seconds() for each, at in asker.taken.items())
    return {
        "seconds": (max(over) - begun).total_seconds() if over else 0.0,
        "to_take": Spread.of(taken),
        "to_end": lasted(asker, ends, ids),
        "to_end_at_once": lasted(asker, ends, job.ids(Manner.AT_ONCE)),
    }


def _each(seconds: float, job: Job) -> float:
    return round(seconds * _MILLISECONDS / len(job.errands), 2)


def _calls(job: Job, ledger: LedgerView) -> int:
    ids = job.ids()
    return sum(calls.count for calls in ledger.calls if calls.subject in ids)
