"""What engines are compared by, and where another one is better than ours. Pure: it counts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final, NamedTuple

from bench.figures import FrozenModel
from bench.peers.engines import OURS, TITLES
from bench.peers.runs import Audit, BurstRun, SteadyRun

# Closer than this is a draw: the machine is not more stable.
_DRAW: Final = 1.05


class EngineSummary(FrozenModel):
    """One engine: its bursts, and its steady runs without and with faults."""

    engine: str
    about: str
    bursts: tuple[BurstRun, ...]
    undisturbed: SteadyRun | None
    with_faults: tuple[SteadyRun, ...]

    @property
    def title(self) -> str:
        return TITLES[self.engine]

    def over_bursts(self, number: Callable[[BurstRun], float]) -> float | None:
        """The median over its bursts; None if it has none."""
        return median(map(number, self.bursts)) if self.bursts else None

    def cpu(self, process: str) -> float | None:
        """Milliseconds per refund; None for a process that it does not have."""
        return self.over_bursts(lambda run: run.cpu.get(process, 0.0)) or None

    @property
    def kills(self) -> int:
        return sum(len(run.kills) for run in self.with_faults)

    @property
    def early(self) -> int:
        """Ends of bursts that it dated before Antom's."""
        return sum(run.early for run in self.bursts)

    @property
    def without_faults(self) -> Mapping[str, int]:
        steady = () if self.undisturbed is None else (self.undisturbed.audit,)
        return _totals((*(run.audit for run in self.bursts), *steady))

    @property
    def under_faults(self) -> Mapping[str, int]:
        return _totals([run.audit for run in self.with_faults])

    @property
    def is_clean(self) -> bool:
        """Whether every audit is."""
        steady = (self.undisturbed,) if self.undisturbed else ()
        return all(run.audit.is_clean for run in (*self.bursts, *steady, *self.with_faults))


def _totals(audits: Sequence[Audit]) -> Mapping[str, int]:
    totals: Counter[str] = Counter()
    for audit in audits:
        totals.update(requested=audit.requested, ended=audit.ended)
        totals.update(moved_twice=len(audit.moved_twice), disagreeing=len(audit.disagreeing))
        totals.update(unfinished=len(audit.unfinished))
    return totals


@dataclass(frozen=True, slots=True)
class Column:
    """`head` is for tables, `name` for lists, `topic` for explanations; less is usually better."""

    head: str
    name: str
    topic: str
    read: Callable[[EngineSummary], float | None]
    digits: int = 2
    is_more_better: bool = False

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

    def best(self, summaries: Sequence[EngineSummary]) -> tuple[EngineSummary, ...]:
        """Several if they look alike in the table, none if it was not measured."""
        numbers = [number for each in summaries if (number := self.read(each)) is not None]
        if not numbers:
            return ()
        best = f"{(max if self.is_more_better else min)(numbers):,.{self.digits}f}"
        return tuple(each for each in summaries if self.shown(each) == best)


def _burst(number: Callable[[BurstRun], float]) -> Callable[[EngineSummary], float | None]:
    return lambda summary: summary.over_bursts(number)


def _steady(number: Callable[[SteadyRun], float]) -> Callable[[EngineSummary], float | None]:
    return lambda summary: None if summary.undisturbed is None else number(summary.undisturbed)


def _faults(
    number: Callable[[SteadyRun], float], over: Callable[[list[float]], float] = median
) -> Callable[[EngineSummary], float | None]:
    return lambda summary: (
        over([number(run) for run in summary.with_faults]) if summary.with_faults else None
    )


BURST: Final = (
    Column(
        "refunds/s", "refunds per second", "speed", _burst(lambda run: run.per_second), 1,
        is_more_better=True,
    ),
    Column("p50 s", "p50 to final", "speed", _burst(lambda run: run.to_end.p50)),
    Column("p99 s", "p99 to final", "speed", _burst(lambda run: run.to_end.p99)),
    Column(
        "immediate, p50 s", "p50, immediate", "speed",
        _burst(lambda run: run.immediate_to_end.p50),
    ),
    Column(
        "immediate, p99 s", "p99, immediate", "speed",
        _burst(lambda run: run.immediate_to_end.p99),
    ),
    Column("calls", "calls to Antom per refund", "calls", _burst(lambda run: run.calls)),
    Column("CPU ms", "CPU per refund", "CPU", _burst(lambda run: run.cpu_total), 1),
    Column("bytes", "bytes stored per refund", "bytes", _burst(lambda run: run.stored), 0),
)  # fmt: skip
STEADY: Final = (
    Column("p50 s", "p50, steady", "steady rate", _steady(lambda run: run.to_end.p50)),
    Column("p99 s", "p99, steady", "steady rate", _steady(lambda run: run.to_end.p99)),
    Column(
        "immediate, p50 s", "p50, immediate, steady", "steady rate",
        _steady(lambda run: run.immediate_to_end.p50),
    ),
    Column(
        "immediate, p99 s", "p99, immediate, steady", "steady rate",
        _steady(lambda run: run.immediate_to_end.p99),
    ),
)  # fmt: skip
FAULTS: Final = (
    Column("p50 s", "p50 with faults", "recovery", _faults(lambda run: run.to_end.p50)),
    Column("p99 s", "p99 with faults", "recovery", _faults(lambda run: run.to_end.p99)),
    Column(
        "refused", "requests refused at first with faults", "availability",
        _faults(lambda run: run.refused, sum), 0,
    ),
    Column(
        "max s", "longest with faults", "recovery", _faults(lambda run: run.to_end.max, max)
    ),
)  # fmt: skip
EVERY: Final = (*BURST, *STEADY, *FAULTS)
_DBOS: Final = ("dbos_sqlite", "dbos_postgresql")
# Names of the template's explanations, by topic and engine; by topic alone where all are alike.
_QUICK: Final = {
    "timer_loop": ("no_visibility",),
    "dbos_sqlite": ("library", "file"),
    "dbos_postgresql": ("library",),
    "restate": ("stream",),
}
_EXPLANATIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    **dict.fromkeys(("speed", "steady rate", "CPU"), _QUICK),
    "calls": dict.fromkeys(_QUICK, ("inquiries",)),
    "availability": dict.fromkeys(_QUICK, ("clients",)),
    "bytes": {
        "timer_loop": ("no_visibility",),
        **dict.fromkeys(_DBOS, ("rows",)),
        "restate": ("journal",),
    },
    "recovery": {
        "timer_loop": ("no_doubt",),
        **dict.fromkeys(_DBOS, ("own_work",)),
        "restate": ("broken_stream",),
    },
}


class Better(NamedTuple):
    """Another engine that is better than ours in one column, by this factor."""

    summary: EngineSummary
    factor: float | None


def where_others_win(summaries: Sequence[EngineSummary]) -> dict[Column, list[Better]]:
    """Every column in which another engine is better than ours, by more than a draw."""
    ours = next((each for each in summaries if each.engine == OURS), None)
    if ours is None:
        return {}
    wins = {
        column: [
            Better(each, None if factor == inf else factor)
            for each in summaries
            if (factor := column.factor(each, ours) or 0.0) > _DRAW
        ]
        for column in EVERY
    }
    return {column: better for column, better in wins.items() if better}


def explanations(wins: Mapping[Column, Sequence[Better]]) -> dict[str, dict[str, list[str]]]:
    """For each explanation that is needed: the engines that it explains, and in which topics."""
    needed: dict[str, dict[str, list[str]]] = {}
    for column, better in wins.items():
        for each in better:
            for name in _EXPLANATIONS[column.topic].get(each.summary.engine, ()):
                topics = needed.setdefault(name, {}).setdefault(each.summary.title, [])
                if column.topic not in topics:
                    topics.append(column.topic)
    return needed
