"""How measured numbers are summarised: percentiles, rounds in turn, lines, rates."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor
from statistics import fmean, linear_regression, median
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import BaseModel

# What a measurement found, as it is stored in JSON and shown on the page.
Figures = dict[str, Any]
Log = Callable[[str], None]
Side = TypeVar("Side")


class Percentiles(BaseModel, frozen=True):
    """Median, 99th percentile and maximum of some numbers; all 0 if there are none."""

    p50: float = 0
    p99: float = 0
    max: float = 0

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Self:
        ordered = sorted(numbers)
        if not ordered:
            return cls()
        at = [ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.99, 1.0)]
        return cls(p50=at[0], p99=at[1], max=at[2])


def median_range(numbers: Iterable[float]) -> dict[str, float]:
    """One number measured several times; raises ValueError if nothing was measured."""
    measured = list(numbers)
    return {"least": min(measured), "median": median(measured), "most": max(measured)}


class Line(NamedTuple):
    """y = start + slope * x."""

    start: float
    slope: float

    @classmethod
    def through(cls, points: Iterable[tuple[float, float]]) -> Self:
        """The least-squares line; horizontal if all points have the same x."""
        xs, ys = zip(*points, strict=True)
        if len(set(xs)) == 1:
            return cls(start=fmean(ys), slope=0)
        fitted = linear_regression(xs, ys)
        return cls(start=fitted.intercept, slope=fitted.slope)

    def is_below_from(self, steeper: "Line") -> int:
        """The first whole x from 1 on at which this line is below the steeper one."""
        crossing = (self.start - steeper.start) / (steeper.slope - self.slope)
        return max(floor(crossing) + 1, 1)


def call_rate(called: Iterable[float]) -> Figures:
    """Calls at these times: all, the most within any second and any ten, and by second."""
    times = sorted(called)
    counted = Counter(floor(time - times[0]) for time in times)
    return {
        "calls": len(times),
        "fastest_second": _busiest(times, 1),
        "fastest_ten": _busiest(times, 10),
        "by_second": [counted[second] for second in range(max(counted, default=-1) + 1)],
    }


def _busiest(times: Sequence[float], seconds: float) -> int:
    """The most of these sorted times within any interval of this length."""
    most, first = 0, 0
    for last, time in enumerate(times):
        while time - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class Burst(NamedTuple):
    """Things sent as fast as they were answered; `seconds` until the last answer.

    `cpu` is CPU seconds by process until everything was done, `checking` those of signature checks
    alone; `lag` is how many seconds after the last answer everything was final.
    """

    sent: int
    accepted: int
    seconds: float
    cpu: dict[str, float]
    lag: float = 0.0
    checking: float = 0.0


def burst_figures(bursts: Sequence[Burst]) -> Figures:
    """Answers per second, refusals included, and CPU milliseconds for each one sent."""
    return {
        "rounds": len(bursts),
        "sent": bursts[0].sent,
        "rate": median_range(burst.sent / burst.seconds for burst in bursts),
        "cpu": {
            name: median_range(burst.cpu[name] / burst.sent * 1000 for burst in bursts)
            for name in bursts[0].cpu
        },
    }


def rotated(sides: Sequence[Side], number: int) -> list[Side]:
    """The sides in the order of round `number`: each is the first equally often."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]
