"""Which of our own processes fail, how, and when: drawn from the seed."""

from collections.abc import Iterator
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


PAUSES: Final = frozenset({ProcessFaultKind.WORKER_PAUSED, ProcessFaultKind.ANTOM_HANGS})
# What each kind hits, and for how many seconds: from SIGKILL to the restart it is as quick as a
# supervisor, or as slow as a new machine. How long workers pause depends on the size.
_KINDS: Final = {
    ProcessFaultKind.WORKER_KILLED: ("worker", (0.2, 2.0)),
    ProcessFaultKind.WORKERS_KILLED: ("worker", (0.2, 1.0)),
    ProcessFaultKind.WORKER_PAUSED: ("worker", None),
    ProcessFaultKind.WEBHOOK_KILLED: ("webhook", (0.1, 0.3)),
    ProcessFaultKind.WEBHOOK_UNAVAILABLE: ("webhook", (2.0, 5.0)),
    ProcessFaultKind.TEMPORAL_KILLED: ("temporal", (0.2, 1.5)),
    ProcessFaultKind.ANTOM_HANGS: ("simulator", (1.0, 4.0)),
    ProcessFaultKind.CALLER_KILLED: ("caller", (0.2, 1.0)),
}
# A restarted process has time to come up before its next fault.
_RECOVERY: Final = 3.0
_FIRST: Final = 1.0


def names_of(process: str, size: StormSize) -> list[str]:
    """All processes of this kind: of workers and callers there are several."""
    count = {"worker": size.workers, "caller": size.callers}.get(process)
    return [process] if count is None else [f"{process}-{number}" for number in range(count)]


def draw_process_faults(size: StormSize, dice: Random) -> tuple[ProcessFault, ...]:
    """Faults within `size.fault_seconds`: each kind once before any repeats, never two of one
    process at the same time."""
    faults: list[ProcessFault] = []
    free_from: dict[str, float] = {}
    at, kinds = _FIRST, _shuffled_kinds(dice)
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
    kind: ProcessFaultKind, at: float, size: StormSize, free_from: dict[str, float], dice: Random
) -> ProcessFault:
    """At this time, or as soon as one of the possible targets is up again."""
    process, duration = _KINDS[kind]
    free = {each: free_from.get(each, 0.0) for each in names_of(process, size)}
    start = max(at, min(free.values()))
    running = [each for each, since in free.items() if since <= start]
    is_for_all = kind is ProcessFaultKind.WORKERS_KILLED
    targets = running if is_for_all else [dice.choice(running)]
    lasts = size.pause_seconds if duration is None else dice.uniform(*duration)
    return ProcessFault(at=start, kind=kind, targets=tuple(targets), lasts=lasts)
