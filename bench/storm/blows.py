"""What is done to our own processes, and when: drawn from the seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict

from bench.storm.shape import Seconds, Shape


class BlowKind(StrEnum):
    """What happens to processes; the names stand in the verdict."""

    WORKER_KILLED = "worker killed"
    WORKERS_KILLED = "all standing workers killed at once"
    WORKER_PAUSED = "worker paused"
    WEBHOOK_KILLED = "webhook killed"
    WEBHOOK_AWAY = "webhook away"
    TEMPORAL_KILLED = "temporal killed"
    ANTOM_HANGS = "antom hangs"
    CALLER_KILLED = "caller killed"


class Blow(BaseModel):
    """From `at`, for `lasts`, these processes are gone or stand still."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Seconds
    kind: BlowKind
    targets: tuple[str, ...]
    lasts: Seconds

    @property
    def until(self) -> float:
        return self.at + self.lasts


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow that really fell, from when to when, in seconds after the storm's beginning."""

    kind: BlowKind
    targets: tuple[str, ...]
    since: float
    until: float


PAUSES: Final = frozenset({BlowKind.WORKER_PAUSED, BlowKind.ANTOM_HANGS})
# The time from SIGKILL to the restart: from a supervisor's moment to a machine's.
_LASTS: Final = {
    BlowKind.WORKER_KILLED: (0.2, 2.0),
    BlowKind.WORKERS_KILLED: (0.2, 1.0),
    BlowKind.WEBHOOK_KILLED: (0.1, 0.3),
    BlowKind.WEBHOOK_AWAY: (2.0, 5.0),
    BlowKind.TEMPORAL_KILLED: (0.2, 1.5),
    BlowKind.ANTOM_HANGS: (1.0, 4.0),
    BlowKind.CALLER_KILLED: (0.2, 1.0),
}
_ONLY: Final = {
    BlowKind.TEMPORAL_KILLED: "temporal",
    BlowKind.ANTOM_HANGS: "simulator",
    BlowKind.WEBHOOK_KILLED: "webhook",
    BlowKind.WEBHOOK_AWAY: "webhook",
}
# A process that was started again is not struck before it can have come up.
_RECOVERY: Final = 3.0
_FIRST: Final = 1.0


def worker_name(number: int) -> str:
    return f"worker-{number}"


def caller_name(number: int) -> str:
    return f"caller-{number}"


def drawn_blows(shape: Shape, dice: Random) -> tuple[Blow, ...]:
    """Blows until `shape.striking`: no process twice at once, each kind before any comes again."""
    blows: list[Blow] = []
    free_from: dict[str, float] = {}
    at = _FIRST
    kinds = _in_turn(dice)
    while at <= shape.striking:
        blow = _blow(next(kinds), at, shape, free_from, dice)
        free_from |= dict.fromkeys(blow.targets, blow.until + _RECOVERY)
        blows.append(blow)
        at += dice.uniform(*shape.gap)
    return tuple(blow for blow in blows if blow.at <= shape.striking)


def _in_turn(dice: Random) -> Iterator[BlowKind]:
    while True:
        kinds = list(BlowKind)
        dice.shuffle(kinds)
        yield from kinds


def _blow(
    kind: BlowKind, at: float, shape: Shape, free_from: Mapping[str, float], dice: Random
) -> Blow:
    """At this moment, or as soon as one of those it may strike stands again."""
    candidates = _candidates(kind, shape)
    start = max(at, min(free_from.get(each, 0.0) for each in candidates))
    standing = [each for each in candidates if free_from.get(each, 0.0) <= start]
    targets = standing if kind is BlowKind.WORKERS_KILLED else [dice.choice(standing)]
    return Blow(at=start, kind=kind, targets=tuple(targets), lasts=_lasts(kind, shape, dice))


def _candidates(kind: BlowKind, shape: Shape) -> list[str]:
    if kind is BlowKind.CALLER_KILLED:
        return [caller_name(number) for number in range(shape.callers)]
    if kind in _ONLY:
        return [_ONLY[kind]]
    return [worker_name(number) for number in range(shape.workers)]


def _lasts(kind: BlowKind, shape: Shape, dice: Random) -> float:
    if kind is BlowKind.WORKER_PAUSED:
        return shape.pause
    return dice.uniform(*_LASTS[kind])
