"""The workflow of one refund: request it, follow it up, return the outcome."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

with workflow.unsafe.imports_passed_through():
    from antom_refunds import attributes, contract
    from antom_refunds.activity_interface import AntomCalls
    from antom_refunds.case_contract import CaseInput, cases_of_ended
    from antom_refunds.contract import (
        CallInput,
        Continuation,
        Dossier,
        DossierEntry,
        Instruction,
        Resolution,
    )
    from antom_refunds.domain import policy
    from antom_refunds.domain.confirmation import confirms_outdated_result, is_outdated
    from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
    from antom_refunds.domain.policy import Policy
    from antom_refunds.domain.refund import (
        UNEXECUTED_STATES,
        WORKER_LOST,
        Refund,
        Step,
    )
    from antom_refunds.domain.state_machine import apply
    from workflows import inputs, operator_texts
    from workflows.case_opening import open_cases

_RETRY: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST, maximum_interval=policy.RETRY_MAX, maximum_attempts=0
)
# In states that mean "nothing was executed", losing a worker mid-call must reach the workflow as
# doubt. Temporal must not retry that attempt while the state still says so.
_RETRY_UNLESS_LOST: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST,
    maximum_interval=policy.RETRY_MAX,
    maximum_attempts=0,
    non_retryable_error_types=["TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"],
)

_WORKER_LOST: Final = Evidence(
    source=Source.RESPONSE,
    kind=EvidenceKind.DOUBT,
    code=WORKER_LOST,
    message="the worker was lost while it sent the refund call",
    advice="an inquiry follows, and the same request is sent again if Antom has no such refund",
)
_OVERDUE: Final = Evidence(
    source=Source.CLOCK, kind=EvidenceKind.OVERDUE, code="overdue", message="no result in time"
)
_ACTIVITIES: Final = {
    Step.SEND: AntomCalls.request_refund,
    Step.POLL: AntomCalls.await_result,
    Step.INQUIRE: AntomCalls.inquire,
}
_CANCELLED: Final = Instruction(by="Temporal", reason="cancellation of the workflow was requested")
# The starting client's clock may be wrong: beyond this difference its value is replaced.
_OVERDUE_AT_TOLERANCE: Final = timedelta(minutes=1)
_OVERDUE_AFTER_MAX: Final = timedelta(days=3650)


@workflow.defn(name=contract.WORKFLOW)
class RefundWorkflow:
    """One refund, from the request to a terminal state.

    The workflow always completes with the refund's outcome, regardless of signals, updates and
    cancellations; it fails only if its input is not an order. Activities retry calls until there
    is new information, so polling a thousand times adds no more history than polling once.
    """

    @workflow.init
    def __init__(self, *arguments: Any) -> None:
        info = workflow.info()
        self._input_error: str | None = None
        self._calls: dict[Step, tuple[CallInput, workflow.ActivityHandle[Evidence]]] = {}
        self._entries: list[DossierEntry] = []
        self._since: dict[str, datetime] = {}
        self._quiet_since = workflow.now()
        self._is_check_requested = False
        self._overdue: asyncio.Task[None] | None = None
        self._overdue_at = workflow.now()
        self._initialise(arguments, is_continued=info.continued_run_id is not None)

    def _initialise(self, arguments: tuple[Any, ...], *, is_continued: bool) -> None:
        try:
            order, continuation = inputs.order_and_continuation(
                arguments, workflow_id=workflow.info().workflow_id, is_continued=is_continued
            )
        except inputs.InvalidInputError as error:
            self._input_error = str(error)
            return
        self._refund = continuation.refund if continuation else Refund(order=order)
        self._published = self._refund
        if continuation is not None:
            self._entries = list(continuation.entries)
            self._since = dict(continuation.since)
            self._quiet_since = continuation.quiet_since or self._quiet_since

    @workflow.run
    async def run(self, *arguments: Any) -> contract.RefundOutcome:  # noqa: ARG002
        """Run until Antom reports a final result, or an operator resolves the refund with proof.

        Raises ApplicationError, without sending anything, if the input is not an order.
        """
        if self._input_error is not None:
            raise ApplicationError(
                self._input_error, type=contract.INVALID_INPUT, non_retryable=True
            )
        self._start_overdue_timer()
        self._publish()
        while not self._refund.is_terminal:
            self._start_next()
            await self._wait_for(self._has_changes)
            self._collect_results()
            self._cancel_outdated()
            self._publish()
            await self._continue_as_new_if_long()
        await self._finish_sending()
        self._publish()
        await self._hand_over()
        return contract.outcome_of(self._refund)

    @workflow.signal(name=contract.SIGNAL_NOTIFY)
    def notify(self, *arguments: Any) -> None:
        """Apply a notification that the webhook has verified; anything else is dropped."""
        try:
            evidence = inputs.notification_evidence(arguments)
        except inputs.InvalidInputError as error:
            workflow.logger.warning("refund.signal_dropped", extra={"reason": str(error)})
            meter = workflow.metric_meter()
            meter.create_counter("refund_signals_dropped", "Invalid signals, dropped").add(1)
            return
        if self._input_error is None:
            self._apply(evidence)

    @workflow.query(name=contract.QUERY_DOSSIER)
    def dossier(self) -> Dossier:
        """Everything known about this refund."""
        if self._input_error is not None:
            raise ApplicationError(self._input_error)
        return Dossier(
            refund=self._refund,
            waits_for=self._refund.next_step,
            attention_reason=self._refund.attention_reason,
            entries=tuple(self._entries),
        )

    @workflow.update(name=contract.UPDATE_CHECK_NOW)
    def check_now(self, *arguments: Any) -> str:
        """Inquire immediately instead of at the next due time."""
        self._apply(
            contract.evidence_from_instruction(
                EvidenceKind.CHECK, inputs.for_update(Instruction, arguments)
            )
        )
        self._is_check_requested = True
        return "an inquiry is being sent; see the details for the response"

    @check_now.validator
    def _may_check(self, *arguments: Any) -> None:
        inputs.for_update(Instruction, arguments)
        self._reject_if_terminal()

    @workflow.update(name=contract.UPDATE_RESOLVE)
    def resolve(self, *arguments: Any) -> str:
        """Set the terminal state manually, with proof of what really happened."""
        self._apply(contract.evidence_from_resolution(inputs.for_update(Resolution, arguments)))
        return f"the refund is {self._refund.state}"

    @resolve.validator
    def _may_resolve(self, *arguments: Any) -> None:
        inputs.for_update(Resolution, arguments)
        self._reject_if_terminal()

    @workflow.update(name=contract.UPDATE_CALL_OFF)
    def call_off(self, *arguments: Any) -> str:
        """Call the refund off before Antom executes it: no further refund call is sent."""
        self._apply(
            contract.evidence_from_instruction(
                EvidenceKind.CALL_OFF, inputs.for_update(Instruction, arguments)
            )
        )
        return "called off: the refund closes once Antom confirms that it has no such refund"

    @call_off.validator
    def _may_call_off(self, *arguments: Any) -> None:
        inputs.for_update(Instruction, arguments)
        self._reject_if_terminal()
        if self._refund.call_off is not None:
            raise ApplicationError("already called off; waiting for Antom's confirmation")
        if self._refund.state not in UNEXECUTED_STATES:
            raise ApplicationError(
                f"too late: the refund is {self._refund.state}, its request was sent"
            )

    def _reject_if_terminal(self) -> None:
        if self._input_error is not None:
            raise ApplicationError(self._input_error)
        if self._refund.is_terminal:
            raise ApplicationError(f"the refund is already {self._refund.state}")

    def _start_overdue_timer(self) -> None:
        """Use the server's clock, and a timer of its own that is independent of the calls."""
        info = workflow.info()
        overdue_at = info.workflow_start_time + _overdue_after()
        from_client = info.typed_search_attributes.get(attributes.OVERDUE_AT)
        if from_client is not None and abs(from_client - overdue_at) <= _OVERDUE_AT_TOLERANCE:
            overdue_at = from_client
        self._overdue_at = overdue_at
        if info.continued_run_id is None:
            self._complete_attributes()
        if not self._refund.is_overdue:
            self._overdue = asyncio.create_task(_sleep_until(self._overdue_at))

    def _complete_attributes(self) -> None:
        """Set search attributes that the client omitted or set wrongly; its own cost no event."""
        current = workflow.info().typed_search_attributes
        expected = attributes.initial(self._refund, overdue_at=self._overdue_at)
        if wrong := [pair for pair in expected if current.get(pair.key) != pair.value]:
            workflow.upsert_search_attributes([pair.key.value_set(pair.value) for pair in wrong])

    def _start_next(self) -> None:
        step = self._step_to_start()
        if step is None:
            return
        refund = self._refund
        key = f"{step} {refund.state}"
        call_input = CallInput(
            refund=refund,
            since=self._since.setdefault(key, workflow.now()),
            quiet_since=self._quiet_since,
            is_first_run=_is_first_run(),
        )
        self._calls[step] = (call_input, self._start_activity(step, call_input))

    def _step_to_start(self) -> Step | None:
        """The next step, unless it is running or must wait until the refund call is finished."""
        step = self._refund.next_step
        must_wait = Step.SEND in self._calls and self._refund.is_sending_over
        return None if step in self._calls or must_wait else step

    def _start_activity(
        self, step: Step, call_input: CallInput
    ) -> workflow.ActivityHandle[Evidence]:
        is_unexecuted = call_input.refund.state in UNEXECUTED_STATES
        return workflow.start_activity_method(
            _ACTIVITIES[step],
            call_input,
            task_queue=contract.ANTOM_QUEUE,
            start_to_close_timeout=_calls_per_attempt(step, call_input.refund)
            * policy.CALL_TIMEOUT,
            heartbeat_timeout=policy.HEARTBEAT_TIMEOUT,
            retry_policy=_RETRY_UNLESS_LOST if is_unexecuted and step is Step.SEND else _RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=operator_texts.summary(step, call_input.refund),
        )

    async def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait without a timeout, because Antom's result may take any time.

        Cancelling the workflow only calls the refund off: a refund that Antom may know of must
        not be abandoned.
        """
        while True:
            try:
                await workflow.wait_condition(condition)
            except asyncio.CancelledError:
                workflow.logger.warning(
                    "refund.cancel_requested", extra={"state": self._refund.state}
                )
                self._apply(contract.evidence_from_instruction(EvidenceKind.CALL_OFF, _CANCELLED))
            else:
                return

    def _has_changes(self) -> bool:
        is_changed = self._refund != self._published or self._step_to_start() is not None
        timer_fired = self._overdue is not None and self._overdue.done()
        has_results = any(call.done() for _, call in self._calls.values())
        return is_changed or timer_fired or has_results or self._is_check_requested

    def _collect_results(self) -> None:
        """Apply everything that has arrived, before anything is decided."""
        if self._overdue is not None and self._overdue.done():
            self._overdue = None
            self._apply(_OVERDUE)
        for step in [step for step, (_, call) in self._calls.items() if call.done()]:
            call_input, call = self._calls.pop(step)
            if step is Step.SEND:
                self._quiet_since = workflow.now()
            evidence = _evidence_from_activity(step, call)
            if evidence is not None and not confirms_outdated_result(
                evidence, call_input.refund, self._refund
            ):
                self._apply(evidence)

    def _cancel_outdated(self) -> None:
        """Cancel activities that newer evidence made obsolete; a call in flight still finishes."""
        inquiring = self._calls.get(Step.INQUIRE)
        if inquiring is not None and (
            self._is_check_requested or self._lacks_call_off(inquiring[0])
        ):
            inquiring[1].cancel()
        self._is_check_requested = False
        polling = self._calls.get(Step.POLL)
        if polling is not None and is_outdated(polling[0].refund, self._refund):
            polling[1].cancel()
        sending = self._calls.get(Step.SEND)
        if sending is not None and (
            self._refund.is_sending_over or self._is_due_earlier(sending[0])
        ):
            sending[1].cancel()

    def _lacks_call_off(self, call_input: CallInput) -> bool:
        """Whether the inquiry was started before the call-off, and so cannot confirm it."""
        return self._refund.call_off is not None and call_input.refund.call_off is None

    def _is_due_earlier(self, call_input: CallInput) -> bool:
        """Whether the refund call is due now, while an activity still waits for a later time."""
        return self._refund.is_send_due and not call_input.refund.is_send_due

    async def _finish_sending(self) -> None:
        """Wait for a refund call in flight: it may move money, so its response comes first."""
        sending = self._calls.get(Step.SEND)
        if sending is not None:
            if not sending[1].done():
                sending[1].cancel()
            await self._wait_for(sending[1].done)
        self._collect_results()

    async def _hand_over(self) -> None:
        """Hand a refund that an operator must look at over to a case, which outlives this run.

        A contradiction may arrive meanwhile. If a case cannot be reached, the refund stays flagged,
        and the workers' watch opens its case.
        """
        handed_over: tuple[CaseInput, ...] = ()
        while (cases := cases_of_ended(self._refund)) != handed_over:
            opening = asyncio.create_task(open_cases(cases))
            await self._wait_for(opening.done)
            if not opening.result():
                return
            handed_over = cases
            self._publish()
        if handed_over:
            cleared = attributes.NEEDS_ATTENTION.value_set(value=False)
            workflow.upsert_search_attributes([cleared])

    async def _continue_as_new_if_long(self) -> None:
        """Continue as new before the run reaches Temporal's limits on updates and signals."""
        if self._refund.is_terminal or not _is_history_long():
            return
        await self._finish_sending()
        self._publish()
        if not self._refund.is_terminal:
            self._continue_as_new()

    def _continue_as_new(self) -> None:
        continuation = Continuation(
            refund=self._refund,
            entries=tuple(self._entries),
            since=self._since,
            quiet_since=self._quiet_since,
        )
        workflow.continue_as_new(args=[self._refund.order, continuation])

    def _apply(self, evidence: Evidence) -> None:
        before, self._refund = self._refund, apply(self._refund, evidence)
        if self._refund != before and len(self._entries) < policy.DOSSIER_ENTRIES_MAX:
            self._entries.append(DossierEntry(at=workflow.now(), evidence=evidence))

    def _publish(self) -> None:
        """Update the details, and upsert changed search attributes; only the upsert is an event."""
        published = attributes.mutable(self._published)
        changed = [new for new in attributes.mutable(self._refund) if new not in published]
        if changed:
            workflow.upsert_search_attributes([key.value_set(value) for key, value in changed])
        self._published = self._refund
        workflow.set_current_details(
            operator_texts.details(self._refund, overdue_at=self._overdue_at)
        )


def _calls_per_attempt(step: Step, refund: Refund) -> int:
    """Maximum number of calls per attempt: two inquiries may precede a refund call."""
    return 1 if step is Step.SEND and refund.state in UNEXECUTED_STATES else 3


def _overdue_after() -> timedelta:
    """Time until the refund is overdue: from the memo, or the default if that is invalid."""
    seconds = workflow.memo_value(contract.MEMO_OVERDUE_AFTER, None)
    limit = _OVERDUE_AFTER_MAX.total_seconds()
    is_valid = isinstance(seconds, int | float) and 0 < seconds <= limit
    return timedelta(seconds=seconds) if is_valid else Policy().scaled_overdue_after


async def _sleep_until(overdue_at: datetime) -> None:
    remaining = overdue_at - workflow.now()
    if remaining > timedelta():
        await workflow.sleep(remaining)


def _is_history_long() -> bool:
    return workflow.info().get_current_history_length() >= policy.HISTORY_EVENTS_MAX


def _is_first_run() -> bool:
    """Whether no earlier run, before a reset or a continuation, can have made calls."""
    info = workflow.info()
    return info.run_id == info.first_execution_run_id


def _readable(detail: Any) -> Evidence | None:
    """Evidence from an error's details; None if a worker of another version wrote it."""
    try:
        return Evidence.model_validate(detail)
    except ValidationError:
        return None


def _evidence_from_activity(step: Step, call: workflow.ActivityHandle[Evidence]) -> Evidence | None:
    """The evidence of a finished activity; None if it was cancelled before anything was sent."""
    try:
        return call.result()
    except asyncio.CancelledError:
        # The result arrived in the workflow task that cancelled it: the call was made, but its
        # result is lost.
        return _WORKER_LOST if step is Step.SEND else None
    except ActivityError as error:
        match error.cause:
            case CancelledError():
                return None
            case ApplicationError(type=contract.NOT_SENT):
                return None
            case ApplicationError(type=contract.NOTHING_NEW, details=()):
                return None
            case ApplicationError(type=contract.NOTHING_NEW, details=details):
                return _readable(details[0]) or (_WORKER_LOST if step is Step.SEND else None)
            case _:
                return _WORKER_LOST if step is Step.SEND else None
