"""The refund as a Restate workflow: each call a `run`, each wait a race of promise and timer.

What is asked next, and when, is the same as everywhere (bench/peers/common).
"""

from datetime import timedelta
from typing import Final

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
from bench.peers.common.calls import Calls
from bench.peers.common.pursuit import Pursuit

NAME: Final = "Refund"
# Where the end can be read, as long as Restate retains the workflow.
STATE: Final = "state"
# A promise is kept once, so each notification gets one of its own; Antom sends few.
_NOTICES_MAX: Final = 20
_EVIDENCE: Final = RunOptions[Evidence](type_hint=Evidence)


class Pursuer:
    """One refund's way through its waits and calls; the journal makes each of them durable."""

    def __init__(self, context: WorkflowContext, calls: Calls, policy: Policy) -> None:
        self._context = context
        self._calls = calls
        self._policy = policy
        self._heard = 0

    async def pursue(self, order: RefundOrder) -> Refund:
        """Until Antom's last word."""
        pursuit = Pursuit(Refund(order=order))
        while pursuit.step is not None:
            pursuit = await self._pursued(pursuit)
        return pursuit.refund

    async def _pursued(self, pursuit: Pursuit) -> Pursuit:
        """After the next notification or the next call, whichever comes first."""
        wait = pursuit.wait(self._policy)
        if wait:
            notice = await self._notified(wait)
            if notice is not None:
                return pursuit.heard(notice)
        return pursuit.heard(await self._called(pursuit), waited=wait)

    async def _notified(self, wait: timedelta) -> Evidence | None:
        """The next notification; None if none comes within the wait."""
        if self._heard == _NOTICES_MAX:
            await self._context.sleep(wait)
            return None
        promise = self._context.promise(_promise(self._heard), type_hint=Evidence)
        match await select(notice=promise.value(), wait=self._context.sleep(wait)):
            case ["notice", Evidence() as notice]:
                self._heard += 1
                return notice
            case _:
                return None

    async def _called(self, pursuit: Pursuit) -> Evidence:
        refund = pursuit.refund
        if pursuit.step is Step.ASK:
            run = self._context.run_typed("ask", self._calls.ask, _EVIDENCE, refund.order)
        else:
            run = self._context.run_typed("inquire", self._calls.inquire, _EVIDENCE, refund)
        evidence: Evidence = await run
        return evidence


def refund_workflow(calls: Calls, policy: Policy) -> Workflow:
    """The workflow over these calls; its key is the refundRequestId."""
    workflow = Workflow(NAME)

    @workflow.main()
    async def run(context: WorkflowContext, order: RefundOrder) -> str:
        refund = await Pursuer(context, calls, policy).pursue(order)
        context.set(STATE, refund.state.value)
        return refund.state.value

    @workflow.handler()
    async def notify(context: WorkflowSharedContext, evidence: Evidence) -> None:
        """Keep the first promise that is still open."""
        for number in range(_NOTICES_MAX):
            try:
                await context.promise(_promise(number), type_hint=Evidence).resolve(evidence)
            except TerminalError:
                continue  # kept before
            return

    return workflow


def _promise(number: int) -> str:
    return f"notice-{number}"
