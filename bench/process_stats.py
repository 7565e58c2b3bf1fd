"""CPU time and memory of processes, as Linux counts them, children included."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TRIES: Final = 5


def cpu_by_process(pids: Mapping[str, int], *, own: str) -> dict[str, float]:
    """CPU seconds so far by name, with those of this process as `own`."""
    return {**{name: cpu_seconds(pid) for name, pid in pids.items()}, own: process_time()}


def cpu_seconds(pid: int) -> float:
    """User and system time so far of this process and its descendants, ended ones too.

    Raises FileNotFoundError for a process that does not exist.
    """
    for _ in range(_TRIES):  # a thread or a child may end while it is read
        try:
            return sum(map(_cpu, with_descendants([pid])))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sum(map(_cpu, with_descendants([pid])))


def memory_bytes(pid: int) -> int:
    """Memory of this process and its descendants; what they share counts once (PSS)."""
    return sum(map(_memory, with_descendants([pid])))


def with_descendants(pids: Iterable[int]) -> Iterator[int]:
    """These processes, their children, and so on."""
    for pid in pids:
        yield pid
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        yield from with_descendants(map(int, children))


def _cpu(pid: int) -> float:
    # After the name, which may contain blanks: utime, stime, and those of ended children.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
