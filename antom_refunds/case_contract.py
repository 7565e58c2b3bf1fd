"""The contract of the `RefundCase` workflow: names, inputs and the rules of contract.py."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field

from antom_refunds.contract import (
    TEXT_MAX,
    Instruction,
    RefundOutcome,
    StoredModel,
    order_of,
)
from antom_refunds.domain.case import (
    LISTED_MAX,
    Case,
    CaseKind,
    CaseResult,
    CaseSubject,
    Closure,
    Finding,
    closed,
    opened,
    reported,
)
from antom_refunds.domain.evidence import Evidence, Source, check_against_order
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState

CASE_WORKFLOW: Final = "RefundCase"
SIGNAL_REPORT: Final = "report"
UPDATE_ASSIGN: Final = "assign"
UPDATE_NOTE: Final = "note"
UPDATE_SNOOZE: Final = "snooze"
UPDATE_CLOSE: Final = "close"
QUERY_CASE: Final = "case"

ACTIVITY_REPORT_CASE: Final = "report_case"

# An id of another form could contain the separator, and some of Temporal's stores reject it.
_ID_FORM: Final = re.compile(r"[!-~]{1,64}")
_KEY_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Beyond this difference the starter's clock is wrong.
_CLOCK_TOLERANCE: Final = timedelta(hours=1)
RECORDED: Final = Closure(
    at=datetime.min.replace(tzinfo=UTC),
    by="antom-refunds",
    reason="the settings record external refunds of this merchant without a case",
    result=CaseResult.RECORDED,
)


def _with_zone(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("must have a time zone, for example 2026-01-31T09:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is not a time that can be reached") from error


class CaseInput(StoredModel):
    """The input of a case: the matter, and the findings that opened it.

    `opened_at` is None if the sender has no reliable clock. `earlier` is the same case as it was
    closed before, None if it never was. A case that `is_record_only` is closed from the beginning.
    """

    subject: CaseSubject
    opened_at: AwareDatetime | None = None
    earlier: Case | None = None
    is_record_only: bool = False
    findings: Annotated[tuple[Finding, ...], Field(min_length=1, max_length=LISTED_MAX)]


class Assignment(Instruction):
    """Who settles the case."""

    to: Annotated[str, Field(min_length=1, max_length=100)]


class Snooze(Instruction):
    """Until when the case is not in the inbox."""

    until: Annotated[datetime, AfterValidator(_with_zone)]


class Closing(Instruction):
    """What was done. `reference` is the new refund's id, or a ticket.

    `findings` is how many findings the operator has seen; None if nobody counted them.
    """

    result: CaseResult
    findings: Annotated[int, Field(ge=1)] | None = None
    reference: Annotated[str, Field(max_length=200)] = ""


def case_id(subject: CaseSubject) -> str:
    """The workflow id of this case."""
    return f"case/{subject.merchant}/{subject.kind}/{subject.key}"


def case_at_start(case_input: CaseInput, *, now: datetime) -> Case:
    """The case as it begins: what the starter writes into search attributes, and the workflow."""
    given = case_input.opened_at
    at = given if given is not None and abs(given - now) <= _CLOCK_TOLERANCE else now
    case = case_input.earlier or opened(case_input.subject, at=at)
    for finding in case_input.findings:
        case = reported(case, finding, at=at)
    return (
        closed(case, RECORDED.model_copy(update={"at": at})) if case_input.is_record_only else case
    )


def case_summary(subject: CaseSubject) -> str:
    """One line for the UI's list of workflows."""
    amount = f" of {subject.amount}" if subject.amount else ""
    return f"{subject.kind}: refund {subject.refund_request_id or subject.key}{amount}"


def case_key(antom_id: str) -> str:
    """The key of a case about this id: the id itself, or a digest if it has another form."""
    is_usable = _KEY_FORM.fullmatch(antom_id) is not None
    return antom_id if is_usable else sha256(antom_id.encode("utf-8", "replace")).hexdigest()[:32]


def known_id(antom_id: str | None) -> str | None:
    """The id, if it has the form of ours and Antom's; None for any other text from outside."""
    return antom_id if antom_id is not None and _ID_FORM.fullmatch(antom_id) else None


def subject_of_order(kind: CaseKind, order: RefundOrder) -> CaseSubject:
    """The subject of a case about one of our refunds."""
    return CaseSubject(
        kind=kind,
        merchant=order.merchant,
        key=order.refund_request_id,
        refund_request_id=order.refund_request_id,
        payment_id=order.payment_id,
        amount=order.amount,
    )


def cases_of_ended(refund: Refund) -> tuple[CaseInput, ...]:
    """The cases that a refund in a terminal state is handed over to; none if nobody must look.

    What an operator knew when deciding the refund needs no operator again.
    """
    found = [each for each in refund.contradictions if not _was_known_to_operator(refund, each)]
    cases = []
    if found:
        findings = tuple(_contradiction(refund.state, each) for each in found[-LISTED_MAX:])
        subject = subject_of_order(CaseKind.CONTRADICTION, refund.order)
        cases.append(CaseInput(subject=subject, findings=findings))
    if refund.action_reason is not None:
        text = f"the refund is {refund.state}: {refund.action_reason}"[:TEXT_MAX]
        subject = subject_of_order(CaseKind.NEEDS_ATTENTION, refund.order)
        findings = (Finding.of(text, refund.deciding_evidence),)
        cases.append(CaseInput(subject=subject, findings=findings))
    return tuple(cases)


def case_of_contradiction(outcome: RefundOutcome, evidence: Evidence) -> CaseInput:
    """The case of a contradiction that arrived after the refund's workflow had ended."""
    order = order_of(outcome)
    checked = check_against_order(order, evidence)
    return CaseInput(
        subject=subject_of_order(CaseKind.CONTRADICTION, order),
        findings=(_contradiction(outcome.state, checked),),
    )


def case_of_outcome(outcome: RefundOutcome) -> CaseInput:
    """The case of a refund that ended in need of attention without opening one."""
    kind = CaseKind.CONTRADICTION if outcome.is_contradicted else CaseKind.NEEDS_ATTENTION
    text = f"the refund is {outcome.state}: {outcome.attention_reason}"[:TEXT_MAX]
    return CaseInput(
        subject=subject_of_order(kind, order_of(outcome)), findings=(Finding.of(text),)
    )


def _was_known_to_operator(refund: Refund, evidence: Evidence) -> bool:
    deciding = refund.deciding_evidence
    is_by_operator = deciding is not None and deciding.source is Source.OPERATOR
    return is_by_operator and evidence in (refund.closure, refund.unbound_success)


def _contradiction(state: RefundState, evidence: Evidence) -> Finding:
    named = [str(evidence.amount)] if evidence.amount else []
    named += [f"Antom's refund id {evidence.refund_id}"] if evidence.refund_id else []
    about = f" ({', '.join(named)})" if named else ""
    text = f"the refund is {state}, but the {evidence.source} says: {evidence.message}{about}"
    return Finding.of(text[:TEXT_MAX], evidence)
