"""The contract of the `RefundCase` workflow: names, inputs and the rules of contract.py."""

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from antom_refunds.contract import TEXT_MAX, Instruction, RefundOutcome, StoredModel
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
from antom_refunds.domain.evidence import Evidence
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
_KEY_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

_RECORDED: Final = Closure(
    at=datetime.min.replace(tzinfo=UTC),
    by="antom-refunds",
    reason="the settings record external refunds of this merchant without a case",
    result=CaseResult.RECORDED,
)


def _with_zone(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("must have a time zone, for example 2026-01-31T09:00:00Z")
    return time.astimezone(UTC)


class CaseInput(StoredModel):
    """The input of a case: the matter, and the findings that opened it.

    `opened_at` is None if the sender has no reliable clock. `earlier` is the same case as it was
    closed before, None if it never was. A case that `is_record_only` is closed from the beginning.
    """

    subject: CaseSubject
    opened_at: datetime | None = None
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
    """What was done. `reference` is the new refund's id, or a ticket."""

    result: CaseResult
    reference: Annotated[str, Field(max_length=200)] = ""


def case_id(subject: CaseSubject) -> str:
    """The workflow id of this case."""
    return f"case/{subject.merchant}/{subject.kind}/{subject.key}"


def case_at_start(case_input: CaseInput, *, now: datetime) -> Case:
    """The case as it begins: what the starter writes into search attributes, and the workflow."""
    at = case_input.opened_at or now
    case = case_input.earlier or opened(case_input.subject, at=at)
    for finding in case_input.findings:
        case = reported(case, finding, at=at)
    return (
        closed(case, _RECORDED.model_copy(update={"at": at})) if case_input.is_record_only else case
    )


def case_summary(subject: CaseSubject) -> str:
    """One line for the UI's list of workflows."""
    amount = f" of {subject.amount}" if subject.amount else ""
    return f"{subject.kind}: refund {subject.refund_request_id or subject.key}{amount}"[:200]


def case_key(antom_id: str) -> str:
    """The key of a case about this id: the id itself, or a digest if it has another form."""
    is_usable = _KEY_FORM.fullmatch(antom_id) is not None
    return antom_id if is_usable else sha256(antom_id.encode("utf-8", "replace")).hexdigest()[:32]


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


def case_of_ended(refund: Refund) -> CaseInput | None:
    """The case that a refund in a terminal state is handed over to; None if nobody must look."""
    if refund.contradictions:
        findings = tuple(_contradiction(refund.state, each) for each in refund.contradictions)
        return CaseInput(
            subject=subject_of_order(CaseKind.CONTRADICTION, refund.order),
            findings=findings[:LISTED_MAX],
        )
    if refund.attention_reason is None:
        return None
    text = f"the refund is {refund.state}: {refund.attention_reason}"[:TEXT_MAX]
    return CaseInput(
        subject=subject_of_order(CaseKind.NEEDS_ATTENTION, refund.order),
        findings=(Finding.of(text, refund.deciding_evidence),),
    )


def case_of_contradiction(outcome: RefundOutcome, evidence: Evidence) -> CaseInput:
    """The case of a contradiction that arrived after the refund's workflow had ended."""
    subject = CaseSubject(
        kind=CaseKind.CONTRADICTION,
        merchant=outcome.merchant,
        key=outcome.refund_request_id,
        refund_request_id=outcome.refund_request_id,
        payment_id=outcome.payment_id,
        amount=outcome.amount,
    )
    return CaseInput(subject=subject, findings=(_contradiction(outcome.state, evidence),))


def _contradiction(state: RefundState, evidence: Evidence) -> Finding:
    text = f"the refund is {state}, but the {evidence.source} says: {evidence.message}"
    return Finding.of(text[:TEXT_MAX], evidence)
