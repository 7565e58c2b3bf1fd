"""The same job on other engines: each in turn runs bursts, then a steady rate, then with faults."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import inf
from statistics import median
from typing import ClassVar, Final, NamedTuple, Self

from pydantic import Field

from antom_refunds.settings import SettingsError
from bench.environment import CONCURRENCY
from bench.harness import Findings, Log, MachineInfo, rotated
from bench.peers.engine import OURS, TITLES
from bench.peers.job import Job, draw_job
from bench.peers.runs import KILLED, PER_SECOND, Kill, Run, draw_kills, run_burst, run_steady

_SEED: Final = 1
# The last limit of a run, starting and stopping included; those within it are far shorter.
_RUN_SECONDS: Final = 300
# Closer than this is a draw: the machine is not more stable.
_DRAW: Final = 1.05


@dataclass(frozen=True)
class EngineSummary:
    """One engine: its bursts, and its steady runs without and with faults."""

    engine: str
    about: str
    bursts: tuple[Run, ...]
    undisturbed: tuple[Run, ...]
    with_faults: tuple[Run, ...]

    @property
    def title(self) -> str:
        return TITLES[self.engine]

    def cpu(self, process: str) -> float | None:
        """Milliseconds per refund; None for a process that it does not have."""
        return median(run.cpu.get(process, 0.0) for run in self.bursts) or None

    @property
    def kills(self) -> int:
        return sum(len(run.kills) for run in self.with_faults)

    @property
    def early(self) -> int:
        """Ends of bursts that it dated before Antom's."""
        return sum(run.early for run in self.bursts)

    @property
    def without_faults(self) -> Mapping[str, int]:
        return _totals((*self.bursts, *self.undisturbed))

    @property
    def under_faults(self) -> Mapping[str, int]:
        return _totals(self.with_faults)

    @property
    def is_clean(self) -> bool:
        """Whether every audit is."""
        runs = (*self.bursts, *self.undisturbed, *self.with_faults)
        return all(run.audit.is_clean for run in runs)


def _totals(runs: Iterable[Run]) -> Mapping[str, int]:
    totals: Counter[str] = Counter()
    for audit in (run.audit for run in runs):
        totals.update(requested=audit.requested, ended=audit.ended)
        totals.update(moved_twice=len(audit.moved_twice), disagreeing=len(audit.disagreeing))
        totals.update(unfinished=len(audit.unfinished))
    return totals


class Column(NamedTuple):
    """What engines are compared by: a number over the runs of a group; less is usually better.

    `head` is for tables, `name` for lists, `topic` for explanations.
    """

    group: str
    head: str
    name: str
    topic: str
    number: Callable[[Run], float]
    digits: int = 2
    is_more_better: bool = False
    over: Callable[[list[float]], float] = median

    def read(self, summary: EngineSummary) -> float | None:
        """None if it has no such run."""
        runs: tuple[Run, ...] = getattr(summary, self.group)
        return self.over(list(map(self.number, runs))) if runs else None

    def shown(self, summary: EngineSummary) -> str:
        number = self.read(summary)
        return "-" if number is None else f"{number:,.{self.digits}f}"

    def factor(self, one: EngineSummary, other: EngineSummary) -> float | None:
        """How many times better one is than the other, below 1 if worse; None if unknown."""
        ones, others = self.read(one), self.read(other)
        if ones is None or others is None:
            return None
        more, less = (ones, others) if self.is_more_better else (others, ones)
        return more / less if less else (inf if more else 1.0)

    def best(self, summaries: Sequence[EngineSummary]) -> str:
        """The best number of them as it is shown."""
        numbers = [number for each in summaries if (number := self.read(each)) is not None]
        choose = max if self.is_more_better else min
        return f"{choose(numbers):,.{self.digits}f}" if numbers else ""


_TIMES: Final[tuple[tuple[str, str, Callable[[Run], float]], ...]] = (
    ("p50 s", "p50 to final", lambda run: run.to_end.p50),
    ("p99 s", "p99 to final", lambda run: run.to_end.p99),
    ("immediate, p50 s", "p50, immediate", lambda run: run.immediate_to_end.p50),
    ("immediate, p99 s", "p99, immediate", lambda run: run.immediate_to_end.p99),
)
COLUMNS: Final = (
    Column("bursts", "refunds/s", "refunds per second", "speed", lambda run: run.per_second, 1,
           is_more_better=True),
    *(Column("bursts", head, name, "speed", number) for head, name, number in _TIMES),
    Column("bursts", "calls", "calls to Antom per refund", "calls", lambda run: run.calls),
    Column("bursts", "CPU ms", "CPU per refund", "CPU", lambda run: run.cpu_total, 1),
    Column("bursts", "bytes", "bytes stored per refund", "bytes", lambda run: run.stored, 0),
    *(Column("undisturbed", head, f"{name}, steady", "steady rate", number)
      for head, name, number in _TIMES),
    *(Column("with_faults", head, f"{name} with faults", "recovery", number)
      for head, name, number in _TIMES[:2]),
    Column("with_faults", "refused", "requests refused at first with faults", "availability",
           lambda run: run.refused, 0, over=sum),
    Column("with_faults", "max s", "longest with faults", "recovery",
           lambda run: run.to_end.max, over=max),
)  # fmt: skip


class Better(NamedTuple):
    """Another engine that is better than ours in one column, by this factor."""

    summary: EngineSummary
    factor: float | None


class PeersFindings(Findings):
    """Every run of every engine.

    `engines` has versions and settings of engines that ran, `absent` why one did not, or not to the
    end. `wait_least` is how many seconds of each burst are waits that Antom imposes.
    """

    title: ClassVar[str] = "Other engines on the same job"
    titles: ClassVar[Mapping[str, str]] = TITLES
    columns: ClassVar[Sequence[Column]] = COLUMNS
    concurrency: ClassVar[int] = CONCURRENCY
    rate: ClassVar[float] = PER_SECOND
    kills: ClassVar[Mapping[str, int]] = Counter(KILLED)

    size: int
    wait_least: float
    engines: Mapping[str, str] = Field(default_factory=dict)
    absent: Mapping[str, str] = Field(default_factory=dict)
    bursts: tuple[Run, ...] = ()
    undisturbed: tuple[Run, ...] = ()
    with_faults: tuple[Run, ...] = ()

    @property
    def summaries(self) -> list[EngineSummary]:
        """Of the engines that ran, ours first."""
        groups = (self.bursts, self.undisturbed, self.with_faults)
        return [
            EngineSummary(
                key,
                self.engines[key],
                *(tuple(run for run in runs if run.engine == key) for runs in groups),
            )
            for key in TITLES
            if key in self.engines
        ]

    @property
    def processes(self) -> list[str]:
        return sorted({name for run in self.bursts for name in run.cpu})

    @property
    def wins(self) -> Mapping[Column, Sequence[Better]]:
        """Every column in which another engine is better than ours, by more than a draw."""
        summaries = self.summaries
        if OURS not in self.engines:
            return {}
        wins = {
            column: [
                Better(each, None if factor == inf else factor)
                for each in summaries
                if (factor := column.factor(each, summaries[0]) or 0.0) > _DRAW
            ]
            for column in COLUMNS
        }
        return {column: better for column, better in wins.items() if better}

    def explained(self, topics: Sequence[str], engines: Sequence[str]) -> dict[str, list[str]]:
        """Which of these engines are better in which of these topics, by the engines' titles."""
        found: dict[str, list[str]] = {}
        for column, better in self.wins.items():
            for each in better:
                if column.topic in topics and each.summary.engine in engines:
                    found.setdefault(each.summary.title, []).append(column.topic)
        return {title: list(dict.fromkeys(topics)) for title, topics in found.items()}

    @classmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """All engines that run here."""
        return cls.model_validate(await Comparison(QUICK if quick else FULL, log).run())


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

    async def run(self) -> dict[str, object]:
        """The findings' fields."""
        plan, machine = self.plan, MachineInfo.now()
        jobs = [draw_job(plan.size, _SEED + number) for number in range(plan.bursts)]
        turns = [(job, key) for n, job in enumerate(jobs) for key in rotated(list(TITLES), n)]
        bursts = [await self._run(key, partial(run_burst, job=job)) for job, key in turns]
        steady = draw_job(plan.steady, _SEED)
        undisturbed = await self._steady(steady, [()] * plan.undisturbed)
        kills = [draw_kills(steady, _SEED + number) for number in range(plan.with_faults)]
        return {
            "machine": machine,
            "size": plan.size,
            "wait_least": max(job.wait_least.total_seconds() for job in jobs),
            "bursts": [run for run in bursts if run],
            "undisturbed": undisturbed,
            "with_faults": await self._steady(steady, kills),
            "engines": self.engines,
            "absent": self.absent,
        }

    async def _steady(self, job: Job, plans: Sequence[tuple[Kill, ...]]) -> list[Run]:
        turns = product(plans, TITLES)
        runs = [await self._run(key, partial(run_steady, job=job, kills=ks)) for ks, key in turns]
        return [run for run in runs if run]

    async def _run(self, key: str, runner: Callable[[str], Awaitable[Run]]) -> Run | None:
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
        ended, kills = run.audit.ended, len(run.kills)
        self.log(f"{TITLES[key]}: {ended} final in {run.seconds:.1f} s, {kills} SIGKILLs")
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
