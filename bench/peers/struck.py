"""The job at a steady rate, in peace or while SIGKILLs fall; then everything may end."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.settings import SettingsError
from bench.peers.asking import Asker, ends_of
from bench.peers.audit import Audit
from bench.peers.course import Course, believed, entered, lasted
from bench.peers.peer import Peer
from bench.peers.roster import Entrant
from bench.peers.script import Job, Manner
from bench.spread import Spread

PER_SECOND: Final = 15.0
PATIENCE: Final = timedelta(seconds=90)
PARTS: Final = ("app", "app", "app", "server", "door")
_DOWN: Final = timedelta(seconds=0.5)
_AGAIN: Final = timedelta(seconds=0.5)


class Blow(BaseModel):
    """SIGKILL for this part, so many seconds after the first asking."""

    model_config = ConfigDict(frozen=True)

    at: float
    part: str


class Steady(BaseModel):
    """How one engine fared at a steady rate.

    `blows` are those that fell, with the moments of their falling; `refused` is how many orders
    were not taken at the first asking. `to_end` and `to_end_at_once` (those that Antom does not
    keep waiting) are seconds from the moment when a refund was due to be asked for.
    """

    model_config = ConfigDict(frozen=True)

    engine: str
    about: str = Field(default="", exclude=True)
    blows: tuple[Blow, ...] = ()
    refused: int
    to_end: Spread
    to_end_at_once: Spread
    audit: Audit


def drawn_blows(job: Job, seed: int) -> tuple[Blow, ...]:
    """Each part's blows in any order, one in each fifth of the time of asking."""
    # Reproducible on purpose; nothing secret hangs on it.
    dice = Random(f"peers/blows/{seed}")  # noqa: S311
    parts = dice.sample(PARTS, k=len(PARTS))
    stretch = len(job.errands) / PER_SECOND / len(parts)
    moments = ((place + dice.random()) * stretch for place in range(len(parts)))
    return tuple(Blow(at=at, part=part) for at, part in zip(moments, parts, strict=True))


async def held(entrant: Entrant, job: Job, blows: Iterable[Blow] = ()) -> Steady:
    """Raises SettingsError if the engine does not start."""
    async with entered(entrant, job) as course:
        asker = Asker(course.peer)
        fallen = await _run(course, asker, job, blows)
        ends, ledger = await ends_of(course.peer), await course.antom.ledger()
        ends, _ = believed(ends, ledger)
        return Steady(
            engine=entrant.key,
            about=course.peer.about,
            blows=tuple(fallen),
            refused=len(asker.refused),
            to_end=lasted(asker, ends, job.ids()),
            to_end_at_once=lasted(asker, ends, job.ids(Manner.AT_ONCE)),
            audit=Audit.of(job.orders, ends, ledger),
        )


async def _run(course: Course, asker: Asker, job: Job, blows: Iterable[Blow]) -> list[Blow]:
    """Until every refund has ended or the patience has; the blows that fell."""
    fallen: list[Blow] = []
    asking = len(job.errands) / PER_SECOND
    with suppress(TimeoutError):
        async with asyncio.timeout(asking + PATIENCE.total_seconds()):
            async with asyncio.TaskGroup() as group:
                group.create_task(asker.drip(job.orders, per_second=PER_SECOND))
                group.create_task(_strike(course.peer, blows, fallen))
            await course.until_ended(job.ids())
    return fallen


async def _strike(peer: Peer, blows: Iterable[Blow], fallen: list[Blow]) -> None:
    """One after another, each at its moment or when the part before stands again."""
    beginning = time.monotonic()
    for blow in blows:
        await asyncio.sleep(max(0.0, beginning + blow.at - time.monotonic()))
        if blow.part not in peer.pids():
            continue
        fallen.append(blow.model_copy(update={"at": round(time.monotonic() - beginning, 2)}))
        await peer.kill(blow.part)
        await asyncio.sleep(_DOWN.total_seconds())
        await _revived(peer, blow.part)


async def _revived(peer: Peer, part: str) -> None:
    """Started again and again, as a supervisor would; whoever calls this sets the bound."""
    while True:
        try:
            return await peer.revive(part)
        except SettingsError:
            await asyncio.sleep(_AGAIN.total_seconds())
