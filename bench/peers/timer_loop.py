"""The timer loop: call Antom in an activity, sleep on a timer or until notified, call again.

Temporal's sample "periodic sequence" polls like this, and many tutorials. Calls, schedules and
state machine are the product's own: only the way of waiting differs.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from antom_refunds.antom import reading
    from antom_refunds.antom.client import AntomClient
    from antom_refunds.antom.errors import AntomError, OutcomeUnknownError, RefusedError
    from antom_refunds.domain.confirmation import confirmed
    from antom_refunds.domain.evidence import Evidence, Word
    from antom_refunds.domain.fold import take
    from antom_refunds.domain.order import RefundOrder
    from antom_refunds.domain.policy import CALL_TIMEOUT, RETRY_MAX, Policy
    from antom_refunds.domain.refund import Refund, State, Step

QUEUE: Final = "timer-loop"
_RETRY: Final = RetryPolicy(maximum_interval=RETRY_MAX)
_UNUSABLE: Final = frozenset({Word.SILENT, Word.BLOCKED})


class TimerLoopActivities:
    """One attempt at one call each: they return evidence, doubt included; errors are retried."""

    def __init__(self, antom: AntomClient) -> None:
        self._antom = antom

    @activity.defn
    async def ask(self, order: RefundOrder) -> Evidence:
        """Send the refund call; raises NotSentError if no connection opened."""
        try:
            return reading.answered(await self._antom.refund(order))
        except (OutcomeUnknownError, RefusedError) as error:
            return reading.unanswered(error)

    @activity.defn
    async def inquire(self, refund: Refund) -> Evidence:
        """Send an inquiry; the response confirms a result that was announced before."""
        try:
            answer = await self._antom.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return reading.uninquired(error)
        # Each call is done before the next one begins, so none is in flight.
        return confirmed(refund, reading.inquired(answer), is_quiet=True)


class TimerLoopOrder(BaseModel):
    """What to refund, and the pace of the waits; the rest is for continuing as new."""

    model_config = ConfigDict(frozen=True)

    order: RefundOrder
    pace: float = 1
    refund: Refund | None = None
    since: datetime | None = None


@workflow.defn(name="TimerLoopRefund")
class TimerLoopRefund:
    """One refund until it is final; its result is the state."""

    @workflow.init
    def __init__(self, given: TimerLoopOrder) -> None:
        self._refund = given.refund or Refund(order=given.order)
        self._since = given.since or workflow.now()
        self._policy = Policy.at_pace(given.pace)
        self._is_notified = False

    @workflow.run
    async def run(self, given: TimerLoopOrder) -> State:
        while not self._refund.is_final:
            if workflow.info().is_continue_as_new_suggested():
                known = {"refund": self._refund, "since": self._since}
                workflow.continue_as_new(given.model_copy(update=known))
            evidence = await self._call()
            self._apply(evidence)
            if not self._is_urgent_after(evidence):
                await self._sleep()
        return self._refund.state

    @workflow.signal
    def notify(self, evidence: Evidence) -> None:
        """A notification, verified by the webhook."""
        self._apply(evidence)
        self._is_notified = True

    async def _call(self) -> Evidence:
        step = self._refund.next_step
        if step is Step.ASK:
            return await self._ask()
        evidence: Evidence = await workflow.execute_activity_method(
            TimerLoopActivities.inquire,
            self._refund,
            start_to_close_timeout=CALL_TIMEOUT,
            retry_policy=_RETRY,
        )
        is_missing = evidence.word is Word.ABSENT and step is Step.WATCH
        return await self._ask() if is_missing else evidence

    async def _ask(self) -> Evidence:
        return await workflow.execute_activity_method(
            TimerLoopActivities.ask,
            self._refund.order,
            start_to_close_timeout=CALL_TIMEOUT,
            retry_policy=_RETRY,
        )

    def _is_urgent_after(self, evidence: Evidence) -> bool:
        refund = self._refund
        is_due = refund.is_ask_due or refund.is_inquiry_due
        return refund.is_final or (is_due and evidence.word not in _UNUSABLE)

    async def _sleep(self) -> None:
        """Until the next time of the schedule, or a notification."""
        try:
            await workflow.wait_condition(lambda: self._is_notified, timeout=self._wait())
        except TimeoutError:
            return
        self._is_notified = False

    def _wait(self) -> timedelta:
        """Counted from the last change of state, as in the product."""
        policy, state = self._policy, self._refund.state
        schedules = {State.BLOCKED: policy.blocked, State.PROCESSING: policy.watch}
        return policy.wait(schedules.get(state, policy.doubt), workflow.now() - self._since)

    def _apply(self, evidence: Evidence) -> None:
        before, self._refund = self._refund, take(self._refund, evidence)
        if self._refund.state is not before.state:
            self._since = workflow.now()
