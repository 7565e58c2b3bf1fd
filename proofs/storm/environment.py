"""The processes of a storm: the local stack with a database on disk and several workers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from antom_refunds.settings import env_name
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.control_client import SimulatorClient
from proofs.storm.antom_faults import RESPONSE_TIMEOUT
from proofs.storm.process_faults import worker_names
from proofs.storm.schedule import SPEEDUP, Plan
from starter.module_command import module_command
from starter.stack import Stack
from starter.tcp_ports import ANY_PORT, HOST, Ports, find_free_ports

ROOT: Final = Path(__file__).parents[2]
MUTATION: Final = "STORM_MUTATION"
_SITE: Final = ROOT / "proofs" / "storm" / "site"
# A write-ahead log survives every SIGKILL; syncing each commit, which protects against a loss of
# power, would limit a busy machine to two refunds a second.
_PRAGMAS: Final = ("journal_mode=wal", "synchronous=normal")
_CALLS_PER_SECOND: Final = 500
# A mutation breaks the product's processes, and never what they are checked with.
_NEVER_MUTATED: Final = frozenset({"temporal", "simulator"})


class StormStack(Stack):
    """The local stack for this plan; `mutation` names what is broken in it on purpose."""

    plan: Plan
    worker_ports: dict[str, int]
    mutation: str = ""

    def process_spec(self, name: str) -> tuple[list[str], int]:
        port = self.worker_ports.get(name)
        return super().process_spec(name) if port is None else (module_command("worker"), port)

    def environment_of(self, name: str) -> dict[str, str]:
        settings = self.environment | {
            env_name("merchants", "default", "response_timeout"): str(
                RESPONSE_TIMEOUT.total_seconds()
            ),
            env_name("antom_calls_per_second"): str(_CALLS_PER_SECOND),
        }
        if name in self.worker_ports:
            settings[env_name("health_listen")] = f"{HOST}:{self.worker_ports[name]}"
        if self.mutation and name not in _NEVER_MUTATED:
            settings |= {MUTATION: self.mutation, "PYTHONPATH": f"{_SITE}{os.pathsep}{ROOT}"}
        return settings

    def temporal_command(self) -> list[str]:
        pragmas = [word for pragma in _PRAGMAS for word in ("--sqlite-pragma", pragma)]
        database = str(self.home / "temporal.db")
        return [*super().temporal_command(), "--db-filename", database, *pragmas]

    def simulator_config(self) -> SimulatorConfig:
        changes = {"random_faults": self.plan.random_faults, "signs_gate_refusals": False}
        return super().simulator_config().model_copy(update=changes)


@asynccontextmanager
async def running(plan: Plan, home: Path, *, mutation: str = "") -> AsyncIterator[StormStack]:
    """All processes while inside; Antom has the plan's payments and scripts.

    Raises SettingsError if a process does not start.
    """
    workers = worker_names(plan.size)
    ports = find_free_ports([ANY_PORT] * (5 + len(workers)))
    stack = StormStack.create(home, Ports(*ports[:5]), speedup=SPEEDUP)
    stack.plan = plan
    stack.mutation = mutation
    stack.worker_ports = dict(zip(workers, ports[5:], strict=True))
    async with AsyncExitStack() as exit_stack:
        exit_stack.push_async_callback(stack.stop_all)
        await asyncio.gather(stack.start("temporal"), stack.start("simulator"))
        await asyncio.gather(*(stack.start(name) for name in ("webhook", *workers)))
        async with SimulatorClient(stack.simulator_url) as antom:
            await antom.wait_until_ready()
            await antom.add_payments(*plan.payments)
            for refund in plan.refunds_elsewhere:
                await antom.add_external_refund(refund)
            await antom.add_scripts(*plan.scripts)
        yield stack
