"""What measurements run on: the local stack without the rate limit that protects Antom."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from antom_refunds.domain.money import Money
from antom_refunds.settings import env_name
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.control_client import SimulatorClient
from starter.stack import Stack, inherited_environment, startup_lock
from starter.tcp_ports import default_ports

ROOT: Final = Path(__file__).parents[1]
CONCURRENCY: Final = 40
# A write-ahead log survives every SIGKILL; syncing each commit, which protects against a loss of
# power, would limit a busy machine to two refunds a second.
_PRAGMAS: Final = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal")
_UNLIMITED: Final = "10000"  # the most that the product accepts
_PAYMENTS_PER_REQUEST: Final = 500  # the simulator's limit
Item = TypeVar("Item")
Result = TypeVar("Result")


def on_disk(temporal: list[str], database: Path) -> list[str]:
    """The command of a Temporal server that keeps its data in this file, as in production."""
    return [*temporal, "--db-filename", str(database), *_PRAGMAS]


class UnlimitedStack(Stack):
    """The local stack without a rate limit; with `database` Temporal stores its data there."""

    database: Path | None = None
    settings: dict[str, str] = {}  # noqa: RUF012 - of our processes; replaced as a whole

    def environment_of(self, name: str) -> dict[str, str]:
        usual = super().environment_of(name)
        return {**usual, env_name("antom_calls_per_second"): _UNLIMITED, **self.settings}

    def temporal_command(self) -> list[str]:
        usual = super().temporal_command()
        return on_disk(usual, self.database) if self.database else usual

    async def add_payments(self, *payment_ids: str, **fields: object) -> None:
        """Payments large enough for every refund; `fields` override the simulated ones' fields."""
        account = self.merchants["default"].client_id
        usual = {"client_id": account, "amount": Money(currency="EUR", minor=10**9), **fields}
        payments = [Payment.model_validate({"payment_id": each, **usual}) for each in payment_ids]
        async with SimulatorClient(self.simulator_url) as antom:
            for first in range(0, len(payments), _PAYMENTS_PER_REQUEST):
                await antom.add_payments(*payments[first : first + _PAYMENTS_PER_REQUEST])


@asynccontextmanager
async def running_stack(
    *names: str, speedup: float = 1, settings: dict[str, str] | None = None
) -> AsyncIterator[UnlimitedStack]:
    """These processes of the stack while inside, all of them if none is named."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as exit_stack:
            async with startup_lock():
                stack = UnlimitedStack.create(
                    Path(folder) / "stack", default_ports(), speedup=speedup
                )
                stack.settings = settings or {}
                exit_stack.push_async_callback(stack.stop_all)
                for name in names or ("temporal", "simulator", "webhook", "worker"):
                    await stack.start(name)
            yield stack


async def spawn_module(stack: Stack, name: str, module: str, *arguments: object) -> Process:
    """`python -m MODULE ARGUMENTS` in the environment of the stack's processes; logs to NAME.log"""
    with (stack.home / "logs" / f"{name}.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *map(str, arguments),
            stdin=DEVNULL, stdout=output, stderr=output, cwd=ROOT, start_new_session=True,
            env={**inherited_environment(), **stack.environment_of(name)},
        )  # fmt: skip


@asynccontextmanager
async def sidecar(stack: Stack, module: str, *arguments: object) -> AsyncIterator[Process]:
    """The same while inside."""
    process = await spawn_module(stack, module, module, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def limited_gather(
    items: Iterable[Item], call: Callable[[Item], Awaitable[Result]], concurrency: int = CONCURRENCY
) -> list[Result]:
    """The results in the order of the items, with at most `concurrency` calls at a time."""
    limit = asyncio.Semaphore(concurrency)

    async def limited(item: Item) -> Result:
        async with limit:
            return await call(item)

    return await asyncio.gather(*map(limited, items))
