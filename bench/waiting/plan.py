"""How far a run goes, and how long."""

from dataclasses import dataclass
from typing import Final

_CACHED_MAX: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How far and how long, in seconds; `limit` is calls at Antom a second.

    No refund is started later than `filling_max` after the first, rests at the levels included.

    A `pace` below 1 stretches the waits: a crowd that has waited for long polls rarely, and this
    one has only minutes to grow.
    """

    levels: tuple[int, ...]
    limit: int
    pace: float
    cached_max: int
    filling_max: float
    window: float
    windows: int
    away: float
    rush: float


FULL: Final = Plan(
    levels=(1_000, _CACHED_MAX, 10_000, 20_000),
    limit=100,
    pace=1 / 60,
    cached_max=_CACHED_MAX,
    filling_max=510,
    window=15,
    windows=2,
    away=60,
    rush=45,
)
QUICK: Final = Plan(
    levels=(200, 400, 600),
    limit=50,
    pace=1,
    cached_max=400,
    filling_max=30,
    window=3,
    windows=1,
    away=8,
    rush=8,
)
