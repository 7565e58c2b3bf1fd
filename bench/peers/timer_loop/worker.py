"""The timer loop's worker process: `python -m bench.peers.timer_loop.worker`.

It is made as the product's own is: the same limits, pollers and cache.
"""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from temporalio.client import Client

from antom_refunds.connection import TemporalUnavailableError, connect
from antom_refunds.merchants import clients_of
from antom_refunds.process import OK, leave
from antom_refunds.serving import serving
from antom_refunds.settings import Settings
from antom_refunds.telemetry import runtime_of, set_up_logging
from bench.peers.timer_loop.activities import TimerLoopActivities
from bench.peers.timer_loop.workflow import QUEUE, TimerLoopRefund
from worker import Health, call_worker, workflow_worker

_AGAIN: Final = timedelta(seconds=0.5)


async def run(settings: Settings, stop: asyncio.Event) -> int:
    """Until told to stop; a Temporal that is away is waited for."""
    health = Health()
    assert settings.health_listen is not None  # noqa: S101 - the stack always gives one
    async with AsyncExitStack() as stack:
        antom = await stack.enter_async_context(clients_of(settings)["default"])
        await stack.enter_async_context(serving(health.app(), settings.health_listen))
        health.temporal = temporal = await _connected(settings)
        calls = TimerLoopActivities(antom)
        for worker in (
            workflow_worker(temporal, settings, QUEUE, [TimerLoopRefund]),
            call_worker(temporal, settings, QUEUE, [calls.ask, calls.inquire]),
        ):
            await stack.enter_async_context(worker)
        await stop.wait()
    return OK


async def _connected(settings: Settings) -> Client:
    runtime = runtime_of(settings)
    while True:
        try:
            return await connect(runtime=runtime)
        except TemporalUnavailableError:
            await asyncio.sleep(_AGAIN.total_seconds())


async def main() -> int:
    """Until SIGTERM."""
    settings = Settings.read()
    set_up_logging(settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return await run(settings, stop)


if __name__ == "__main__":
    leave(asyncio.run(main()))
