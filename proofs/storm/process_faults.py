"""Which of our own processes fail, how, and when: drawn from the seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from proofs.storm.sizes import Seconds, StormModel, StormSize


class ProcessFaultKind(StrEnum):
    """What happens to processes; the values appear in the report."""

    WORKER_KILLED = "worker killed"
    WORKERS_KILLED = "all running workers killed"
    WORKER_PAUSED = "worker paused"
    WEBHOOK_KILLED = "webhook killed"
    WEBHOOK_UNAVAILABLE = "webhook unavailable"
    TEMPORAL_KILLED = "temporal killed"
    ANTOM_HANGS = "antom hangs"
    CALLER_KILLED = "caller killed"


class ProcessFault(StormModel):
    """From `at`, for `lasts`, these processes are dead or paused."""

    at: Seconds
    kind: ProcessFaultKind
    targets: tuple[str, ...]
    lasts: Seconds

    @property
    def until(self) -> float:
        return self.at + self.lasts


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A process fault that happened; times in seconds after the storm's start."""

    kind: ProcessFaultKind
    targets: tuple[str, ...]
    since: float
    until: float


PAUSES: Final = frozenset({ProcessFaultKind.WORKER_PAUSED, ProcessFaultKind.ANTOM_HANGS})
# Seconds from SIGKILL to the restart: as quick as a supervisor, or as slow as a new machine.
_DURATIONS: Final = {
    ProcessFaultKind.WORKER_KILLED: (0.2, 2.0),
    ProcessFaultKind.WORKERS_KILLED: (0.2, 1.0),
    ProcessFaultKind.WEBHOOK_KILLED: (0.1, 0.3),
    ProcessFaultKind.WEBHOOK_UNAVAILABLE: (2.0, 5.0),
    ProcessFaultKind.TEMPORAL_KILLED: (0.2, 1.5),
    ProcessFaultKind.ANTOM_HANGS: (1.0, 4.0),
    ProcessFaultKind.CALLER_KILLED: (0.2, 1.0),
}
_ONLY_TARGET: Final = {
    ProcessFaultKind.TEMPORAL_KILLED: "temporal",
    ProcessFaultKind.ANTOM_HANGS: "simulator",
    ProcessFaultKind.WEBHOOK_KILLED: "webhook",
    ProcessFaultKind.WEBHOOK_UNAVAILABLE: "webhook",
}
# A restarted process has time to come up before its next fault.
_RECOVERY: Final = 3.0
_FIRST: Final = 1.0


def worker_names(size: StormSize) -> list[str]:
    return [f"worker-{number}" for number in range(size.workers)]


def caller_names(size: StormSize) -> list[str]:
    return [f"caller-{number}" for number in range(size.callers)]


def draw_process_faults(size: StormSize, dice: Random) -> tuple[ProcessFault, ...]:
    """Faults within `size.fault_seconds`: each kind once before any repeats, never two of one
    process at the same time."""
    faults: list[ProcessFault] = []
    free_from: dict[str, float] = {}
    at = _FIRST
    kinds = _shuffled_kinds(dice)
    while at <= size.fault_seconds:
        fault = _draw_one(next(kinds), at, size, free_from, dice)
        free_from |= dict.fromkeys(fault.targets, fault.until + _RECOVERY)
        faults.append(fault)
        at += dice.uniform(*size.fault_gap)
    return tuple(fault for fault in faults if fault.at <= size.fault_seconds)


def _shuffled_kinds(dice: Random) -> Iterator[ProcessFaultKind]:
    while True:
        kinds = list(ProcessFaultKind)
        dice.shuffle(kinds)
        yield from kinds


def _draw_one(
    kind: ProcessFaultKind,
    at: float,
    size: StormSize,
    free_from: Mapping[str, float],
    dice: Random,
) -> ProcessFault:
    """At this time, or as soon as one of the possible targets is up again."""
    candidates = _candidates(kind, size)
    start = max(at, min(free_from.get(each, 0.0) for each in candidates))
    running = [each for each in candidates if free_from.get(each, 0.0) <= start]
    is_for_all = kind is ProcessFaultKind.WORKERS_KILLED
    targets = running if is_for_all else [dice.choice(running)]
    is_pause = kind is ProcessFaultKind.WORKER_PAUSED
    lasts = size.pause_seconds if is_pause else dice.uniform(*_DURATIONS[kind])
    return ProcessFault(at=start, kind=kind, targets=tuple(targets), lasts=lasts)


def _candidates(kind: ProcessFaultKind, size: StormSize) -> list[str]:
    if kind is ProcessFaultKind.CALLER_KILLED:
        return caller_names(size)
    return [_ONLY_TARGET[kind]] if kind in _ONLY_TARGET else worker_names(size)
