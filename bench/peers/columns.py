"""What engines are compared by: each column reads one number of a standing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final

from bench.peers.findings import Standing
from bench.peers.race import Race
from bench.peers.struck import Steady

Number = Callable[[Standing], float | None]
# Closer than this is a draw: the machine is not steadier.
_DRAW: Final = 1.05


@dataclass(frozen=True, slots=True)
class Column:
    """`head` is for the table, `name` for sentences, `key` for reasons (bench/peers/reasons.py).

    Less is better unless said otherwise.
    """

    head: str
    name: str
    key: str
    read: Number
    digits: int = 2
    is_more_better: bool = False

    def factor(self, one: Standing, other: Standing) -> float | None:
        """How many times better one is than the other, below 1 if worse; None if unknown."""
        ones, others = self.read(one), self.read(other)
        if ones is None or others is None:
            return None
        more, less = (ones, others) if self.is_more_better else (others, ones)
        return more / less if less else (inf if more else 1.0)

    def is_better(self, one: Standing, other: Standing) -> bool:
        """By more than a draw."""
        factor = self.factor(one, other)
        return factor is not None and factor > _DRAW

    def best(self, standings: Sequence[Standing]) -> tuple[Standing, ...]:
        """Several if they look alike in the table, nobody if none has this number."""
        numbers = [number for each in standings if (number := self.read(each)) is not None]
        if not numbers:
            return ()
        best = max(numbers) if self.is_more_better else min(numbers)
        return tuple(each for each in standings if self.shown(each) == self._written(best))

    def shown(self, standing: Standing) -> str:
        """The number as it stands in tables."""
        number = self.read(standing)
        return "-" if number is None else self._written(number)

    def _written(self, number: float) -> str:
        return f"{number:,.{self.digits}f}"


def _race(number: Callable[[Race], float]) -> Number:
    return lambda standing: standing.of_races(number)


def _calm(number: Callable[[Steady], float]) -> Number:
    return lambda standing: None if standing.calm is None else number(standing.calm)


def _struck(number: Callable[[Steady], float]) -> Number:
    return lambda standing: median(map(number, standing.struck)) if standing.struck else None


def _longest(standing: Standing) -> float | None:
    return max((run.to_end.max for run in standing.struck), default=None)


def _refused(standing: Standing) -> float | None:
    return sum(run.refused for run in standing.struck) if standing.struck else None


RACE: Final = (
    Column(
        "refunds/s",
        "refunds per second",
        "speed",
        _race(lambda race: race.per_second),
        digits=1,
        is_more_better=True,
    ),
    Column("p50 s", "p50 to final", "speed", _race(lambda race: race.to_end.p50)),
    Column("p99 s", "p99 to final", "speed", _race(lambda race: race.to_end.p99)),
    Column("at once, p50 s", "p50, at once", "speed", _race(lambda race: race.to_end_at_once.p50)),
    Column("at once, p99 s", "p99, at once", "speed", _race(lambda race: race.to_end_at_once.p99)),
    Column("calls", "calls to Antom per refund", "calls", _race(lambda race: race.calls)),
    Column("CPU ms", "CPU per refund", "CPU", _race(lambda race: race.cpu_of_all), digits=1),
    Column("bytes", "bytes stored per refund", "bytes", _race(lambda race: race.stored), digits=0),
)
CALM: Final = (
    Column("p50 s", "p50 in peace", "peace", _calm(lambda run: run.to_end.p50)),
    Column("p99 s", "p99 in peace", "peace", _calm(lambda run: run.to_end.p99)),
    Column(
        "at once, p50 s",
        "p50, at once, in peace",
        "peace",
        _calm(lambda run: run.to_end_at_once.p50),
    ),
    Column(
        "at once, p99 s",
        "p99, at once, in peace",
        "peace",
        _calm(lambda run: run.to_end_at_once.p99),
    ),
)
STRUCK: Final = (
    Column("p50 s", "p50 while struck", "recovery", _struck(lambda run: run.to_end.p50)),
    Column("p99 s", "p99 while struck", "recovery", _struck(lambda run: run.to_end.p99)),
    Column(
        "not taken", "orders not taken at once while struck", "taking orders", _refused, digits=0
    ),
    Column("max s", "the longest while struck", "recovery", _longest),
)
EVERY: Final = (*RACE, *CALM, *STRUCK)
