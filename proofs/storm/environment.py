"""The processes of a storm: the local stack with a database on disk, several workers, callers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from antom_refunds.settings import env_name
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.control_client import SimulatorClient
from bench.environment import ROOT, on_disk
from proofs.storm.antom_faults import RESPONSE_TIMEOUT
from proofs.storm.caller import CallerRecord, records_in
from proofs.storm.plan import Plan
from proofs.storm.schedule import SPEEDUP
from starter.module_command import module_command
from starter.stack import Stack
from starter.tcp_ports import ANY_PORT, HOST, Ports, find_free_ports

MUTATION: Final = "STORM_MUTATION"
_SITE: Final = ROOT / "proofs" / "storm" / "site"
_CALLS_PER_SECOND: Final = 500
_FINISH_LIMIT: Final = timedelta(seconds=5)
# A mutation breaks the product's processes, and never what they are checked with.
_NEVER_MUTATED: Final = frozenset({"temporal", "simulator"})


class StormStack(Stack):
    """The local stack for this plan; `mutation` names what is broken in it on purpose.

    `started_at` is the storm's start, in seconds of the epoch.
    """

    plan: Plan
    worker_ports: dict[str, int]
    callers: list[str]
    mutation: str = ""
    started_at: float = 0

    async def start(self, name: str) -> None:
        if name not in self.callers:
            return await super().start(name)
        path, number = self.home / "plan.json", self.callers.index(name)
        path.write_text(self.plan.model_dump_json())
        arguments = map(str, (path, number, self.started_at, self._records_of(name)))
        command, log = module_command("proofs.storm.caller", *arguments), f"{name}.log"
        self._processes[name] = await self._spawn(name, command, self.home / "logs" / log)
        return None

    def process_spec(self, name: str) -> tuple[list[str], int]:
        if name in self.worker_ports:
            return super().process_spec("worker")[0], self.worker_ports[name]
        return super().process_spec(name)

    def environment_of(self, name: str) -> dict[str, str]:
        timeout = env_name("merchants", "default", "response_timeout")
        settings = self.environment | {timeout: str(RESPONSE_TIMEOUT.total_seconds())}
        settings[env_name("antom_calls_per_second")] = str(_CALLS_PER_SECOND)
        if name in self.worker_ports:
            settings[env_name("health_listen")] = f"{HOST}:{self.worker_ports[name]}"
        if name not in _NEVER_MUTATED:
            settings["PYTHONPATH"] = f"{_SITE}{os.pathsep}{ROOT}"
            settings |= {MUTATION: self.mutation} if self.mutation else {}
        return settings

    def temporal_command(self) -> list[str]:
        return on_disk(super().temporal_command(), self.home / "temporal.db")

    def simulator_config(self) -> SimulatorConfig:
        changes = {"random_faults": self.plan.random_faults, "signs_gate_refusals": False}
        return super().simulator_config().model_copy(update=changes)

    async def finish_callers(self) -> None:
        """Give callers time to read the last outcomes, then kill callers that still wait."""
        callers = [name for name in self.callers if name in self._processes]
        waiting = [asyncio.create_task(self._processes[name].wait()) for name in callers]
        if waiting:
            await asyncio.wait(waiting, timeout=_FINISH_LIMIT.total_seconds())
        for name in callers:
            self.kill(name)
        await asyncio.gather(*waiting)

    def records(self) -> list[CallerRecord]:
        """What all callers recorded so far."""
        return [each for name in self.callers for each in records_in(self._records_of(name))]

    def _records_of(self, name: str) -> Path:
        return self.home / f"{name}.jsonl"


@asynccontextmanager
async def running(plan: Plan, home: Path, *, mutation: str = "") -> AsyncIterator[StormStack]:
    """All processes but the callers while inside; Antom has the plan's payments and scripts.

    Raises SettingsError if a process does not start.
    """
    workers = plan.size.processes("worker")
    ports = find_free_ports([ANY_PORT] * (5 + len(workers)))
    stack = StormStack.create(home, Ports(*ports[:5]), speedup=SPEEDUP)
    stack.plan, stack.mutation = plan, mutation
    stack.worker_ports = dict(zip(workers, ports[5:], strict=True))
    stack.callers = plan.size.processes("caller")
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
