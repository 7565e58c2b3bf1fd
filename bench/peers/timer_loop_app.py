"""The timer loop's processes: `python -m bench.peers.timer_loop_app app|webhook`."""

import asyncio

from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.asgi_server import serve_in_background
from antom_refunds.connection import connect
from antom_refunds.domain.evidence import Evidence
from antom_refunds.merchants import build_clients
from antom_refunds.settings import Settings
from antom_refunds.telemetry import make_runtime
from bench.peers.antom_calls import AntomCalls
from bench.peers.timer_loop import QUEUE, TimerLoopRefund
from bench.peers.webhook import run_role, serve_webhook
from worker import Health, activity_worker, workflow_worker


async def run_app(settings: Settings) -> None:
    """Until it is killed; with the product's limits, pollers and cache."""
    health = Health()
    health.temporal = temporal = await connect(runtime=make_runtime(settings))
    assert settings.health_listen is not None  # noqa: S101 - the stack always sets it
    async with (
        build_clients(settings)["default"] as antom,
        serve_in_background(health.app(), settings.health_listen),
    ):
        calls = AntomCalls(antom)
        await asyncio.gather(
            workflow_worker(temporal, settings, QUEUE, [TimerLoopRefund]).run(),
            activity_worker(temporal, settings, QUEUE, [calls.ask, calls.inquire]).run(),
        )


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

    await serve_webhook(settings, deliver)


if __name__ == "__main__":
    run_role(run_app, run_webhook)
