"""What processes cost, from Linux's own books: CPU time and memory, children included."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024


def cpu_seconds(*pids: int) -> float:
    """User and system time so far of these processes and all their descendants, ended ones too."""
    return sum(_spent(pid) for pid in _families(pids))


def memory_bytes(*pids: int) -> int:
    """Memory of these processes and their descendants now; what they share is counted once (PSS).

    Raises FileNotFoundError for a process that is gone.
    """
    return sum(_held(pid) for pid in _families(pids))


def _families(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        yield pid
        yield from _families(_children(pid))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _spent(pid: int) -> float:
    # After the name, which may hold blanks: utime, stime, and those of children that have ended.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _held(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * _KIB
