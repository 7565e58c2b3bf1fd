"""The life of one refund: ask Antom, watch, take Antom's word, end (docs/architecture.md)."""

import asyncio
from datetime import datetime
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

with workflow.unsafe.imports_passed_through():
    from antom_refunds import attributes, contract
    from antom_refunds.contract import Dossier, Entry, Instruction, Question, Resolution
    from antom_refunds.domain import policy
    from antom_refunds.domain.evidence import Evidence, Source, Word
    from antom_refunds.domain.fold import take
    from antom_refunds.domain.order import RefundOrder
    from antom_refunds.domain.refund import Refund, State, Step
    from antom_refunds.ports import AntomCalls
    from workflows import console

_RETRY: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST, maximum_interval=policy.RETRY_MAX, maximum_attempts=0
)
# While we claim that nothing was executed, an attempt that was lost with its worker must come
# back to us as doubt, and not be retried behind that claim.
_RETRY_UNLESS_LOST: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST,
    maximum_interval=policy.RETRY_MAX,
    maximum_attempts=0,
    non_retryable_error_types=["TemporalTimeout:StartToClose"],
)
_NOTHING_EXECUTED: Final = frozenset({State.REQUESTED, State.BLOCKED})

_LOST: Final = Evidence(
    source=Source.ANSWER,
    word=Word.DOUBT,
    code="worker_lost",
    message="the worker was lost while it asked Antom",
    advice="the same request is sent again",
)
_NO_NEWS: Final = Evidence(source=Source.INQUIRY, word=Word.SILENT, code="worker_lost")
_CALLS: Final = {
    Step.ASK: AntomCalls.request_refund,
    Step.WATCH: AntomCalls.await_result,
    Step.INQUIRE: AntomCalls.inquire,
}
_CANCELLED: Final = Instruction(by="Temporal", reason="the workflow was asked to cancel")


@workflow.defn(name=contract.WORKFLOW)
class RefundWorkflow:
    """One refund from the request to Antom's last word.

    Its result is how the refund ended; it fails only on a defect of ours. It waits on no timer
    and loops over no polls: activities retry until they learn something, so the history of a
    refund polled a thousand times is as long as that of one polled once.
    """

    @workflow.init
    def __init__(self, order: RefundOrder) -> None:
        self._refund = Refund(order=order)
        self._shown = self._refund
        self._calls: dict[Step, workflow.ActivityHandle[Evidence]] = {}
        self._entries: list[Entry] = []
        self._due_at: datetime | None = workflow.info().typed_search_attributes.get(
            attributes.DUE_AT
        )

    @workflow.run
    async def run(self, order: RefundOrder) -> contract.RefundOutcome:  # noqa: ARG002
        """Until Antom's word is final, or a person's with proof."""
        self._show()
        while not self._refund.is_final:
            step = self._step_to_begin()
            if step is not None:
                self._calls[step] = self._begin(step)
            await self._news()
            self._hear()
            self._show()
        return contract.outcome_of(self._refund)

    @workflow.signal(name=contract.SIGNAL_NOTIFY)
    def notify(self, evidence: Evidence) -> None:
        """A notification, verified by the webhook."""
        self._take(evidence)

    @workflow.query(name=contract.QUERY_DOSSIER)
    def dossier(self) -> Dossier:
        """Everything known about this refund."""
        return Dossier(
            refund=self._refund,
            waits_for=self._refund.next_step,
            human_reason=self._refund.human_reason,
            entries=tuple(self._entries),
        )

    @workflow.update(name=contract.UPDATE_CHECK_NOW)
    def check_now(self, instruction: Instruction) -> str:
        """Inquire at once instead of at the next moment of the schedule."""
        self._take(contract.instructed(Word.CHECK, instruction))
        return "Antom is being asked now; see the details for the answer"

    @check_now.validator
    def _may_check(self, instruction: Instruction) -> None:  # noqa: ARG002
        self._refuse_after_the_end()

    @workflow.update(name=contract.UPDATE_RESOLVE)
    def resolve(self, resolution: Resolution) -> str:
        """End the refund by hand, with proof of what really happened."""
        self._take(contract.resolved(resolution))
        return f"the refund is {self._refund.state}"

    @resolve.validator
    def _may_resolve(self, resolution: Resolution) -> None:  # noqa: ARG002
        self._refuse_after_the_end()

    @workflow.update(name=contract.UPDATE_CALL_OFF)
    def call_off(self, instruction: Instruction) -> str:
        """Give the refund up before it begins; Antom is asked whether it knows nothing of it."""
        self._give_up(instruction)
        return "called off, if Antom confirms that it knows of no such refund"

    @call_off.validator
    def _may_call_off(self, instruction: Instruction) -> None:  # noqa: ARG002
        if self._refund.state is not State.REQUESTED:
            raise ApplicationError(f"too late: the refund is {self._refund.state}, Antom was asked")

    def _refuse_after_the_end(self) -> None:
        if self._refund.is_final:
            raise ApplicationError(f"the refund has ended: it is {self._refund.state}")

    def _give_up(self, instruction: Instruction) -> None:
        self._take(contract.instructed(Word.CALL_OFF, instruction))
        if self._refund.is_called_off and (asking := self._calls.get(Step.ASK)):
            asking.cancel()

    def _step_to_begin(self) -> Step | None:
        """The next step, unless it is under way or must wait for the refund call to be over."""
        step = self._refund.next_step
        is_held_back = self._refund.is_called_off and Step.ASK in self._calls
        return None if step in self._calls or is_held_back else step

    def _begin(self, step: Step) -> workflow.ActivityHandle[Evidence]:
        refund = self._refund
        retry = _RETRY_UNLESS_LOST if refund.state in _NOTHING_EXECUTED else _RETRY
        return workflow.start_activity_method(
            _CALLS[step],
            Question(refund=refund, due_at=self._due_at),
            task_queue=contract.ANTOM_QUEUE,
            start_to_close_timeout=policy.CALL_TIMEOUT,
            retry_policy=retry if step is Step.ASK else _RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=console.summary(step, refund),
        )

    async def _news(self) -> None:
        """Until a call returned or something else changed; unbounded, since Antom is."""
        try:
            await workflow.wait_condition(self._has_news)
        except asyncio.CancelledError:
            # A refund that Antom may know of must not be abandoned: at most it is called off.
            workflow.logger.warning("refund.cancel_asked", extra={"state": self._refund.state})
            self._give_up(_CANCELLED)

    def _has_news(self) -> bool:
        is_changed = self._refund != self._shown or self._step_to_begin() is not None
        return is_changed or any(call.done() for call in self._calls.values())

    def _hear(self) -> None:
        for step in [step for step, call in self._calls.items() if call.done()]:
            evidence = _heard(step, self._calls.pop(step))
            if evidence is not None:
                self._take(evidence)

    def _take(self, evidence: Evidence) -> None:
        before, self._refund = self._refund, take(self._refund, evidence)
        if self._refund != before and len(self._entries) < policy.DOSSIER_ENTRIES_MAX:
            self._entries.append(Entry(at=workflow.now(), evidence=evidence))

    def _show(self) -> None:
        """One upsert for each change that operators filter by; the details cost nothing."""
        shown = attributes.moving(self._shown)
        changed = [new for new in attributes.moving(self._refund) if new not in shown]
        if changed:
            workflow.upsert_search_attributes([key.value_set(value) for key, value in changed])
        self._shown = self._refund
        workflow.set_current_details(console.details(self._refund, due_at=self._due_at))


def _heard(step: Step, call: workflow.ActivityHandle[Evidence]) -> Evidence | None:
    """What a call that is over says; None if it was cancelled before anything was sent."""
    try:
        return call.result()
    except ActivityError as error:
        match error.cause:
            case CancelledError():
                return None
            case ApplicationError(type=contract.NOT_SENT):
                return None
            case _:
                return _LOST if step is Step.ASK else _NO_NEWS
