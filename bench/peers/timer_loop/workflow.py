"""The timer loop: call Antom in an activity, sleep on a timer or until notified, call again.

So polls Temporal's sample "periodic sequence", and many a tutorial. The calls, the schedules and
the state machine are the product's own: only the way of waiting differs.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from antom_refunds.domain.evidence import Evidence, Word
    from antom_refunds.domain.fold import take
    from antom_refunds.domain.order import RefundOrder
    from antom_refunds.domain.policy import CALL_TIMEOUT, RETRY_MAX, Policy
    from antom_refunds.domain.refund import Refund, RefundState, Step
    from bench.peers.timer_loop.activities import TimerLoopActivities

QUEUE: Final = "timer-loop"
_RETRY: Final = RetryPolicy(maximum_interval=RETRY_MAX)
_UNUSABLE: Final = frozenset({Word.SILENT, Word.BLOCKED})


class TimerLoopOrder(BaseModel):
    """What is to be refunded and how quick the waits are; the rest is for continuing as new."""

    model_config = ConfigDict(frozen=True)

    order: RefundOrder
    pace: float = 1
    refund: Refund | None = None
    since: datetime | None = None


@workflow.defn(name="TimerLoopRefund")
class TimerLoopRefund:
    """One refund until Antom's last word; its result is the state at the end."""

    @workflow.init
    def __init__(self, told: TimerLoopOrder) -> None:
        self._refund = told.refund or Refund(order=told.order)
        self._since = told.since or workflow.now()
        self._policy = Policy.at_pace(told.pace)
        self._is_notified = False

    @workflow.run
    async def run(self, told: TimerLoopOrder) -> RefundState:
        while not self._refund.is_final:
            if workflow.info().is_continue_as_new_suggested():
                self._start_anew(told)
            evidence = await self._call()
            self._take(evidence)
            if not self._is_urgent_after(evidence):
                await self._sleep()
        return self._refund.state

    @workflow.signal
    def notify(self, evidence: Evidence) -> None:
        """A notification, verified by the webhook."""
        self._take(evidence)
        self._is_notified = True

    async def _call(self) -> Evidence:
        step = self._refund.next_step
        if step is Step.ASK:
            return await self._ask()
        evidence = await self._inquire()
        return (
            await self._ask() if evidence.word is Word.ABSENT and step is Step.WATCH else evidence
        )

    async def _ask(self) -> Evidence:
        return await workflow.execute_activity_method(
            TimerLoopActivities.ask,
            self._refund.order,
            start_to_close_timeout=CALL_TIMEOUT,
            retry_policy=_RETRY,
        )

    async def _inquire(self) -> Evidence:
        return await workflow.execute_activity_method(
            TimerLoopActivities.inquire,
            self._refund,
            start_to_close_timeout=CALL_TIMEOUT,
            retry_policy=_RETRY,
        )

    def _is_urgent_after(self, evidence: Evidence) -> bool:
        refund = self._refund
        is_due = refund.is_ask_due or refund.is_inquiry_due
        return refund.is_final or (is_due and evidence.word not in _UNUSABLE)

    async def _sleep(self) -> None:
        """Until the next moment of the schedule, or a notification."""
        try:
            await workflow.wait_condition(lambda: self._is_notified, timeout=self._wait())
        except TimeoutError:
            return
        self._is_notified = False

    def _wait(self) -> timedelta:
        """Counted from the last change of state, as the product counts it."""
        policy, state = self._policy, self._refund.state
        schedules = {RefundState.BLOCKED: policy.blocked, RefundState.PROCESSING: policy.watch}
        return policy.wait(schedules.get(state, policy.doubt), workflow.now() - self._since)

    def _take(self, evidence: Evidence) -> None:
        before, self._refund = self._refund, take(self._refund, evidence)
        if self._refund.state is not before.state:
            self._since = workflow.now()

    def _start_anew(self, told: TimerLoopOrder) -> None:
        """A history that grew long is left behind, with what is known carried over."""
        known = {"refund": self._refund, "since": self._since}
        workflow.continue_as_new(told.model_copy(update=known))
