"""Where the storm plays: the local stack with a database on disk, several workers, bad weather."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from antom_refunds.settings import variable
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.remote import SimulatorRemote
from bench.storm.blows import worker_name
from bench.storm.schedule import PACE, Plan
from bench.storm.skies import ANSWER_TIMEOUT
from starter.ports import ANY, HOST, Ports, free_ports
from starter.stack import Stack

ROOT: Final = Path(__file__).parents[2]
MUTATION: Final = "STORM_MUTATION"
_SITE: Final = ROOT / "bench" / "storm" / "mutations" / "site"
# A log that is written ahead outlives every SIGKILL; waiting for the disk each time, which guards
# against a loss of power, would let two refunds a second through on a busy machine.
_PRAGMAS: Final = ("journal_mode=wal", "synchronous=normal")
_CALLS_PER_SECOND: Final = 500
# A mutation breaks the product's processes; what they are judged by is never broken.
_WHOLE: Final = frozenset({"temporal", "simulator"})


class Theatre(Stack):
    """The local stack as this plan wants it; `mutation` names what is broken in it on purpose."""

    plan: Plan
    worker_ports: dict[str, int]
    mutation: str = ""

    @property
    def database(self) -> Path:
        """Temporal's; it outlives every SIGKILL."""
        return self.home / "temporal.db"

    @property
    def workers(self) -> tuple[str, ...]:
        return tuple(self.worker_ports)

    def part(self, name: str) -> tuple[list[str], int]:
        port = self.worker_ports.get(name)
        return super().part(name) if port is None else ([sys.executable, "-m", "worker"], port)

    def environment_of(self, name: str) -> dict[str, str]:
        told = self.environment | {
            variable("merchants", "default", "answer_timeout"): str(ANSWER_TIMEOUT.total_seconds()),
            variable("antom_calls_per_second"): str(_CALLS_PER_SECOND),
        }
        if name in self.worker_ports:
            told[variable("health_listen")] = f"{HOST}:{self.worker_ports[name]}"
        if self.mutation and name not in _WHOLE:
            told |= {MUTATION: self.mutation, "PYTHONPATH": f"{_SITE}{os.pathsep}{ROOT}"}
        return told

    def temporal_command(self) -> list[str]:
        pragmas = [word for pragma in _PRAGMAS for word in ("--sqlite-pragma", pragma)]
        return [*super().temporal_command(), "--db-filename", str(self.database), *pragmas]

    def simulator_config(self) -> SimulatorConfig:
        usual = super().simulator_config()
        told = {"weather": self.plan.weather, "signs_gate_refusals": False}
        return usual.model_copy(update=told)


@asynccontextmanager
async def playing(plan: Plan, home: Path, *, mutation: str = "") -> AsyncIterator[Theatre]:
    """All processes while inside, with the plan's payments and scripts at Antom.

    Raises SettingsError if one does not start.
    """
    workers = [worker_name(number) for number in range(plan.shape.workers)]
    ports = free_ports([ANY] * (5 + len(workers)))
    theatre = Theatre.fresh(home, Ports(*ports[:5]), pace=PACE)
    theatre.plan = plan
    theatre.mutation = mutation
    theatre.worker_ports = dict(zip(workers, ports[5:], strict=True))
    async with AsyncExitStack() as ending:
        ending.push_async_callback(theatre.stop_all)
        await asyncio.gather(theatre.start("temporal"), theatre.start("simulator"))
        await asyncio.gather(*(theatre.start(name) for name in ("webhook", *workers)))
        await _set_up(theatre)
        yield theatre


async def _set_up(theatre: Theatre) -> None:
    async with SimulatorRemote(theatre.simulator_url) as antom:
        await antom.wait_until_ready()
        await antom.add_payments(*theatre.plan.payments)
        for order in theatre.plan.elsewhere:
            await antom.refund_elsewhere(order)
        await antom.script(*theatre.plan.scripts)
