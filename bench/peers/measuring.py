"""The meeting: every engine in turn races, goes steadily in peace, and goes on while struck."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Final, TypeVar

from antom_refunds.settings import SettingsError
from bench.machine import About
from bench.measurement import Measurement, Say
from bench.peers.drawing import drawn
from bench.peers.findings import PeersFound
from bench.peers.race import Race, raced
from bench.peers.roster import ENTRANTS, Entrant
from bench.peers.script import Job
from bench.peers.script import drawn as drawn_job
from bench.peers.struck import Blow, Steady, drawn_blows, held
from bench.peers.writing import written

_SEED: Final = 1
# The last bound of a run, starting and stopping included; those before it are far tighter.
_RUN_LIMIT: Final = timedelta(minutes=5)

Ran = TypeVar("Ran", Race, Steady)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many races of how many refunds; how many runs in peace and struck, of `steady` each."""

    races: int
    size: int
    steady: int
    calm: int = 1
    struck: int = 2


FULL: Final = Plan(races=5, size=200, steady=150)
QUICK: Final = Plan(races=1, size=40, steady=40, calm=0, struck=1)


@dataclass
class Meeting:
    """All engines, one after another; who cannot run is left out from then on, with the reason."""

    plan: Plan
    say: Say
    engines: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    async def held(self) -> PeersFound:
        about = About.now()
        jobs = [drawn_job(self.plan.size, _SEED + number) for number in range(self.plan.races)]
        steady = drawn_job(self.plan.steady, _SEED)
        races = await self._races(jobs)
        calm = await self._steadily(steady, [()] * self.plan.calm)
        blows = [drawn_blows(steady, _SEED + number) for number in range(self.plan.struck)]
        struck = await self._steadily(steady, blows)
        return PeersFound(
            about=about,
            size=self.plan.size,
            wait_least=max(job.wait_least.total_seconds() for job in jobs),
            engines=self.engines,
            absent=self.absent,
            races=tuple(races),
            calm=tuple(calm),
            struck=tuple(struck),
        )

    async def _races(self, jobs: list[Job]) -> list[Race]:
        """Each round begins with another engine, since a machine is not steady."""
        races = []
        for number, job in enumerate(jobs):
            for entrant in _turned(number):
                race = await self._run(entrant, partial(raced, job=job, number=number))
                if race is not None:
                    self.say(f"race {number + 1}, {entrant.title}: {race.per_second:.1f} a second")
                    races.append(race)
        return races

    async def _steadily(self, job: Job, plans: Sequence[tuple[Blow, ...]]) -> list[Steady]:
        runs = []
        for blows, entrant in product(plans, ENTRANTS):
            run = await self._run(entrant, partial(held, job=job, blows=blows))
            if run is not None:
                fell, ended = len(run.blows), run.audit.ended
                self.say(f"steady, {entrant.title}: {ended} ends, {fell} SIGKILLs")
                runs.append(run)
        return runs

    async def _run(self, entrant: Entrant, run: Callable[[Entrant], Awaitable[Ran]]) -> Ran | None:
        """None for an engine that does not run here; the others go on."""
        if entrant.key in self.absent:
            return None
        try:
            async with asyncio.timeout(_RUN_LIMIT.total_seconds()):
                ran = await run(entrant)
        except Exception as error:  # noqa: BLE001 - each engine has its own ways of breaking
            self.absent[entrant.key] = _reason(error)
            self.say(f"{entrant.title} is left out: {self.absent[entrant.key]}")
            return None
        self.engines[entrant.key] = ran.about
        return ran


def _turned(number: int) -> tuple[Entrant, ...]:
    first = number % len(ENTRANTS)
    return ENTRANTS[first:] + ENTRANTS[:first]


def _reason(error: Exception) -> str:
    match error:
        case ImportError():
            return f"its library is not installed ({error.name})"
        case SettingsError():
            return str(error)
        case TimeoutError():
            return "a run did not end in time"
        case _:
            return f"it broke: {type(error).__name__}: {error}"


async def measure(quick: bool, say: Say) -> PeersFound:  # noqa: FBT001 - the report's signature
    """All engines that run here."""
    return await Meeting(QUICK if quick else FULL, say).held()


PEERS: Final = Measurement(
    name="peers",
    title="Peers on the same job",
    form=PeersFound,
    measure=measure,
    written=written,
    drawn=drawn,
)
