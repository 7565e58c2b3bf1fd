"""The refund on Restate: `python -m bench.peers.restate_app app|webhook CONFIG PORT|INGRESS`.

Restate's server calls the app. Hypercorn is the web server that Restate's documentation names.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Final

import restate
from hypercorn import Config
from hypercorn.asyncio import serve as serve_http2
from restate import (
    RunOptions,
    TerminalError,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
    select,
)

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, Step
from bench.peers.antom_calls import AntomCalls, PollingState
from bench.peers.engine import AntomConfig
from bench.peers.webhook import Deliver, create_webhook, serve
from starter.tcp_ports import HOST

NAME: Final = "Refund"
# Where the final state can be read, as long as Restate retains the workflow.
STATE: Final = "state"
# A promise resolves once, so each notification has its own; Antom sends few.
_NOTIFICATIONS_MAX: Final = 20
_EVIDENCE: Final = RunOptions[Evidence](type_hint=Evidence)
_JSON: Final = {"content-type": "application/json"}


class RefundRun:
    """One refund: each call is a `run`, each wait a race of a promise and a timer."""

    def __init__(self, context: WorkflowContext, calls: AntomCalls, policy: Policy) -> None:
        self._context = context
        self._calls = calls
        self._policy = policy
        self._received = 0

    async def run(self, order: RefundOrder) -> Refund:
        """Until it is final."""
        state = PollingState(Refund(order=order))
        while state.step is not None:
            wait = state.wait(self._policy)
            evidence = await self._notification(wait) if wait else None
            if evidence is not None:
                state = state.after(evidence)
            else:
                state = state.after(await self._call(state), waited=wait)
        return state.refund

    async def _notification(self, wait: timedelta) -> Evidence | None:
        """The next notification; None if none arrives in time."""
        if self._received == _NOTIFICATIONS_MAX:
            await self._context.sleep(wait)
            return None
        promise = self._context.promise(_promise(self._received), type_hint=Evidence)
        match await select(evidence=promise.value(), wait=self._context.sleep(wait)):
            case ["evidence", Evidence() as evidence]:
                self._received += 1
                return evidence
            case _:
                return None

    async def _call(self, state: PollingState) -> Evidence:
        refund = state.refund
        if state.step is Step.SEND:
            call = self._context.run_typed("ask", self._calls.ask, _EVIDENCE, refund.order)
        else:
            call = self._context.run_typed("inquire", self._calls.inquire, _EVIDENCE, refund)
        evidence: Evidence = await call
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
    async def notify(context: WorkflowSharedContext, evidence: Evidence) -> None:
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


def delivery_to(client: restate.RestateClient) -> Deliver:
    """To the refund's workflow, by a message that is durable when this returns."""

    async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        body = evidence.model_dump_json().encode()
        await client.generic_send(
            NAME, "notify", body, key=refund_request_id, idempotency_key=delivery_id, headers=_JSON
        )

    return deliver


async def run_app(antom: AntomConfig, port: str) -> None:
    """Until SIGINT."""
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    async with AntomCalls.to(antom) as calls:
        workflow = refund_workflow(calls, Policy.at_speedup(antom.speedup))
        await serve_http2(restate.app([workflow]), config)


async def run_webhook(antom: AntomConfig, ingress: str) -> None:
    """Until SIGTERM."""
    async with restate.create_client(ingress) as client:
        app = create_webhook(antom, delivery_to(client))
        await serve(app, antom.notify_port)


if __name__ == "__main__":
    _, role, config_file, argument = sys.argv
    run = run_app if role == "app" else run_webhook
    asyncio.run(run(AntomConfig.read(config_file), argument))
