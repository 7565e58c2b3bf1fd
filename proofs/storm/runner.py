"""Runs one storm: callers request, faults are injected, then everything may become final."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from antom_refunds.simulator.control_client import SimulatorClient
from proofs.storm.collect import collect_observations
from proofs.storm.environment import StormStack, running
from proofs.storm.observations import Observations, is_quiescent
from proofs.storm.operators import Operators
from proofs.storm.plan import PAUSES, Intervention, Plan, ProcessFault
from proofs.storm.report import StormReport, evaluate

_POLL_SECONDS: Final = 0.5


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
        observations = await collect_observations(stack, plan, interruptions=len(runner.applied))
    report = evaluate(plan, observations, runner.applied, lasted=time.time() - launched)
    started = datetime.fromtimestamp(stack.started_at, UTC)
    return Storm(plan, started, tuple(runner.applied), observations, report)


class StormRunner:
    """One storm that is running; `log` receives its progress, `applied` the faults as they were."""

    def __init__(self, stack: StormStack, plan: Plan, log: Callable[[str], None]) -> None:
        self.applied: list[ProcessFault] = []
        self._stack, self._plan, self._log = stack, plan, log
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def run(self) -> None:
        """Until every refund is final and Antom is quiescent, or the plan's time is over."""
        for name in self._stack.callers:
            await self._stack.start(name)
        operators = await Operators.at(self._stack.temporal_address)
        async with asyncio.TaskGroup() as group:
            for fault in self._plan.process_faults:
                group.create_task(self._inject(fault))
            for act in self._plan.interventions:
                group.create_task(self._intervene(operators, act))
            await self._sleep_until(self._plan.size.request_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.size.drain_seconds):
                await self._wait_for_requests(operators)
                self._progress("every refund is final")
                await self._wait_for_antom()
                return self._progress("Antom has nothing more to send")
        return self._progress("the time limit is over")

    def _progress(self, text: str) -> None:
        self._log(f"{self._now:6.1f} s  {text}")

    @property
    def _now(self) -> float:
        return time.time() - self._stack.started_at

    async def _sleep_until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._now))

    async def _inject(self, fault: ProcessFault) -> None:
        await self._sleep_until(fault.at)
        self._progress(f"{fault.kind}: {', '.join(fault.targets)}")
        since = self._now
        await asyncio.gather(*(self._apply(name, fault) for name in fault.targets))
        self.applied.append(fault.model_copy(update={"at": since, "lasts": self._now - since}))

    async def _intervene(self, operators: Operators, act: Intervention) -> None:
        await self._sleep_until(act.at)
        await operators.perform(act)

    async def _apply(self, name: str, fault: ProcessFault) -> None:
        """One fault after another for each process, however late the previous one ended."""
        async with self._locks[name]:
            if fault.kind not in PAUSES:
                self._stack.kill(name)
                await self._stack.stop(name)
                await asyncio.sleep(fault.lasts)
                return await self._stack.start(name)
            self._stack.pause(name)
            try:
                return await asyncio.sleep(fault.lasts)
            finally:
                self._stack.resume(name)

    async def _wait_for_requests(self, operators: Operators) -> None:
        """Operators resolve what only they can, once nothing else is running."""
        by_hand = sorted(str(each.refund_request_id) for each in self._plan.refunds_elsewhere)
        # Callers and Temporal are other processes: there is no event to wait for.
        while len({each.request for each in self._stack.records()}) < len(self._plan.requests):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        while count := await operators.count_open_refunds():
            if count <= len(by_hand):
                await asyncio.gather(*map(operators.resolve, by_hand))
            await asyncio.sleep(_POLL_SECONDS)

    async def _wait_for_antom(self) -> None:
        """What Antom still sends is too late for the histories, and must not be lost."""
        async with SimulatorClient(self._stack.simulator_url) as antom:
            while not is_quiescent(await antom.ledger(), self._plan.payments):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
