"""The life of one refund: ask Antom, watch, take Antom's word, end (docs/architecture.md)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

with workflow.unsafe.imports_passed_through():
    from antom_refunds import attributes, contract
    from antom_refunds.contract import (
        Continuation,
        Dossier,
        Entry,
        Instruction,
        Question,
        Resolution,
    )
    from antom_refunds.domain import policy
    from antom_refunds.domain.evidence import Evidence, Source, Word
    from antom_refunds.domain.fold import take
    from antom_refunds.domain.policy import Policy
    from antom_refunds.domain.refund import (
        UNEXECUTED_STATES,
        WORKER_LOST,
        Refund,
        Step,
    )
    from antom_refunds.ports import AntomCalls
    from workflows import console, inputs

_RETRY: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST, maximum_interval=policy.RETRY_MAX, maximum_attempts=0
)
# While we claim that nothing was executed, an attempt that was lost with its worker must come
# back to us as doubt, and not be retried behind that claim.
_RETRY_UNLESS_LOST: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST,
    maximum_interval=policy.RETRY_MAX,
    maximum_attempts=0,
    non_retryable_error_types=["TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"],
)

_LOST: Final = Evidence(
    source=Source.ANSWER,
    word=Word.DOUBT,
    code=WORKER_LOST,
    message="the worker was lost while it sent the refund call",
    advice="an inquiry is made, and the same request is sent again if Antom knows nothing of it",
)
_OVERDUE: Final = Evidence(
    source=Source.CLOCK, word=Word.OVERDUE, code="overdue", message="no end in time"
)
_CALLS: Final = {
    Step.ASK: AntomCalls.request_refund,
    Step.WATCH: AntomCalls.await_result,
    Step.INQUIRE: AntomCalls.inquire,
}
_CANCELLED: Final = Instruction(by="Temporal", reason="the workflow was asked to cancel")
# The starter's clock may be wrong by more than this; then ours is written over it.
_DUE_TOLERANCE: Final = timedelta(minutes=1)
_PATIENCE_MAX: Final = timedelta(days=3650)

Form = TypeVar("Form", bound=BaseModel)


@workflow.defn(name=contract.WORKFLOW)
class RefundWorkflow:
    """One refund from the request to Antom's last word.

    Its result is how the refund ended, however it is signalled, updated or cancelled; it fails
    only on an input that is no order. Calls are retried by activities until they teach something,
    so the history of a refund polled a thousand times is as long as that of one polled once.
    """

    @workflow.init
    def __init__(self, *given: Any) -> None:
        info = workflow.info()
        self._flaw: str | None = None
        self._calls: dict[Step, tuple[Question, workflow.ActivityHandle[Evidence]]] = {}
        self._entries: list[Entry] = []
        self._since: dict[str, datetime] = {}
        self._quiet_from = workflow.now()
        self._is_check_asked = False
        self._overdue: asyncio.Task[None] | None = None
        self._due_at = workflow.now()
        self._begin_with(given, is_continued=info.continued_run_id is not None)

    def _begin_with(self, given: tuple[Any, ...], *, is_continued: bool) -> None:
        try:
            order, known = inputs.order_and_continuation(
                given, workflow_id=workflow.info().workflow_id, is_continued=is_continued
            )
        except inputs.InvalidInputError as error:
            self._flaw = str(error)
            return
        self._refund = known.refund if known else Refund(order=order)
        self._shown = self._refund
        if known is not None:
            self._entries = list(known.entries)
            self._since = dict(known.since)
            self._quiet_from = known.quiet_from or self._quiet_from

    @workflow.run
    async def run(self, *given: Any) -> contract.RefundOutcome:  # noqa: ARG002
        """Until Antom's word is final, or a person's with proof.

        Raises ApplicationError at once if the input is no order; nothing was sent then.
        """
        if self._flaw is not None:
            raise ApplicationError(self._flaw, type=contract.INVALID_INPUT, non_retryable=True)
        self._watch_the_clock()
        self._show()
        while not self._refund.is_final:
            self._begin_next()
            await self._until(self._has_news)
            self._hear()
            self._stop_calls()
            self._show()
            await self._continue_as_new_if_long()
        await self._end_asking()
        self._show()
        return contract.outcome_of(self._refund)

    @workflow.signal(name=contract.SIGNAL_NOTIFY)
    def notify(self, *given: Any) -> None:
        """A notification, verified by the webhook; anything else is dropped."""
        try:
            evidence = inputs.notified(given)
        except inputs.InvalidInputError as error:
            workflow.logger.warning("refund.signal_dropped", extra={"reason": str(error)})
            meter = workflow.metric_meter()
            meter.create_counter("refund_signals_dropped", "Signals that are no evidence").add(1)
            return
        if self._flaw is None:
            self._take(evidence)

    @workflow.query(name=contract.QUERY_DOSSIER)
    def dossier(self) -> Dossier:
        """Everything known about this refund."""
        if self._flaw is not None:
            raise ApplicationError(self._flaw)
        return Dossier(
            refund=self._refund,
            waits_for=self._refund.next_step,
            human_reason=self._refund.human_reason,
            entries=tuple(self._entries),
        )

    @workflow.update(name=contract.UPDATE_CHECK_NOW)
    def check_now(self, *given: Any) -> str:
        """Inquire at once instead of at the next moment of the schedule."""
        self._take(contract.instructed(Word.CHECK, _input(Instruction, given)))
        self._is_check_asked = True
        return "Antom is being asked now; see the details for the answer"

    @check_now.validator
    def _may_check(self, *given: Any) -> None:
        _input(Instruction, given)
        self._refuse_after_the_end()

    @workflow.update(name=contract.UPDATE_RESOLVE)
    def resolve(self, *given: Any) -> str:
        """End the refund by hand, with proof of what really happened."""
        self._take(contract.resolved(_input(Resolution, given)))
        return f"the refund is {self._refund.state}"

    @resolve.validator
    def _may_resolve(self, *given: Any) -> None:
        _input(Resolution, given)
        self._refuse_after_the_end()

    @workflow.update(name=contract.UPDATE_CALL_OFF)
    def call_off(self, *given: Any) -> str:
        """Give the refund up before Antom executes it: no refund call is sent from now on."""
        self._take(contract.instructed(Word.CALL_OFF, _input(Instruction, given)))
        return "called off: it closes once Antom confirms that it knows of no such refund"

    @call_off.validator
    def _may_call_off(self, *given: Any) -> None:
        _input(Instruction, given)
        self._refuse_after_the_end()
        if self._refund.call_off is not None:
            raise ApplicationError("it is called off already, and waits for Antom's confirmation")
        if self._refund.state not in UNEXECUTED_STATES:
            raise ApplicationError(f"too late: the refund is {self._refund.state}, Antom was asked")

    def _refuse_after_the_end(self) -> None:
        if self._flaw is not None:
            raise ApplicationError(self._flaw)
        if self._refund.is_final:
            raise ApplicationError(f"the refund has ended: it is {self._refund.state}")

    def _watch_the_clock(self) -> None:
        """Overdue is counted by the server's clock, and holds whatever the calls are doing."""
        info = workflow.info()
        due_at = info.workflow_start_time + _patience()
        given = info.typed_search_attributes.get(attributes.DUE_AT)
        if given is not None and abs(given - due_at) <= _DUE_TOLERANCE:
            due_at = given
        self._due_at = due_at
        if info.continued_run_id is None:
            self._complete_attributes()
        if not self._refund.is_overdue:
            self._overdue = asyncio.create_task(_sleep_until(self._due_at))

    def _complete_attributes(self) -> None:
        """What the starter gave at start costs nothing; what it left out, or got wrong, we add."""
        known = workflow.info().typed_search_attributes
        due = attributes.at_start(self._refund, due_at=self._due_at)
        if wrong := [pair for pair in due if known.get(pair.key) != pair.value]:
            workflow.upsert_search_attributes([pair.key.value_set(pair.value) for pair in wrong])

    def _begin_next(self) -> None:
        step = self._step_to_begin()
        if step is None:
            return
        refund = self._refund
        key = f"{step} {refund.state}"
        question = Question(
            refund=refund,
            since=self._since.setdefault(key, workflow.now()),
            quiet_from=self._quiet_from,
            is_first_run=_is_first_run(),
        )
        self._calls[step] = (question, self._begin(step, question))

    def _step_to_begin(self) -> Step | None:
        """The next step, unless it is under way or must wait for the refund call to be over."""
        step = self._refund.next_step
        is_held_back = Step.ASK in self._calls and self._refund.is_asking_over
        return None if step in self._calls or is_held_back else step

    def _begin(self, step: Step, question: Question) -> workflow.ActivityHandle[Evidence]:
        is_unexecuted = question.refund.state in UNEXECUTED_STATES
        return workflow.start_activity_method(
            _CALLS[step],
            question,
            task_queue=contract.ANTOM_QUEUE,
            start_to_close_timeout=_calls_of(step, question.refund) * policy.CALL_TIMEOUT,
            heartbeat_timeout=policy.HEARTBEAT_TIMEOUT,
            retry_policy=_RETRY_UNLESS_LOST if is_unexecuted and step is Step.ASK else _RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=console.summary(step, question.refund),
        )

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Unbounded, since Antom is; a cancellation interrupts nothing.

        A refund that Antom may know of must not be abandoned: at most it is called off.
        """
        while True:
            try:
                await workflow.wait_condition(is_so)
            except asyncio.CancelledError:
                workflow.logger.warning("refund.cancel_asked", extra={"state": self._refund.state})
                self._take(contract.instructed(Word.CALL_OFF, _CANCELLED))
            else:
                return

    def _has_news(self) -> bool:
        is_changed = self._refund != self._shown or self._step_to_begin() is not None
        is_late = self._overdue is not None and self._overdue.done()
        is_over = any(call.done() for _, call in self._calls.values())
        return is_changed or is_late or is_over or self._is_check_asked

    def _hear(self) -> None:
        """Everything that has arrived is taken before anything is concluded from it."""
        if self._overdue is not None and self._overdue.done():
            self._overdue = None
            self._take(_OVERDUE)
        for step in [step for step, (_, call) in self._calls.items() if call.done()]:
            _, call = self._calls.pop(step)
            if step is Step.ASK:
                self._quiet_from = workflow.now()
            evidence = _heard(step, call)
            if evidence is not None:
                self._take(evidence)

    def _stop_calls(self) -> None:
        """End waits that something else has overtaken; a call in flight is heard to its end."""
        inquiring = self._calls.get(Step.INQUIRE)
        if inquiring is not None and (self._is_check_asked or self._is_outdated(inquiring[0])):
            inquiring[1].cancel()
        self._is_check_asked = False
        asking = self._calls.get(Step.ASK)
        if asking is not None and (self._refund.is_asking_over or self._is_to_be_sooner(asking[0])):
            asking[1].cancel()

    def _is_outdated(self, question: Question) -> bool:
        """Whether a waiting inquiry knows nothing of a call-off, and so could not confirm it."""
        return self._refund.call_off is not None and question.refund.call_off is None

    def _is_to_be_sooner(self, question: Question) -> bool:
        """Whether the refund call is due at once, and one is waiting for its own time."""
        return self._refund.is_ask_due and not question.refund.is_ask_due

    async def _end_asking(self) -> None:
        """A refund call in flight may move money: its answer is taken before the outcome is."""
        asking = self._calls.get(Step.ASK)
        if asking is not None:
            if not asking[1].done():
                asking[1].cancel()
            await self._until(asking[1].done)
        self._hear()

    async def _continue_as_new_if_long(self) -> None:
        """Temporal lets a run take only so many updates and signals: the next run takes more."""
        if self._refund.is_final or not _is_history_long():
            return
        await self._end_asking()
        self._show()
        if not self._refund.is_final:
            self._continue_as_new()

    def _continue_as_new(self) -> None:
        known = Continuation(
            refund=self._refund,
            entries=tuple(self._entries),
            since=self._since,
            quiet_from=self._quiet_from,
        )
        workflow.continue_as_new(args=[self._refund.order, known])

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


def _calls_of(step: Step, refund: Refund) -> int:
    """How many calls one attempt may make: two inquiries may go before a refund call."""
    return 1 if step is Step.ASK and refund.state in UNEXECUTED_STATES else 3


def _patience() -> timedelta:
    """How long the refund may stay without an end; an odd value from outside counts as none."""
    seconds = workflow.memo_value(contract.MEMO_OVERDUE_AFTER, None)
    is_sane = isinstance(seconds, int | float) and 0 < seconds <= _PATIENCE_MAX.total_seconds()
    return timedelta(seconds=seconds) if is_sane else Policy().patience


async def _sleep_until(due_at: datetime) -> None:
    left = due_at - workflow.now()
    if left > timedelta():
        await workflow.sleep(left)


def _is_history_long() -> bool:
    return workflow.info().get_current_history_length() >= policy.HISTORY_EVENTS_MAX


def _is_first_run() -> bool:
    """Whether no earlier run, and no run before a reset, can have made calls."""
    info = workflow.info()
    return info.run_id == info.first_execution_run_id


def _input(form: type[Form], given: tuple[Any, ...]) -> Form:
    """An update's input; raises ApplicationError with a sentence."""
    try:
        return inputs.single(form, given, what="refused")
    except inputs.InvalidInputError as error:
        raise ApplicationError(str(error)) from error


def _heard(step: Step, call: workflow.ActivityHandle[Evidence]) -> Evidence | None:
    """What a call that is over says; None if it was cancelled before anything was sent."""
    try:
        return call.result()
    except asyncio.CancelledError:
        # Cancelled in the very task that brought its result: the result is gone, the call was not.
        return _LOST if step is Step.ASK else None
    except ActivityError as error:
        match error.cause:
            case CancelledError():
                return None
            case ApplicationError(type=contract.NOT_SENT):
                return None
            case ApplicationError(type=contract.NO_NEWS, details=details):
                return Evidence.model_validate(details[0]) if details else None
            case _:
                return _LOST if step is Step.ASK else None
