"""Arithmetic: how hard moments press on a limit, and straight lines through points."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import floor, inf
from typing import Self

from pydantic import BaseModel, ConfigDict


def busiest(moments: Sequence[float], seconds: float) -> int:
    """The most of these moments, in order, that lie within any stretch of this length."""
    most, first = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def bucket(moments: Sequence[float], rate: float) -> float:
    """The smallest token bucket, refilled at this rate, that would have let all of them pass."""
    lowest, needed = inf, 0.0
    for number, moment in enumerate(moments):
        lowest = min(lowest, number - rate * moment)
        needed = max(needed, number + 1 - rate * moment - lowest)
    return needed


def by_second(moments: Sequence[float]) -> tuple[int, ...]:
    """How many fall into each second after the first of them."""
    if not moments:
        return ()
    counted = Counter(floor(moment - moments[0]) for moment in moments)
    return tuple(counted[second] for second in range(max(counted) + 1))


class Line(BaseModel):
    """y = start + slope * x."""

    model_config = ConfigDict(frozen=True)

    start: float
    slope: float

    @classmethod
    def through(cls, points: Iterable[tuple[float, float]]) -> Self:
        """The line with the least squares; level if all points lie above one x."""
        known = list(points)
        middle_x = sum(x for x, _ in known) / len(known)
        middle_y = sum(y for _, y in known) / len(known)
        spread = sum((x - middle_x) ** 2 for x, _ in known)
        common = sum((x - middle_x) * (y - middle_y) for x, y in known)
        slope = common / spread if spread else 0.0
        return cls(start=middle_y - slope * middle_x, slope=slope)
