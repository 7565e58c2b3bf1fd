"""How measured numbers are summarised: percentiles within a run, medians over repeated runs."""

from collections.abc import Iterable
from math import ceil
from statistics import median
from typing import Self

from pydantic import BaseModel, ConfigDict


class Percentiles(BaseModel):
    """Median, 99th percentile and maximum of some numbers; all 0 if there are none."""

    model_config = ConfigDict(frozen=True)

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


class MedianRange(BaseModel):
    """One number measured several times: minimum, median, maximum."""

    model_config = ConfigDict(frozen=True)

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Self:
        """Raises ValueError if nothing was measured."""
        measured = list(numbers)
        return cls(least=min(measured), median=median(measured), most=max(measured))
