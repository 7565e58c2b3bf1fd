"""The same job on other engines: each in turn runs bursts, then a steady rate, then with faults."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Final, TypeVar

from pydantic import Field

from antom_refunds.settings import SettingsError
from bench.environment import CONCURRENCY
from bench.harness import Findings, Log, rotated
from bench.machine import MachineInfo
from bench.peers.comparison import (
    BURST,
    EVERY,
    FAULTS,
    STEADY,
    Better,
    Column,
    EngineSummary,
    explanations,
    where_others_win,
)
from bench.peers.engines import TITLES
from bench.peers.job import Job, draw_job
from bench.peers.runs import (
    KILLED,
    PER_SECOND,
    BurstRun,
    Kill,
    SteadyRun,
    draw_kills,
    run_burst,
    run_steady,
)

_SEED: Final = 1
# The last limit of a run, starting and stopping included; those within it are far shorter.
_RUN_SECONDS: Final = 300
AnyRun = TypeVar("AnyRun", BurstRun, SteadyRun)


class PeersFindings(Findings):
    """Every run of every engine.

    `engines` has versions and settings of engines that ran, `absent` why one did not, or not to the
    end. `wait_least` is how many seconds of each burst are waits that Antom imposes.
    """

    size: int
    wait_least: float
    engines: dict[str, str] = Field(default_factory=dict)
    absent: dict[str, str] = Field(default_factory=dict)
    bursts: tuple[BurstRun, ...] = ()
    undisturbed: tuple[SteadyRun, ...] = ()
    with_faults: tuple[SteadyRun, ...] = ()

    @property
    def summaries(self) -> list[EngineSummary]:
        """Of the engines that ran, ours first."""
        return [
            EngineSummary(
                engine=key,
                about=self.engines[key],
                bursts=tuple(each for each in self.bursts if each.engine == key),
                undisturbed=next((each for each in self.undisturbed if each.engine == key), None),
                with_faults=tuple(each for each in self.with_faults if each.engine == key),
            )
            for key in TITLES
            if key in self.engines
        ]

    @property
    def titles(self) -> Mapping[str, str]:
        return TITLES

    @property
    def columns(self) -> Mapping[str, Sequence[Column]]:
        return {"burst": BURST, "steady": STEADY, "faults": FAULTS, "every": EVERY}

    @property
    def concurrency(self) -> int:
        return CONCURRENCY

    @property
    def rate(self) -> float:
        return PER_SECOND

    @property
    def kills(self) -> Mapping[str, int]:
        """How often each process is killed in a run with faults."""
        return {name: KILLED.count(name) for name in dict.fromkeys(KILLED)}

    @property
    def processes(self) -> list[str]:
        return sorted({name for run in self.bursts for name in run.cpu})

    @property
    def wins(self) -> Mapping[Column, Sequence[Better]]:
        return where_others_win(self.summaries)

    @property
    def explanations(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return explanations(self.wins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many bursts of `size` refunds; how many steady runs of `steady` refunds of each kind."""

    bursts: int
    size: int
    steady: int
    undisturbed: int = 1
    with_faults: int = 2


FULL: Final = Plan(bursts=5, size=200, steady=150)
QUICK: Final = Plan(bursts=1, size=40, steady=40, undisturbed=0, with_faults=1)


@dataclass
class Comparison:
    """All engines in turn; one that cannot run is left out from then on, with the reason."""

    plan: Plan
    log: Log
    engines: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    async def run(self) -> PeersFindings:
        machine = MachineInfo.now()
        jobs = [draw_job(self.plan.size, _SEED + number) for number in range(self.plan.bursts)]
        steady = draw_job(self.plan.steady, _SEED)
        bursts = await self._bursts(jobs)
        undisturbed = await self._steady(steady, [()] * self.plan.undisturbed)
        kills = [draw_kills(steady, _SEED + number) for number in range(self.plan.with_faults)]
        with_faults = await self._steady(steady, kills)
        return PeersFindings(
            machine=machine,
            size=self.plan.size,
            wait_least=max(job.wait_least.total_seconds() for job in jobs),
            engines=self.engines,
            absent=self.absent,
            bursts=tuple(bursts),
            undisturbed=tuple(undisturbed),
            with_faults=tuple(with_faults),
        )

    async def _bursts(self, jobs: list[Job]) -> list[BurstRun]:
        runs = []
        for number, job in enumerate(jobs):
            for key in rotated(list(TITLES), number):
                run = await self._run(key, partial(run_burst, job=job))
                if run is not None:
                    self.log(f"burst {number + 1}, {TITLES[key]}: {run.per_second:.1f} per second")
                    runs.append(run)
        return runs

    async def _steady(self, job: Job, plans: Sequence[tuple[Kill, ...]]) -> list[SteadyRun]:
        runs = []
        for kills, key in product(plans, TITLES):
            run = await self._run(key, partial(run_steady, job=job, kills=kills))
            if run is not None:
                happened = len(run.kills)
                self.log(f"steady, {TITLES[key]}: {run.audit.ended} final, {happened} SIGKILLs")
                runs.append(run)
        return runs

    async def _run(self, key: str, runner: Callable[[str], Awaitable[AnyRun]]) -> AnyRun | None:
        """None for an engine that does not run here; the others continue."""
        if key in self.absent:
            return None
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                run = await runner(key)
        except Exception as error:  # noqa: BLE001 - each engine has its own errors
            self.absent[key] = _reason(error)
            self.log(f"{TITLES[key]} is left out: {self.absent[key]}")
            return None
        self.engines[key] = run.about
        return run


def _reason(error: Exception) -> str:
    match error:
        case ImportError():
            return f"its library is not installed ({error.name})"
        case SettingsError():
            return str(error)
        case TimeoutError():
            return "a run did not end in time"
        case _:
            return f"{type(error).__name__}: {error}"


async def measure(quick: bool, log: Log) -> PeersFindings:  # noqa: FBT001 - a measurement's form
    """All engines that run here."""
    return await Comparison(QUICK if quick else FULL, log).run()
