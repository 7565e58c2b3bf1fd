"""The same job on other engines, in turn: bursts, then a steady rate, then with faults."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Final, NamedTuple

from bench.environment import CONCURRENCY
from bench.figures import Figures, Log, rotated
from bench.peers.engine import OURS, TITLES
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
# The runs of an engine: of the groups "bursts", "undisturbed" and "with_faults".
Runs = Mapping[str, Sequence[Run]]


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

    def read(self, runs: Runs) -> float:
        return self.over(list(map(self.number, runs[self.group])))

    def factor(self, one: float, other: float) -> float | None:
        """How many times better one is than the other, below 1 if worse; None if infinitely."""
        more, less = (one, other) if self.is_more_better else (other, one)
        return more / less if less else (None if more else 1.0)


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
    *(Column("with_faults", f"{head}, SIGKILLs", f"{name} with faults", "recovery", number)
      for head, name, number in _TIMES[:2]),
    Column("with_faults", "refused, SIGKILLs", "requests refused at first with faults",
           "availability", lambda run: run.refused, 0, over=sum),
    Column("with_faults", "max s, SIGKILLs", "longest with faults", "recovery",
           lambda run: run.to_end.max, over=max),
)  # fmt: skip


async def measure(log: Log, *, quick: bool) -> Figures:
    """Raises SettingsError if an engine does not start, TimeoutError if one does not stop."""
    bursts, size, steady_size, struck = _QUICK if quick else _FULL
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
    return summarise(size, runs)


def summarise(size: int, runs: Mapping[str, Runs]) -> Figures:
    """Of the runs by engine; `wait_least` is how many seconds of one are waits of Antom."""
    return {
        "size": size,
        "concurrency": CONCURRENCY,
        "rate": PER_SECOND,
        "wait_least": WAIT_LEAST,
        "kills": Counter(KILLED),
        "processes": sorted(
            {e for made in runs.values() for run in made["bursts"] for e in run.cpu}
        ),
        "columns": [_column_figures(column, runs) for column in COLUMNS],
        "engines": [_engine_figures(key, made) for key, made in runs.items()],
    }


def _column_figures(column: Column, runs: Mapping[str, Runs]) -> Figures:
    """`better` has the engines that are better than ours, by more than a draw: how many times."""
    numbers = {key: column.read(made) for key, made in runs.items()}
    factors = {key: column.factor(number, numbers[OURS]) for key, number in numbers.items()}
    return {
        **{each: getattr(column, each) for each in ("group", "head", "name", "topic", "digits")},
        "best": (max if column.is_more_better else min)(numbers.values()),
        "better": {key: each for key, each in factors.items() if each is None or each > _DRAW},
    }


def _engine_figures(key: str, runs: Runs) -> Figures:
    """The median of each column; `cpu` is milliseconds per refund, None without the process."""
    processes = runs["bursts"][0].cpu
    return {
        "engine": key,
        "title": TITLES[key],
        "about": runs["bursts"][0].about,
        "numbers": {column.name: column.read(runs) for column in COLUMNS},
        "cpu": {each: median(run.cpu[each] for run in runs["bursts"]) for each in processes},
        "without_faults": _audited([*runs["bursts"], *runs["undisturbed"]]),
        "with_faults": _audited(runs["with_faults"]),
    }


def _audited(runs: Sequence[Run]) -> Figures:
    """How many refunds of all these runs are right or wrong in which way."""
    audits = [run.audit for run in runs]
    return {
        "kills": sum(len(run.kills) for run in runs),
        "requested": sum(audit.requested for audit in audits),
        "ended": sum(audit.ended for audit in audits),
        "moved_twice": sum(len(audit.moved_twice) for audit in audits),
        "disagreeing": sum(len(audit.disagreeing) for audit in audits),
        "unfinished": sum(len(audit.unfinished) for audit in audits),
        "is_clean": all(audit.is_clean for audit in audits),
    }
