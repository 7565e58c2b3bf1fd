"""The timer loop's processes: `python -m bench.peers.timer_loop_app worker|webhook CONFIG`."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.asgi_server import serve_in_background
from antom_refunds.connection import TemporalUnavailableError, connect
from antom_refunds.domain.evidence import Evidence
from antom_refunds.merchants import build_clients
from antom_refunds.process import OK, exit_process
from antom_refunds.settings import Settings
from antom_refunds.telemetry import make_runtime, set_up_logging
from bench.peers.antom_calls import AntomCalls
from bench.peers.engine import AntomConfig
from bench.peers.timer_loop import QUEUE, TimerLoopRefund
from bench.peers.webhook import create_webhook, serve
from worker import Health, activity_worker, workflow_worker

_RETRY_SECONDS: Final = 0.5


async def run_worker(settings: Settings) -> None:
    """Until SIGTERM; with the product's limits, pollers and cache."""
    stop, health = asyncio.Event(), Health()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    assert settings.health_listen is not None  # noqa: S101 - the stack always sets it
    async with AsyncExitStack() as stack:
        antom = await stack.enter_async_context(build_clients(settings)["default"])
        await stack.enter_async_context(serve_in_background(health.app(), settings.health_listen))
        health.temporal = temporal = await _connect(settings)
        calls = AntomCalls(antom)
        for worker in (
            workflow_worker(temporal, settings, QUEUE, [TimerLoopRefund]),
            activity_worker(temporal, settings, QUEUE, [calls.ask, calls.inquire]),
        ):
            await stack.enter_async_context(worker)
        await stop.wait()


async def _connect(settings: Settings) -> Client:
    runtime = make_runtime(settings)
    while True:
        try:
            return await connect(runtime=runtime)
        except TemporalUnavailableError:
            await asyncio.sleep(_RETRY_SECONDS)


async def run_webhook(settings: Settings) -> None:
    """Until SIGTERM."""
    client = await connect(is_lazy=True, runtime=make_runtime(settings))

    async def deliver(refund_request_id: str, evidence: Evidence, _: str) -> None:
        handle = client.get_workflow_handle(refund_request_id)
        try:
            await handle.signal(TimerLoopRefund.notify, evidence)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await handle.describe()  # it has ended; raises NOT_FOUND for an unknown refund

    antom = AntomConfig.read(sys.argv[2])
    await serve(create_webhook(antom, deliver), antom.notify_port)


if __name__ == "__main__":
    its_settings = Settings.from_env()
    set_up_logging(its_settings)
    asyncio.run({"worker": run_worker, "webhook": run_webhook}[sys.argv[1]](its_settings))
    exit_process(OK)
