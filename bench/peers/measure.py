"""The same job on other engines, in turn: bursts, then a steady rate, then with faults."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from math import inf
from statistics import median
from typing import ClassVar, Final, NamedTuple, Self

from bench.environment import CONCURRENCY
from bench.figures import FrozenModel
from bench.harness import Findings, Log, MachineInfo, rotated
from bench.peers.engine import TITLES
from bench.peers.job import WAIT_LEAST, draw_job
from bench.peers.runs import KILLED, PER_SECOND, Run, draw_kills, run_burst, run_steady

_SEED: Final = 1
# Bursts, refunds in each, refunds in each steady run, steady runs with faults.
_FULL: Final = (5, 200, 150, 2)
_QUICK: Final = (1, 40, 40, 1)
# The last limit of a run, starting and stopping included; those within it are far shorter.
_RUN_SECONDS: Final = 300
# Closer than this is a draw: the machine is not more stable.
_DRAW: Final = 1.05


class EngineRuns(FrozenModel):
    """One engine: its bursts, and its steady runs without and with faults."""

    engine: str
    about: str
    bursts: tuple[Run, ...]
    undisturbed: tuple[Run, ...]
    with_faults: tuple[Run, ...]

    @property
    def title(self) -> str:
        return TITLES[self.engine]

    @property
    def without_faults(self) -> tuple[Run, ...]:
        return (*self.bursts, *self.undisturbed)

    @property
    def is_clean(self) -> bool:
        """Whether every audit is."""
        return all(run.audit.is_clean for run in (*self.without_faults, *self.with_faults))

    def cpu(self, process: str) -> float | None:
        """Milliseconds per refund; None for a process that it does not have."""
        return median(run.cpu.get(process, 0.0) for run in self.bursts) or None


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

    def read(self, engine: EngineRuns) -> float:
        return self.over(list(map(self.number, getattr(engine, self.group))))

    def shown(self, engine: EngineRuns) -> str:
        return f"{self.read(engine):,.{self.digits}f}"

    def factor(self, one: EngineRuns, other: EngineRuns) -> float:
        """How many times better one is than the other, below 1 if worse."""
        more, less = self.read(one), self.read(other)
        if not self.is_more_better:
            more, less = less, more
        return more / less if less else (inf if more else 1.0)

    def best(self, engines: Sequence[EngineRuns]) -> str:
        """The best number of them as it is shown."""
        choose = max if self.is_more_better else min
        return self.shown(choose(engines, key=self.read))


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


class PeersFindings(Findings):
    """Every run of every engine, ours first.

    `wait_least` is how many seconds of a run are waits that Antom imposes.
    """

    title: ClassVar[str] = "Other engines on the same job"
    columns: ClassVar[Sequence[Column]] = COLUMNS
    concurrency: ClassVar[int] = CONCURRENCY
    rate: ClassVar[float] = PER_SECOND
    kills: ClassVar[Mapping[str, int]] = Counter(KILLED)

    wait_least: ClassVar[float] = WAIT_LEAST

    size: int
    engines: tuple[EngineRuns, ...]

    @property
    def processes(self) -> list[str]:
        return sorted({name for each in self.engines for run in each.bursts for name in run.cpu})

    @property
    def wins(self) -> Mapping[Column, Sequence[EngineRuns]]:
        """Every column in which other engines are better than ours, by more than a draw."""
        ours, *others = self.engines
        wins = {
            column: [each for each in others if column.factor(each, ours) > _DRAW]
            for column in COLUMNS
        }
        return {column: better for column, better in wins.items() if better}

    def explained(self, topics: Sequence[str], engines: Sequence[str]) -> dict[str, list[str]]:
        """Which of these engines are better in which of these topics, by the engines' titles."""
        found: dict[str, list[str]] = {}
        for column, better in self.wins.items():
            for each in better:
                if column.topic in topics and each.engine in engines:
                    found.setdefault(each.title, []).append(column.topic)
        return {title: list(dict.fromkeys(named)) for title, named in found.items()}

    @classmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """Raises SettingsError if an engine does not start, TimeoutError if one does not stop."""
        machine, (bursts, size, steady_size, struck) = MachineInfo.now(), _QUICK if quick else _FULL
        jobs = [draw_job(size, _SEED + number) for number in range(bursts)]
        steady = draw_job(steady_size, _SEED)
        kills = [draw_kills(steady, _SEED + number) for number in range(struck)]
        rounds: list[tuple[str, Callable[[str], Awaitable[Run]]]] = [
            *(("bursts", partial(run_burst, job=job)) for job in jobs),
            ("undisturbed", partial(run_steady, job=steady)),
            *(("with_faults", partial(run_steady, job=steady, kills=each)) for each in kills),
        ]
        runs: dict[str, defaultdict[str, list[Run]]] = {key: defaultdict(list) for key in TITLES}
        for number, (group, runner) in enumerate(rounds):
            for key in rotated(list(TITLES), number):
                async with asyncio.timeout(_RUN_SECONDS):
                    run = await runner(key)
                ended, killed = run.audit.ended, len(run.kills)
                log(f"{TITLES[key]}: {ended} final in {run.seconds:.1f} s, {killed} SIGKILLs")
                runs[key][group].append(run)
        return cls(
            machine=machine,
            size=size,
            engines=tuple(
                EngineRuns.model_validate({"engine": key, "about": made["bursts"][0].about, **made})
                for key, made in runs.items()
            ),
        )
