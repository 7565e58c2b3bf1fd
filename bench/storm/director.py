"""Plays the schedule: callers ask, blows fall, and then everything may come to its end."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from antom_refunds.simulator.remote import SimulatorRemote
from bench.storm.blows import PAUSES, Blow, Struck
from bench.storm.company import Company
from bench.storm.interference import Act
from bench.storm.operators import Operators
from bench.storm.schedule import Plan
from bench.storm.silence import is_silent
from bench.storm.stage import Theatre

log = logging.getLogger(__name__)

_GLANCE: Final = timedelta(seconds=0.5)
# A server that was killed lately may keep a call waiting.
_COUNT_LIMIT: Final = timedelta(seconds=5)
_OPEN: Final = "WorkflowType = 'Refund' AND ExecutionStatus = 'Running'"


@dataclass(frozen=True, slots=True)
class Director:
    """One storm under way. `say` tells whoever watches."""

    theatre: Theatre
    company: Company
    plan: Plan
    beginning: float
    say: Callable[[str], None]
    struck: list[Struck] = field(default_factory=list)
    _held: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def play(self) -> None:
        """Until every refund has ended and Antom fell silent, or the plan's patience has ended."""
        for name in self.company.names:
            await self.company.start(name)
        operators = await Operators.at(self.theatre.temporal_address)
        async with asyncio.TaskGroup() as group:
            for blow in self.plan.blows:
                group.create_task(self._deal(blow))
            for act in self.plan.acts:
                group.create_task(self._interfere(operators, act))
            await asyncio.sleep(max(0.0, self.plan.shape.asking - self._now))
        await self._until_over(operators)

    @property
    def _now(self) -> float:
        return time.time() - self.beginning

    async def _deal(self, blow: Blow) -> None:
        await asyncio.sleep(max(0.0, blow.at - self._now))
        self.say(f"{self._now:6.1f} s  {blow.kind}: {', '.join(blow.targets)}")
        since = self._now
        await asyncio.gather(*(self._strike(name, blow) for name in blow.targets))
        self.struck.append(Struck(blow.kind, blow.targets, since, self._now))

    async def _interfere(self, operators: Operators, act: Act) -> None:
        await asyncio.sleep(max(0.0, act.at - self._now))
        await operators.perform(act)

    async def _strike(self, name: str, blow: Blow) -> None:
        """One blow after another for each process, however late the one before it ended."""
        async with self._held[name]:
            if blow.kind in PAUSES:
                await self._pause(name, blow.lasts)
            elif name in self.company.names:
                await self.company.kill(name)
                await asyncio.sleep(blow.lasts)
                await self.company.start(name)
            else:
                await self._restart(name, blow.lasts)

    async def _pause(self, name: str, lasts: float) -> None:
        self.theatre.pause(name)
        try:
            await asyncio.sleep(lasts)
        finally:
            self.theatre.resume(name)

    async def _restart(self, name: str, lasts: float) -> None:
        self.theatre.kill(name)
        await self.theatre.stop(name)
        await asyncio.sleep(lasts)
        await self.theatre.start(name)

    async def _until_over(self, operators: Operators) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.shape.draining):
                await self._everything_ends(operators)
                self.say(f"{self._now:6.1f} s  every refund has ended")
                await self._antom_falls_silent()
                self.say(f"{self._now:6.1f} s  Antom has said all that it had to say")
                return
        self.say(f"{self._now:6.1f} s  the patience is over")

    async def _everything_ends(self, operators: Operators) -> None:
        """Operators settle what only they can, once nothing else is under way."""
        by_hand = sorted(str(order.refund_request_id) for order in self.plan.elsewhere)
        # Another process's callers and Temporal's refunds set no event of ours.
        while not self._all_answered():  # noqa: ASYNC110
            await asyncio.sleep(_GLANCE.total_seconds())
        while count := await _open_refunds(operators.temporal):
            if count <= len(by_hand):
                await asyncio.gather(*(operators.resolve(each) for each in by_hand))
            await asyncio.sleep(_GLANCE.total_seconds())

    async def _antom_falls_silent(self) -> None:
        """What Antom still has to say comes too late for the histories, and must not be lost."""
        async with SimulatorRemote(self.theatre.simulator_url) as antom:
            # Another process's ledger sets no event of ours either.
            while not is_silent(await antom.ledger(), self.plan.payments):  # noqa: ASYNC110
                await asyncio.sleep(_GLANCE.total_seconds())

    def _all_answered(self) -> bool:
        answered = {note.ask for note in self.company.notes()}
        return len(answered) == len(self.plan.asks)


async def _open_refunds(temporal: Client) -> int:
    """How many are under way; more than none while Temporal cannot say."""
    try:
        counted = await temporal.count_workflows(_OPEN, rpc_timeout=_COUNT_LIMIT)
    except RPCError:
        return 1
    return counted.count
