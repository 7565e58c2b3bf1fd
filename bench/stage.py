"""Where measurements take place: the local stack, without the limit that protects Antom."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from antom_refunds.domain.money import Money
from antom_refunds.settings import variable
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.remote import SimulatorRemote
from starter.ports import usual_ports
from starter.stack import Stack, alone, inherited_environment

ROOT: Final = Path(__file__).parents[1]
EVERYTHING: Final = ("temporal", "simulator", "webhook", "worker")
# A log that is written ahead outlives every SIGKILL, as a database of production would.
_PRAGMAS: Final = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal")
_UNLIMITED: Final = "10000"  # the most that the setting allows
_AT_A_TIME: Final = 500  # as many as the simulator takes in one message


class QuickStack(Stack):
    """The local stack without a rate limit; Temporal's database stands on disk if told where."""

    database: Path | None = None
    told: dict[str, str] = {}  # noqa: RUF012 - settings of our processes, replaced as a whole

    def environment_of(self, name: str) -> dict[str, str]:
        usual = super().environment_of(name)
        return {**usual, variable("antom_calls_per_second"): _UNLIMITED, **self.told}

    def temporal_command(self) -> list[str]:
        usual = super().temporal_command()
        return [*usual, "--db-filename", str(self.database), *_PRAGMAS] if self.database else usual

    @property
    def client_id(self) -> str:
        """The account at Antom whose refunds are measured."""
        return self.merchants["default"].client_id


@asynccontextmanager
async def standing(
    *parts: str, pace: float = 1, on_disk: bool = False, told: dict[str, str] | None = None
) -> AsyncIterator[QuickStack]:
    """These parts of the stack while inside, all of them if none is named."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as ending:
            async with alone():
                stack = QuickStack.fresh(Path(folder) / "stack", usual_ports(), pace=pace)
                stack.database = stack.home / "temporal.db" if on_disk else None
                stack.told = told or {}
                ending.push_async_callback(stack.stop_all)
                for name in parts or EVERYTHING:
                    await stack.start(name)
            yield stack


@asynccontextmanager
async def beside(stack: Stack, *arguments: str) -> AsyncIterator[Process]:
    """`python -m ARGUMENTS` while inside, told what the stack's own processes are told."""
    with (stack.home / "logs" / f"{arguments[0]}.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments,
            stdin=DEVNULL, stdout=output, stderr=output, cwd=ROOT, start_new_session=True,
            env={**inherited_environment(), **stack.environment_of(arguments[0])},
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def open_payments(stack: QuickStack, *payment_ids: str, **manner: object) -> None:
    """Payments large enough for every refund; `manner` is what a simulated payment takes."""
    told = {"client_id": stack.client_id, "amount": Money(currency="EUR", minor=10**9), **manner}
    payments = [
        Payment.model_validate({"payment_id": payment_id, **told}) for payment_id in payment_ids
    ]
    async with SimulatorRemote(stack.simulator_url) as antom:
        for first in range(0, len(payments), _AT_A_TIME):
            await antom.add_payments(*payments[first : first + _AT_A_TIME])


async def open_payment(stack: QuickStack, payment_id: str, **manner: object) -> None:
    """One such payment."""
    await open_payments(stack, payment_id, **manner)
