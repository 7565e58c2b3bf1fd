"""Refunds on a running stack, and the command line in this process and in processes."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from antom_refunds.client import RefundClient
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.views import RefundView
from starter.cli import run
from starter.stack import Stack, inherited_environment

COMMAND: Final = str(Path(sys.executable).with_name("antom-refunds"))
# Only a test that hangs reaches this limit.
TEST_TIMEOUT: Final = timedelta(seconds=60)
# Longer than any test: this bank never settles.
NEVER: Final = timedelta(days=10_000)
BY: Final = ("--by", "ops", "--reason", "the buyer called")

_POLL_SECONDS: Final = 0.02
MARK: Final = "STARTER_TEST_MARK"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code of a command and its output."""

    code: int | None
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The only line of output, on standard error."""
        line, *more = self.err.splitlines()
        assert not more, self.err
        assert not self.out
        return line.removeprefix("antom-refunds: ")


class Cli:
    """The command line in this process, in its own thread because it runs its own event loop."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *tokens: str) -> CommandResult:
        self._capsys.readouterr()
        code = await asyncio.to_thread(run, list(tokens))
        return CommandResult(code, *self._capsys.readouterr())


class Processes:
    """Starts real processes; a variable in their environment marks them and their children."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.mark = uuid4().hex
        self._environment = {**inherited_environment(), **environment, MARK: self.mark}

    async def start(self, *tokens: str, **environment: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *tokens,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.folder,
            env={**self._environment, "PYTHONUNBUFFERED": "1", **environment},
        )

    async def run(self, *tokens: str, **environment: str) -> CommandResult:
        """Run `antom-refunds` with these tokens."""
        return await ended(await self.start(COMMAND, *tokens, **environment))

    def running(self) -> list[int]:
        """The process ids of all marked processes that still run."""
        mark = f"{MARK}={self.mark}".encode()
        return [int(each.name) for each in Path("/proc").glob("[0-9]*") if _has_mark(each, mark)]

    def with_argument(self, argument: str) -> int:
        """The process id of the process with this argument."""
        [found] = [pid for pid in self.running() if argument in _arguments(pid)]
        return found

    def clear(self) -> None:
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)


async def ended(process: Process) -> CommandResult:
    """Wait for the end of the process; its exit code and output."""
    async with asyncio.timeout(2 * TEST_TIMEOUT.total_seconds()):
        out, err = await process.communicate()
    return CommandResult(process.returncode, out.decode(), err.decode())


async def read_until(process: Process, text: str) -> str:
    """The output of the process up to the line with this text."""
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while text not in output:
            line = await process.stdout.readline()
            assert line, f"the process ended: {output}"
            output += line.decode()
    return output


def _arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _has_mark(process: Path, mark: bytes) -> bool:
    try:
        return mark in (process / "environ").read_bytes()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class SampleRefunds:
    """Adds payments to the simulator and refunds them."""

    stack: Stack
    refunds: RefundClient
    antom: SimulatorClient

    async def order(self, *, merchant: str = "default", **payment: Any) -> RefundOrder:
        """An order with new ids; its payment is added to the simulator."""
        own = uuid4().hex[:12]
        order = RefundOrder(
            refund_request_id=f"rf_{own}",
            payment_id=f"pay_{own}",
            amount=Money(currency="EUR", minor=1250),
            merchant=merchant,
        )
        fields: Mapping[str, Any] = {
            "payment_id": order.payment_id,
            "client_id": self.stack.merchants[merchant].client_id,
            "amount": Money(currency="EUR", minor=10_000),
            **payment,
        }
        await self.antom.add_payments(Payment.model_validate(fields))
        return order

    async def ended(self, **payment: Any) -> RefundOrder:
        """A refund that has succeeded."""
        order = await self.order(**payment)
        await self.refunds.start(order)
        assert await self.refunds.outcome(order.refund_request_id, wait=TEST_TIMEOUT)
        return order

    async def pending(self) -> RefundOrder:
        """A refund that a slow bank processes."""
        order = await self.order(is_async=True, settle_after=NEVER)
        await self.refunds.start(order)
        await self.until(order, lambda view: view.state is RefundState.PROCESSING)
        return order

    async def blocked(self) -> RefundOrder:
        """A refund of the merchant that signs with a wrong key."""
        order = await self.order(merchant="kiosk")
        await self.refunds.start(order)
        await self.until(order, lambda view: view.state is RefundState.BLOCKED)
        return order

    async def view(self, order: RefundOrder) -> RefundView:
        return await self.refunds.describe(order.refund_request_id, merchant=order.merchant)

    async def until(self, order: RefundOrder, condition: Callable[[RefundView], bool]) -> None:
        """Wait until the refund's view meets this condition; Temporal has no event for it."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while not condition(await self.view(order)):  # noqa: ASYNC110 - see above
                await asyncio.sleep(_POLL_SECONDS)

    async def until_listed(self, order: RefundOrder, state: RefundState) -> None:
        """Wait until the list, which may lag, shows the refund in this state."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while not await self._is_listed(order, state):  # noqa: ASYNC110 - see above
                await asyncio.sleep(_POLL_SECONDS)

    async def _is_listed(self, order: RefundOrder, state: RefundState) -> bool:
        found = self.refunds.list(payment_id=order.payment_id, state=state)
        return bool([view async for view in found])
