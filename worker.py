"""The worker process: connects to Temporal, runs the workflows and activities, and stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Final, NoReturn

from aiolimiter import AsyncLimiter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.antom_activities import AntomActivities
from activities.antom_calls import EvidenceCalls
from activities.case_activities import CaseActivities
from antom_refunds import contract
from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.asgi_server import serve_in_background
from antom_refunds.case_start import report_case
from antom_refunds.case_watch import CaseWatch
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError, connect
from antom_refunds.external_refunds import ExternalRefundRecorder
from antom_refunds.merchants import build_clients
from antom_refunds.namespace import require_attributes
from antom_refunds.process import (
    FAILED,
    OK,
    USAGE,
    exit_process,
    in_background,
    print_error,
    stop_signal,
)
from antom_refunds.settings import Settings, SettingsError
from antom_refunds.telemetry import clock_skew_observer, make_runtime, set_up_logging
from workflows.registered import WORKFLOWS

log = logging.getLogger("worker")

_RETRY_FIRST: Final = timedelta(seconds=1)
_RETRY_MAX: Final = timedelta(seconds=30)
# How long Temporal waits for a lost worker's sticky queue before another worker gets the refund.
_STICKY_LIMIT: Final = timedelta(seconds=5)
# Calls in flight get `shutdown_seconds`. After this additional time something hangs: exit.
_STOP_GRACE: Final = timedelta(seconds=10)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve both task queues until `stop` is set, then finish the calls in flight.

    Raises SettingsError if the configuration must be fixed; waits while Temporal is unavailable.
    """
    async with AsyncExitStack() as stack:
        runtime = make_runtime(settings)
        clients = build_clients(settings, observe_skew=clock_skew_observer(runtime.metric_meter))
        for client in clients.values():
            stack.push_async_callback(client.aclose)
        _require_merchants(clients)
        health = Health(clients)
        if settings.health_listen is not None:
            await stack.enter_async_context(
                serve_in_background(health.app(), settings.health_listen)
            )
        temporal = await _connect_with_retry(runtime, stop)
        if temporal is None:
            return
        health.temporal = temporal
        watch = CaseWatch(temporal, runtime.metric_meter)
        await stack.enter_async_context(in_background(watch.run(settings.policy.scaled_case_watch)))
        await _serve(build_workers(temporal, clients, settings), stop)


def build_workers(
    temporal: Client, clients: Mapping[str, AntomClient], settings: Settings
) -> tuple[Worker, Worker]:
    """One worker for refunds, and one for the calls to Antom with a common rate limit."""
    # One call per interval, instead of N per second, so that calls never come in bursts.
    rate_limiter = AsyncLimiter(1, 1 / settings.antom_calls_per_second)
    recorder = ExternalRefundRecorder(temporal, settings.external_refunds)
    evidence_calls = EvidenceCalls(
        clients, rate_limiter=rate_limiter, observe_refunds=recorder.record
    )
    calls = AntomActivities(evidence_calls, settings.policy)
    cases = CaseActivities(partial(report_case, temporal))
    methods = [calls.request_refund, calls.await_result, calls.inquire]
    return (
        workflow_worker(
            temporal, settings, contract.REFUNDS_QUEUE, WORKFLOWS, activities=[cases.report_case]
        ),
        activity_worker(temporal, settings, contract.ANTOM_QUEUE, methods),
    )


def workflow_worker(
    temporal: Client,
    settings: Settings,
    queue: str,
    workflows: Sequence[type],
    *,
    activities: Sequence[Callable[..., Awaitable[object]]] = (),
) -> Worker:
    """A worker for these workflows, without the sandbox, and for activities that call Temporal.

    The import rules, and tests that run in the sandbox, protect determinism instead
    (docs/decisions/0008-unsandboxed.md).
    """
    return Worker(
        temporal,
        task_queue=queue,
        workflows=workflows,
        activities=activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=settings.cached_workflows_max,
        sticky_queue_schedule_to_start_timeout=_STICKY_LIMIT,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=5),
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_seconds),
    )


def activity_worker(
    temporal: Client,
    settings: Settings,
    queue: str,
    activities: Sequence[Callable[..., Awaitable[object]]],
) -> Worker:
    """A worker for these activities, with limits on concurrency and on starts per second.

    The rate limit applies to the whole namespace and to this worker: after an idle period,
    Temporal's namespace limit permits bursts of twice the rate, and those calls would spend their
    start-to-close timeout waiting for our own rate limiter.
    """
    return Worker(
        temporal,
        task_queue=queue,
        activities=activities,
        max_concurrent_activities=settings.concurrent_calls_max,
        max_activities_per_second=settings.antom_calls_per_second,
        max_task_queue_activities_per_second=settings.antom_calls_per_second,
        activity_task_poller_behavior=PollerBehaviorAutoscaling(initial=5),
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_seconds),
    )


async def _serve(workers: tuple[Worker, Worker], stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        stopping = asyncio.create_task(stop.wait())
        running = [asyncio.create_task(worker.run()) for worker in workers]
        for worker in workers:
            stack.push_async_callback(worker.shutdown)
        log.info("worker.running", extra={"queues": [worker.task_queue for worker in workers]})
        await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
        log.info("worker.stopping")
    stopping.cancel()
    await asyncio.gather(*running)
    log.info("worker.stopped")


async def _connect_with_retry(runtime: Runtime, stop: asyncio.Event) -> Client | None:
    """A client for a namespace that is ready for refunds; None if `stop` is set first."""
    wait = _RETRY_FIRST
    while not stop.is_set():
        try:
            temporal = await connect(runtime=runtime)
            await require_attributes(temporal)
        except TemporalUnavailableError as error:
            log.warning("temporal.unavailable", extra={"reason": str(error), "retry_in": str(wait)})
            await _sleep(wait, stop)
            wait = min(wait * 2, _RETRY_MAX)
        else:
            return temporal
    return None


async def _sleep(wait: timedelta, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(wait.total_seconds()):
            await stop.wait()
    except TimeoutError:
        return


def _require_merchants(clients: Mapping[str, AntomClient]) -> None:
    if not clients:
        raise SettingsError(
            "no merchant is configured: set ANTOM_REFUNDS_MERCHANTS__DEFAULT__CLIENT_ID and its "
            "key files, see .env.example"
        )


class Health:
    """Health endpoints: `/live` while the process runs, `/ready` while it serves every merchant.

    A worker that waits for Temporal is live, because restarting it would not help.
    """

    def __init__(self, clients: Mapping[str, AntomClient] | None = None) -> None:
        self._clients = clients or {}
        self.temporal: Client | None = None

    def app(self) -> Starlette:
        """The two endpoints as an ASGI app."""
        return Starlette(routes=[Route("/live", self.live), Route("/ready", self.ready)])

    async def live(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """200, or 503 if Temporal is unavailable or the calls of some merchants are stuck."""
        if not await self._reaches_temporal():
            return JSONResponse({"status": "Temporal is unavailable"}, status_code=503)
        if stalled := self._stalled_merchants():
            status = "calls to Antom are stuck: the connection pool has no free connection"
            return JSONResponse({"status": status, "merchants": stalled}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def _reaches_temporal(self) -> bool:
        try:
            return self.temporal is not None and await _is_healthy(self.temporal)
        except (RPCError, RuntimeError):
            return False

    def _stalled_merchants(self) -> list[str]:
        return sorted(
            name
            for name, client in self._clients.items()
            if getattr(client, "pool_is_stalled", False)
        )


async def _is_healthy(temporal: Client) -> bool:
    return await temporal.service_client.check_health(timeout=contract.SHORT_RPC_TIMEOUT)


async def _run_until_signal(settings: Settings) -> int:
    stop = stop_signal()
    working = asyncio.create_task(run(settings, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    limit = timedelta(seconds=settings.shutdown_seconds) + _STOP_GRACE
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await working
    except TimeoutError:
        log.error("worker.stop_overdue", extra={"seconds": limit.total_seconds()})  # noqa: TRY400
        return FAILED
    return OK


def main() -> NoReturn:
    """Run the process. Exit code 0 after a requested stop, 2 if a setting must be fixed, else 1."""
    try:
        settings = Settings.from_env()
        set_up_logging(settings)
        code = asyncio.run(_run_until_signal(settings))
    except (SettingsError, TemporalSettingsError) as error:
        print_error(error)
        code = USAGE
    except Exception:
        log.exception("worker.broken")
        code = FAILED
    exit_process(code)


if __name__ == "__main__":
    main()
