"""The JSON object that every command prints with --json (docs/cli.md#json)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from antom_refunds.case_views import CaseView
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import (
    ADVICE,
    Case,
    CaseAction,
    CaseKind,
    CaseState,
    Closure,
    ReportedFinding,
)
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.process import OK
from antom_refunds.views import RefundView


class RefundReport(BaseModel):
    """One refund. None means unknown, or not known yet.

    The fields of the outcome (`message`, `advice`, `refund_id`, `refund_time`, `is_contradicted`,
    `attention_reason`) are set only for a refund in a terminal state, by commands that show it or
    wait for it.
    """

    model_config = ConfigDict(frozen=True)

    refund_request_id: str
    merchant: str | None
    payment_id: str | None
    amount: Money | None
    state: RefundState | None
    result_code: str
    needs_attention: bool
    is_running: bool
    stopped_as: str | None
    overdue_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    workflow_id: str
    run_id: str
    history_length: int
    message: str | None = None
    advice: str | None = None
    attention_reason: str | None = None
    refund_id: str | None = None
    refund_time: datetime | None = None
    is_contradicted: bool | None = None

    @classmethod
    def of(cls, view: RefundView, outcome: RefundOutcome | None = None) -> Self:
        """Merge both; the outcome takes precedence because Temporal's visibility store may lag."""
        known = view.model_dump()
        if outcome is not None:
            known |= outcome.model_dump()
            known["needs_attention"] = outcome.attention_reason is not None
            known["attention_reason"] = outcome.attention_reason
        return cls.model_validate(known)


class CaseReport(BaseModel):
    """One case. None means unknown; the fields from `assignee` on are set by `cases show` only."""

    model_config = ConfigDict(frozen=True)

    case_id: str
    kind: CaseKind | None
    state: CaseState | None
    merchant: str | None
    refund: str | None
    payment_id: str | None
    amount: Money | None
    result_code: str
    is_in_inbox: bool
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    assignee: str | None = None
    snoozed_until: datetime | None = None
    advice: str | None = None
    findings_count: int | None = None
    findings: tuple[ReportedFinding, ...] | None = None
    actions: tuple[CaseAction, ...] | None = None
    closure: Closure | None = None

    @classmethod
    def of_view(cls, view: CaseView) -> Self:
        """A case as the list shows it."""
        return cls.model_validate(view.model_dump())

    @classmethod
    def of_case(cls, case_id: str, case: Case) -> Self:
        """Everything known about one case."""
        subject, evidence = case.subject, case.latest.evidence if case.latest else None
        return cls(
            case_id=case_id,
            kind=subject.kind,
            state=case.state,
            merchant=subject.merchant,
            refund=subject.refund_request_id or subject.key,
            payment_id=subject.payment_id,
            amount=subject.amount,
            result_code=evidence.code if evidence else "none",
            is_in_inbox=case.is_in_inbox,
            opened_at=case.opened_at,
            due_at=case.due_at,
            closed_at=case.closure.at if case.closure else None,
            assignee=case.assignee,
            snoozed_until=case.snoozed_until,
            advice=ADVICE[subject.kind],
            findings_count=len(case.digests),
            findings=case.findings,
            actions=case.actions,
            closure=case.closure,
        )


class Report(BaseModel):
    """The result of a command. `error` is set only if it failed; `message` is its own text."""

    model_config = ConfigDict(frozen=True)

    command: str
    exit_code: int = OK
    error: str | None = None
    message: str | None = None
    refunds: tuple[RefundReport, ...] = ()
    cases: tuple[CaseReport, ...] = ()


def print_report(
    command: str,
    *,
    exit_code: int = OK,
    error: str | None = None,
    message: str | None = None,
    refunds: Iterable[RefundReport] = (),
    cases: Iterable[CaseReport] = (),
) -> None:
    """Print one JSON object on one line of standard output."""
    report = Report(
        command=command,
        exit_code=exit_code,
        error=error,
        message=message,
        refunds=tuple(refunds),
        cases=tuple(cases),
    )
    print(report.model_dump_json())  # noqa: T201 - this is the output
