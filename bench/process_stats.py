"""CPU time and memory of processes, as Linux counts them, children included."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TRIES: Final = 5


def cpu_meter(pids: Mapping[str, int], own: str) -> Callable[[], dict[str, float]]:
    """A function that returns the CPU seconds of these processes since now, by name.

    Those of this process are `own`.
    """

    def read() -> dict[str, float]:
        return {name: _cpu_seconds(pid) for name, pid in pids.items()} | {own: process_time()}

    before = read()
    return lambda: {name: round(now - before[name], 4) for name, now in read().items()}


def memory_bytes(pid: int) -> int:
    """Memory of this process and its descendants; what they share counts once (PSS)."""
    return sum(map(_memory, with_descendants(pid)))


def with_descendants(pid: int) -> Iterator[int]:
    """This process, its children, their children, and so on."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from with_descendants(int(child))


def _cpu_seconds(pid: int) -> float:
    """Ended children count too. Raises FileNotFoundError for a process that does not exist."""
    for _ in range(_TRIES):  # a thread or a child may end while it is read
        with suppress(FileNotFoundError, ProcessLookupError):
            return sum(map(_cpu, with_descendants(pid)))
    return sum(map(_cpu, with_descendants(pid)))


def _cpu(pid: int) -> float:
    # After the name, which may contain blanks: utime, stime, and those of ended children.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
