"""The refund on Restate: `python -m bench.peers.restate_app app|webhook INGRESS`.

Restate's server calls the app. Hypercorn is the web server that Restate's documentation names.
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import restate
from hypercorn import Config
from hypercorn.asyncio import serve as serve_http2
from restate import RunOptions, TerminalError, Workflow, WorkflowContext, select
from restate import WorkflowSharedContext as SharedContext

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, Step
from antom_refunds.merchants import build_clients
from antom_refunds.settings import Settings
from bench.peers.antom_calls import AntomCalls, PollingState
from bench.peers.webhook import create_webhook, serve

NAME: Final = "Refund"
# Where the final state can be read, as long as Restate retains the workflow.
STATE: Final = "state"
# A promise resolves once, so each notification has its own; Antom sends few.
_NOTIFICATIONS_MAX: Final = 20
_EVIDENCE: Final = RunOptions[Evidence](type_hint=Evidence)
_JSON: Final = {"content-type": "application/json"}


@dataclass(slots=True)
class RefundRun:
    """One refund: each call is a `run`, each wait a race of a promise and a timer."""

    context: WorkflowContext
    calls: AntomCalls
    policy: Policy
    received: int = 0

    async def run(self, order: RefundOrder) -> Refund:
        """Until it is final."""
        state = PollingState(Refund(order=order))
        while state.step is not None:
            wait = state.wait(self.policy)
            evidence = await self._notification(wait) if wait else None
            if evidence is not None:
                state = state.after(evidence)
            else:
                state = state.after(await self._call(state), waited=wait)
        return state.refund

    async def _notification(self, wait: timedelta) -> Evidence | None:
        """The next notification; None if none arrives in time."""
        if self.received == _NOTIFICATIONS_MAX:
            await self.context.sleep(wait)
            return None
        promise = self.context.promise(_promise(self.received), type_hint=Evidence)
        match await select(evidence=promise.value(), wait=self.context.sleep(wait)):
            case ["evidence", Evidence() as evidence]:
                self.received += 1
                return evidence
            case _:
                return None

    async def _call(self, state: PollingState) -> Evidence:
        refund, run = state.refund, self.context.run_typed
        if state.step is Step.SEND:
            evidence: Evidence = await run("ask", self.calls.ask, _EVIDENCE, refund.order)
        else:
            evidence = await run("inquire", self.calls.inquire, _EVIDENCE, refund)
        return evidence


def refund_workflow(calls: AntomCalls, policy: Policy) -> Workflow:
    """The workflow with these calls; its key is the refundRequestId."""
    workflow = Workflow(NAME)

    @workflow.main()
    async def run(context: WorkflowContext, order: RefundOrder) -> str:
        refund = await RefundRun(context, calls, policy).run(order)
        context.set(STATE, refund.state.value)
        return refund.state.value

    @workflow.handler()
    async def notify(context: SharedContext, evidence: Evidence) -> None:
        """Resolve the first promise that is still open."""
        for number in range(_NOTIFICATIONS_MAX):
            try:
                await context.promise(_promise(number), type_hint=Evidence).resolve(evidence)
            except TerminalError:
                continue  # resolved before
            return

    return workflow


def _promise(number: int) -> str:
    return f"notification-{number}"


async def run_app(settings: Settings) -> None:
    """Until it is killed."""
    config = Config()
    config.bind = [str(settings.health_listen)]
    async with build_clients(settings)["default"] as antom:
        workflow = refund_workflow(AntomCalls(antom), settings.policy)
        await serve_http2(restate.app([workflow]), config)


async def run_webhook(settings: Settings) -> None:
    """Until SIGTERM. A notification is a message to the workflow, durable when it is sent."""
    async with restate.create_client(f"http://{sys.argv[2]}") as client:

        async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
            body, ids = evidence.model_dump_json().encode(), (refund_request_id, delivery_id)
            await client.generic_send(
                NAME, "notify", body, key=ids[0], idempotency_key=ids[1], headers=_JSON
            )

        await serve(create_webhook(settings, deliver), settings.webhook_listen)


if __name__ == "__main__":
    run = run_app if sys.argv[1] == "app" else run_webhook
    asyncio.run(run(Settings.from_env()))
