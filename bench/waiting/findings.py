"""What was found about waiting: memory and CPU by the number that wait, calls by their moments."""

from collections.abc import Callable
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from bench.measurement import Findings
from bench.waiting.pressure import Line, bucket, busiest

TEN: Final = 10  # seconds: long enough for a burst to be spread


class Window(BaseModel):
    """A while in which nothing was started: CPU seconds of each part, calls at Antom."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    calls: int
    worker_cpu: float
    server_cpu: float


class Holding(BaseModel):
    """Bytes of memory for so many refunds; Temporal's database is part of its memory."""

    model_config = ConfigDict(frozen=True)

    refunds: int
    worker: int
    server: int


class Level(BaseModel):
    """So many stood in processing, of those that were started; `filling` is seconds till then."""

    model_config = ConfigDict(frozen=True)

    waiting: int
    held: Holding
    filling: float
    windows: tuple[Window, ...]


class Pressure(BaseModel):
    """How hard Antom was called.

    `fastest_second` and `fastest_ten` are the most calls within any second and any ten. `bucket`
    is the smallest token bucket, refilled at the limit, out of which all could have been paid.
    """

    model_config = ConfigDict(frozen=True)

    calls: int
    fastest_second: int
    fastest_ten: int
    bucket: float

    @classmethod
    def of(cls, moments: list[float], limit: float) -> Self:
        """Of calls at these moments, in order, that were limited to so many a second."""
        return cls(
            calls=len(moments),
            fastest_second=busiest(moments, 1),
            fastest_ten=busiest(moments, TEN),
            bucket=round(bucket(moments, limit), 1),
        )


class Rush(BaseModel):
    """After `away` seconds without a worker a new one comes, and finds all that fell due.

    `server_cpu` is what Temporal spent while nobody worked, in seconds.
    """

    model_config = ConfigDict(frozen=True)

    away: float
    server_cpu: float
    window: Window
    pressure: Pressure
    by_second: tuple[int, ...]
    held: Holding


class WaitingFindings(Findings):
    """One run from nothing to the last level, and a worker that was lost at the end.

    `history_events` and `history_bytes` are those of one refund that waits.
    """

    limit: float
    pace: float
    cached_max: int
    history_events: int
    history_bytes: int
    nothing: Level
    levels: tuple[Level, ...]
    pressure: Pressure
    by_second: tuple[int, ...]
    trace: tuple[Holding, ...]
    rush: Rush

    @property
    def last(self) -> Level:
        """The level with the most that waited."""
        return self.levels[-1]

    def cpu(self, of: Callable[[Window], float]) -> Line:
        """CPU seconds in a second, by calls in a second."""
        levels = (self.nothing, *self.levels)
        windows = [*(window for level in levels for window in level.windows), self.rush.window]
        return Line.through((w.calls / w.seconds, of(w) / w.seconds) for w in windows)

    def idle(self) -> float:
        """CPU seconds in a second of both while nothing waited."""
        windows = self.nothing.windows
        return sum(map(of_both, windows)) / sum(window.seconds for window in windows)

    def worker_within(self) -> float | None:
        """Bytes in the worker for each refund that its cache holds; None if not measured."""
        return _each([h for h in self._held() if h.refunds <= self.cached_max], _worker)

    def worker_beyond(self) -> float | None:
        """Bytes in the worker for each refund more than its cache holds; None if not measured."""
        return _each([h for h in self._held() if h.refunds >= self.cached_max], _worker)

    def server_each(self) -> float | None:
        """Bytes in Temporal's memory for each refund; None if not measured."""
        return _each(self._held(), lambda held: held.server)

    def _held(self) -> list[Holding]:
        return [level.held for level in self.levels]


def of_worker(window: Window) -> float:
    """The CPU seconds of the worker."""
    return window.worker_cpu


def of_server(window: Window) -> float:
    """The CPU seconds of Temporal."""
    return window.server_cpu


def of_both(window: Window) -> float:
    """The CPU seconds of both together."""
    return window.worker_cpu + window.server_cpu


def _worker(held: Holding) -> int:
    return held.worker


def _each(held: list[Holding], size: Callable[[Holding], int]) -> float | None:
    """What each refund adds from the first to the last of these."""
    if len(held) < 2:  # noqa: PLR2004 - a slope needs two ends
        return None
    return (size(held[-1]) - size(held[0])) / (held[-1].refunds - held[0].refunds)
