"""Runs one storm: callers request, faults are injected, then everything may become final."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from temporalio.service import RPCError

from antom_refunds.simulator.control_client import SimulatorClient
from proofs.storm.collect import collect_observations
from proofs.storm.environment import StormStack, running
from proofs.storm.observations import Observations, is_quiescent
from proofs.storm.operators import Operators
from proofs.storm.plan import PAUSES, Intervention, Plan, ProcessFault
from proofs.storm.report import StormReport, evaluate

_POLL_SECONDS: Final = 0.5
# A server that was killed recently may delay a call.
_COUNT_LIMIT: Final = timedelta(seconds=5)
_OPEN: Final = "WorkflowType = 'Refund' AND ExecutionStatus = 'Running'"


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm that is over; `faults` have the times at which they happened."""

    plan: Plan
    started_at: datetime
    faults: tuple[ProcessFault, ...]
    observations: Observations
    report: StormReport


async def run_storm(
    plan: Plan, home: Path, *, mutation: str = "", log: Callable[[str], None] = lambda _: None
) -> Storm:
    """Run this plan in a new folder and evaluate it; raises SettingsError if it cannot start."""
    launched = time.time()
    async with running(plan, home, mutation=mutation) as stack:
        stack.started_at = time.time()
        log(f"all processes run after {stack.started_at - launched:.1f} s; logs in {home / 'logs'}")
        runner = StormRunner(stack, plan, log)
        try:
            await runner.run()
        finally:
            await stack.finish_callers()
        faults = tuple(runner.applied)
        observations = await collect_observations(stack, plan, interruptions=len(faults))
    lasted, started = time.time() - launched, datetime.fromtimestamp(stack.started_at, UTC)
    report = evaluate(plan, observations, faults, lasted=lasted)
    return Storm(plan, started, faults, observations, report)


@dataclass(frozen=True, slots=True)
class StormRunner:
    """One storm that is running; `log` receives its progress."""

    stack: StormStack
    plan: Plan
    log: Callable[[str], None]
    applied: list[ProcessFault] = field(default_factory=list)
    _locks: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    async def run(self) -> None:
        """Until every refund is final and Antom is quiescent, or the plan's time is over."""
        for name in self.stack.callers:
            await self.stack.start(name)
        operators = await Operators.at(self.stack.temporal_address)
        async with asyncio.TaskGroup() as group:
            for fault in self.plan.process_faults:
                group.create_task(self._inject(fault))
            for act in self.plan.interventions:
                group.create_task(self._intervene(operators, act))
            await self._sleep_until(self.plan.size.request_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.size.drain_seconds):
                await self._wait_for_requests(operators)
                self.log(f"{self._now:6.1f} s  every refund is final")
                await self._wait_for_antom()
                self.log(f"{self._now:6.1f} s  Antom has nothing more to send")
                return
        self.log(f"{self._now:6.1f} s  the time limit is over")

    @property
    def _now(self) -> float:
        return time.time() - self.stack.started_at

    async def _sleep_until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._now))

    async def _inject(self, fault: ProcessFault) -> None:
        await self._sleep_until(fault.at)
        self.log(f"{self._now:6.1f} s  {fault.kind}: {', '.join(fault.targets)}")
        since = self._now
        await asyncio.gather(*(self._apply(name, fault) for name in fault.targets))
        times = {"at": since, "lasts": self._now - since}
        self.applied.append(fault.model_copy(update=times))

    async def _intervene(self, operators: Operators, act: Intervention) -> None:
        await self._sleep_until(act.at)
        await operators.perform(act)

    async def _apply(self, name: str, fault: ProcessFault) -> None:
        """One fault after another for each process, however late the previous one ended."""
        async with self._locks[name]:
            if fault.kind not in PAUSES:
                self.stack.kill(name)
                await self.stack.stop(name)
                await asyncio.sleep(fault.lasts)
                return await self.stack.start(name)
            self.stack.pause(name)
            try:
                return await asyncio.sleep(fault.lasts)
            finally:
                self.stack.resume(name)

    async def _wait_for_requests(self, operators: Operators) -> None:
        """Operators resolve what only they can, once nothing else is running."""
        by_hand = sorted(str(each.refund_request_id) for each in self.plan.refunds_elsewhere)
        # Callers and Temporal are other processes: there is no event to wait for.
        while len({each.request for each in self.stack.records()}) < len(self.plan.requests):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        while count := await _open_refunds(operators):
            if count <= len(by_hand):
                await asyncio.gather(*(operators.resolve(each) for each in by_hand))
            await asyncio.sleep(_POLL_SECONDS)

    async def _wait_for_antom(self) -> None:
        """What Antom still sends is too late for the histories, and must not be lost."""
        async with SimulatorClient(self.stack.simulator_url) as antom:
            while not is_quiescent(await antom.ledger(), self.plan.payments):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)


async def _open_refunds(operators: Operators) -> int:
    """How many workflows run; at least one while Temporal cannot answer."""
    try:
        return (await operators.temporal.count_workflows(_OPEN, rpc_timeout=_COUNT_LIMIT)).count
    except RPCError:
        return 1
