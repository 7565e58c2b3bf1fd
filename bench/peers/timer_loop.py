"""The timer loop: call Antom in an activity, sleep on a timer or until notified, call again.

Temporal's sample "periodic sequence" polls like this, and many tutorials.
`python -m bench.peers.timer_loop app|webhook` is one of its processes.
"""

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.service import RPCError, RPCStatusCode

with workflow.unsafe.imports_passed_through():
    from antom_refunds.asgi_server import serve_in_background
    from antom_refunds.connection import connect
    from antom_refunds.domain.evidence import Evidence
    from antom_refunds.domain.order import RefundOrder
    from antom_refunds.domain.policy import CALL_TIMEOUT, RETRY_MAX, Policy
    from antom_refunds.domain.refund import Refund, RefundState, Step
    from antom_refunds.merchants import build_clients
    from antom_refunds.settings import Settings
    from antom_refunds.telemetry import make_runtime
    from bench.peers.antom_calls import AntomCalls, PollingState
    from bench.peers.webhook import run_role, serve_webhook
    from worker import Health, activity_worker, workflow_worker

QUEUE: Final = "timer-loop"
_RETRY: Final = RetryPolicy(maximum_interval=RETRY_MAX)


@workflow.defn(name="TimerLoopRefund")
class TimerLoopRefund:
    """One refund until it is final; its result is the state."""

    def __init__(self) -> None:
        self._notifications: list[Evidence] = []

    @workflow.run
    async def run(self, order: RefundOrder, speedup: float, known: Refund | None) -> RefundState:
        """`known` is given by a run that continued as new."""
        policy = Policy.at_speedup(speedup)
        state = PollingState(known or Refund(order=order))
        while state.step is not None:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(args=[order, speedup, state.refund])
            wait = state.wait(policy)
            if wait and await self._is_notified(wait):
                state = state.after(self._notifications.pop(0))
            else:
                state = state.after(await _call(state), waited=wait)
        return state.refund.state

    @workflow.signal
    def notify(self, evidence: Evidence) -> None:
        """A notification, verified by the webhook."""
        self._notifications.append(evidence)

    async def _is_notified(self, wait: timedelta) -> bool:
        try:
            await workflow.wait_condition(lambda: bool(self._notifications), timeout=wait)
        except TimeoutError:
            return False
        return True


async def _call(state: PollingState) -> Evidence:
    is_send = state.step is Step.SEND
    call: Any = AntomCalls.ask if is_send else AntomCalls.inquire
    argument = state.refund.order if is_send else state.refund
    evidence: Evidence = await workflow.execute_activity(
        call, argument, start_to_close_timeout=CALL_TIMEOUT, retry_policy=_RETRY
    )
    return evidence


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
