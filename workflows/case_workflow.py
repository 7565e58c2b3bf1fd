"""The workflow of one case: collect findings until an operator closes it."""

import asyncio
from datetime import datetime
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from antom_refunds import attributes, case_contract, contract
    from antom_refunds.case_contract import Assignment, Closing, Snooze
    from antom_refunds.contract import Instruction
    from antom_refunds.domain import case as cases
    from antom_refunds.domain import policy
    from antom_refunds.domain.case import Case, CaseAction, CaseResult, Closure, Finding
    from workflows import case_texts, inputs

_ALREADY_CLOSED: Final = "the case is already closed"


@workflow.defn(name=case_contract.CASE_WORKFLOW)
class RefundCaseWorkflow:
    """One open matter about a refund, closed by an operator with a reason.

    It returns the case as it was closed. Whoever reports the same finding again later compares it
    with that result, so that only a new finding opens the case again.
    """

    @workflow.init
    def __init__(self, *arguments: Any) -> None:
        self._input_error: str | None = None
        is_continued = workflow.info().continued_run_id is not None
        try:
            given, earlier = inputs.case_and_continuation(
                arguments, workflow_id=workflow.info().workflow_id, is_continued=is_continued
            )
        except inputs.InvalidInputError as error:
            self._input_error = str(error)
            return
        self._case = earlier or case_contract.case_at_start(given, now=workflow.now())
        self._published = self._case
        self._input = given

    @workflow.run
    async def run(self, *arguments: Any) -> Case:  # noqa: ARG002
        """Run until an operator closes the case; raise ApplicationError if the input is no case."""
        if self._input_error is not None:
            raise ApplicationError(
                self._input_error, type=contract.INVALID_INPUT, non_retryable=True
            )
        self._publish_initial()
        while self._case.closure is None:
            await self._wait_for_change()
            self._publish()
            self._continue_as_new_if_long()
        return self._case

    @workflow.signal(name=case_contract.SIGNAL_REPORT)
    def report(self, *arguments: Any) -> None:
        """Add a finding; anything else is dropped, and a known one changes nothing."""
        try:
            finding = inputs.single(Finding, arguments, what="the finding")
        except inputs.InvalidInputError as error:
            workflow.logger.warning("case.signal_dropped", extra={"reason": str(error)})
            meter = workflow.metric_meter()
            meter.create_counter("refund_signals_dropped", "Invalid signals, dropped").add(1)
            return
        if self._input_error is None:
            self._report(finding)

    @workflow.query(name=case_contract.QUERY_CASE)
    def case(self) -> Case:
        """Everything known about this case."""
        if self._input_error is not None:
            raise ApplicationError(self._input_error)
        return self._case

    @workflow.update(name=case_contract.UPDATE_ASSIGN)
    def assign(self, *arguments: Any) -> str:
        """Say who settles this case."""
        given = inputs.for_update(Assignment, arguments)
        action = _action(given, f"assign to {given.to}")
        self._case = cases.assigned(self._case, given.to, action)
        return f"assigned to {given.to}"

    @assign.validator
    def _may_assign(self, *arguments: Any) -> None:
        inputs.for_update(Assignment, arguments)
        self._reject_if_closed()

    @workflow.update(name=case_contract.UPDATE_NOTE)
    def note(self, *arguments: Any) -> str:
        """Add a note: its text is the reason."""
        given = inputs.for_update(Instruction, arguments)
        self._case = cases.noted(self._case, _action(given, "note"))
        return "noted"

    @note.validator
    def _may_note(self, *arguments: Any) -> None:
        inputs.for_update(Instruction, arguments)
        self._reject_if_closed()

    @workflow.update(name=case_contract.UPDATE_SNOOZE)
    def snooze(self, *arguments: Any) -> str:
        """Take the case out of the inbox until a time, or until there is a new finding."""
        given = inputs.for_update(Snooze, arguments)
        until = _format(given.until)
        self._case = cases.snoozed(self._case, given.until, _action(given, f"snooze until {until}"))
        return f"out of the inbox until {until}, or until there is a new finding"

    @snooze.validator
    def _may_snooze(self, *arguments: Any) -> None:
        given = inputs.for_update(Snooze, arguments)
        self._reject_if_closed()
        now = workflow.now()
        if not now < given.until <= now + policy.CASE_SNOOZE_MAX:
            raise ApplicationError(
                f"refused: until: must be after {_format(now)} and at most "
                f"{policy.CASE_SNOOZE_MAX.days} days later"
            )

    @workflow.update(name=case_contract.UPDATE_CLOSE)
    def close(self, *arguments: Any) -> str:
        """Close the case with what was done; a new finding opens it again."""
        given = inputs.for_update(Closing, arguments)
        closure = Closure(at=workflow.now(), **given.model_dump(exclude={"findings"}))
        self._case = cases.closed(self._case, closure)
        return f"the case is closed: {given.result}; findings: {len(self._case.digests)}"

    @close.validator
    def _may_close(self, *arguments: Any) -> None:
        given = inputs.for_update(Closing, arguments)
        self._reject_if_closed()
        self._reject_if_unseen(given)
        if given.result is CaseResult.NEW_REFUND and not given.reference:
            raise ApplicationError("refused: reference: is required: the new refund's id")

    def _reject_if_unseen(self, given: Closing) -> None:
        """An operator must have seen what a case is closed over."""
        number = len(self._case.digests)
        if given.findings is None and self._case.digests != self._published.digests:
            raise ApplicationError("a new finding has just arrived: look at it before you close")
        if given.findings not in {None, number}:
            raise ApplicationError(
                f"the case has {number} findings, and you have seen {given.findings}: look at it "
                "again before you close it"
            )

    def _reject_if_closed(self) -> None:
        if self._input_error is not None:
            raise ApplicationError(self._input_error)
        if (closure := self._case.closure) is not None:
            raise ApplicationError(f"{_ALREADY_CLOSED}: {closure.result}, by {closure.by}")

    def _report(self, finding: Finding) -> None:
        self._case = cases.reported(self._case, finding, at=workflow.now())
        if self._input.is_record_only and self._case.closure is None:
            closure = case_contract.RECORDED.model_copy(update={"at": workflow.now()})
            self._case = cases.closed(self._case, closure)

    async def _wait_for_change(self) -> None:
        """Wait for an operator or a finding, or for the end of a snooze.

        Cancelling the workflow does not close the case: only an operator does, with a reason.
        """
        until = self._case.snoozed_until
        try:
            await workflow.wait_condition(
                lambda: self._case != self._published,
                timeout=None if until is None else until - workflow.now(),
            )
        except TimeoutError:
            until = self._case.snoozed_until
            if until is not None and until <= workflow.now():
                self._case = cases.woken(self._case)
        except asyncio.CancelledError:
            workflow.logger.warning("case.cancel_ignored")

    def _publish_initial(self) -> None:
        """Set the search attributes that whoever started this case omitted."""
        current = workflow.info().typed_search_attributes
        expected = attributes.of_case(self._case)
        if wrong := [pair for pair in expected if current.get(pair.key) != pair.value]:
            workflow.upsert_search_attributes([pair.key.value_set(pair.value) for pair in wrong])
        self._show()

    def _publish(self) -> None:
        published = list(attributes.of_case(self._published))
        if changed := [pair for pair in attributes.of_case(self._case) if pair not in published]:
            workflow.upsert_search_attributes([pair.key.value_set(pair.value) for pair in changed])
        self._show()

    def _show(self) -> None:
        self._published = self._case
        workflow.set_current_details(case_texts.details(self._case))

    def _continue_as_new_if_long(self) -> None:
        """Continue as new before the run reaches Temporal's limits on updates and signals."""
        is_long = workflow.info().get_current_history_length() >= policy.HISTORY_EVENTS_MAX
        if is_long and self._case.closure is None:
            workflow.continue_as_new(args=[self._input, self._case])


def _action(given: Instruction, action: str) -> CaseAction:
    return CaseAction(at=workflow.now(), by=given.by, action=action, reason=given.reason)


def _format(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
