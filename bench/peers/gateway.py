"""Antom for one run: a simulator of its own in a process of its own, which knows the job."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from antom_refunds.simulator.records import LedgerView
from antom_refunds.simulator.remote import SimulatorRemote
from bench.peers.peer import Antom
from bench.peers.script import CLIENT_ID, PACE, Job
from bench.stage import QuickStack
from starter.keys import write_pair
from starter.merchants import Merchant
from starter.ports import ANY, Ports, free_ports

_SIMULATOR: Final = "simulator"


@dataclass(frozen=True, slots=True)
class Gateway:
    """What competitors are told of it, and what only the judge sees."""

    antom: Antom
    pid: int
    _remote: SimulatorRemote

    async def ledger(self) -> LedgerView:
        """Everything that happened so far."""
        return await self._remote.ledger()

    async def learn(self, job: Job) -> None:
        """Have it know the job's payments, and what goes wrong about each refund."""
        await self._remote.add_payments(*job.payments)
        await self._remote.script(*job.scripts)


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Gateway]:
    """It runs while inside; raises SettingsError if it does not start."""
    stack = _stack(folder)
    try:
        await stack.start(_SIMULATOR)
        async with SimulatorRemote(stack.simulator_url) as remote:
            yield Gateway(_told_of(stack), stack.pid_of(_SIMULATOR), remote)
    finally:
        await stack.stop_all()


def _stack(home: Path) -> QuickStack:
    (home / "logs").mkdir(parents=True)
    write_pair(home / "keys", "antom")
    merchant = Merchant("default", CLIENT_ID, *write_pair(home / "keys", "merchant"))
    return QuickStack(home, Ports(*free_ports([ANY] * 5)), PACE, (merchant,))


def _told_of(stack: QuickStack) -> Antom:
    merchant = stack.merchants["default"]
    return Antom(
        gateway=stack.simulator_url,
        client_id=merchant.client_id,
        private_key=merchant.private_key,
        antom_public_key=stack.home / "keys" / "antom-public.pem",
        notify_port=stack.ports.webhook,
        notify_path=urlsplit(stack.notify_url).path,
        pace=stack.pace,
    )
