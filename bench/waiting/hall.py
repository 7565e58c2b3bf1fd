"""The stack in which refunds wait, with the books of what it holds and spends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import httpx

from antom_refunds.settings import variable
from antom_refunds.simulator.remote import SimulatorRemote
from bench.books import cpu_seconds, memory_bytes
from bench.stage import QuickStack, beside, open_payments, standing
from bench.waiting.arrivals import Arrivals
from bench.waiting.crowd import REFUNDS_PER_PAYMENT, Crowd, payment_of
from bench.waiting.findings import Holding, Window
from bench.waiting.plan import Plan

_FAR: Final = timedelta(days=1)
_TRACE_SECONDS: Final = 3


@dataclass(slots=True)
class Hall:
    """One stack with its crowd.

    `trace` is what was held every few seconds while the crowd grew.
    """

    stack: QuickStack
    crowd: Crowd
    arrivals: Arrivals
    trace: list[Holding] = field(default_factory=list)

    def held(self) -> Holding:
        return Holding(
            refunds=self.crowd.asked,
            worker=memory_bytes(self.stack.pid_of("worker")),
            server=memory_bytes(self.stack.pid_of("temporal")),
        )

    async def window(self, seconds: float) -> Window:
        pids = self.stack.pid_of("worker"), self.stack.pid_of("temporal")
        begun, before = time.perf_counter(), [cpu_seconds(pid) for pid in pids]
        calls = len(await self.arrivals.so_far())
        await asyncio.sleep(seconds)
        spent = [cpu_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
        return Window(
            seconds=time.perf_counter() - begun,
            calls=len(await self.arrivals.so_far()) - calls,
            worker_cpu=spent[0],
            server_cpu=spent[1],
        )

    @asynccontextmanager
    async def traced(self) -> AsyncIterator[None]:
        """While inside, what is held is written down."""
        tracing = asyncio.create_task(self._trace())
        try:
            yield
        finally:
            tracing.cancel()

    async def _trace(self) -> None:
        while True:
            self.trace.append(self.held())
            await asyncio.sleep(_TRACE_SECONDS)


@asynccontextmanager
async def hall(plan: Plan) -> AsyncIterator[Hall]:
    """The stack with its usual settings but for the limit, and an Antom that notes its calls."""
    told = {
        variable("antom_calls_per_second"): str(plan.limit),
        variable("cached_workflows_max"): str(plan.cached_max),
    }
    async with AsyncExitStack() as inside:
        stack = await inside.enter_async_context(standing("temporal", pace=plan.pace, told=told))
        described = stack.home / "simulator.json"
        described.write_text(stack.simulator_config().model_dump_json())
        await inside.enter_async_context(beside(stack, "bench.waiting.antom", str(described)))
        antom = await inside.enter_async_context(SimulatorRemote(stack.simulator_url))
        await antom.wait_until_ready()
        payments = (payment_of(number) for number in range(0, plan.levels[-1], REFUNDS_PER_PAYMENT))
        await open_payments(stack, *payments, is_async=True, settle_after=_FAR)
        await stack.start("worker")
        http = httpx.AsyncClient(base_url=stack.simulator_url, trust_env=False)
        arrivals = Arrivals(await inside.enter_async_context(http))
        yield Hall(stack, Crowd(await stack.temporal()), arrivals)
