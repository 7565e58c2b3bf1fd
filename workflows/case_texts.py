"""Texts about a case for the Temporal UI, in Markdown."""

from datetime import datetime
from typing import Final

from antom_refunds.domain.case import ADVICE, Case, CaseKind, CaseState, ReportedFinding
from workflows.markdown import escape, table

_KIND_TEXT: Final = {
    CaseKind.NEEDS_ATTENTION: "the refund ended, and its result requires an action",
    CaseKind.CONTRADICTION: "Antom contradicts the refund's terminal state",
    CaseKind.STOPPED: "the refund's workflow was stopped before a terminal state",
    CaseKind.EXTERNAL_REFUND: "Antom reports a refund that does not run here",
    CaseKind.RETURNED: "the refund succeeded, and the funds came back",
}
_LISTED: Final = 10


def details(case: Case) -> str:
    """The case for the UI's current details: what it is about, what happened, what to do."""
    lines = [
        f"### {case.state}: {_KIND_TEXT[case.subject.kind]}",
        *_what_to_do(case),
        *table(_facts(case)),
        "",
        "**What happened**",
        *(_finding(each) for each in case.findings[-_LISTED:]),
    ]
    if case.actions:
        lines += ["", "**What was done**"]
        lines += [
            f"- {_time(each.at)} {escape(each.by)}: {escape(each.action)}: {escape(each.reason)}"
            for each in case.actions[-_LISTED:]
        ]
    return "\n".join(lines)


def _what_to_do(case: Case) -> list[str]:
    if case.state is CaseState.CLOSED:
        return []
    return [f"> **What to do:** {ADVICE[case.subject.kind]}.", ""]


def _facts(case: Case) -> list[tuple[str, str]]:
    subject, closure = case.subject, case.closure
    closed = (
        f"{closure.result} {closure.reference}, by {closure.by}: {closure.reason}"
        if closure
        else ""
    )
    return [
        ("refund", subject.refund_request_id or subject.key),
        ("merchant", subject.merchant),
        ("payment", subject.payment_id or "not named"),
        ("amount", str(subject.amount) if subject.amount else "not named"),
        ("opened", _time(case.opened_at)),
        ("due", _time(case.due_at)),
        ("findings", str(len(case.digests))),
        ("assigned to", case.assignee or ""),
        ("snoozed until", _time(case.snoozed_until) if case.snoozed_until else ""),
        ("closed", closed),
    ]


def _finding(each: ReportedFinding) -> str:
    evidence = each.finding.evidence
    said = f" (`{escape(evidence.code)}`, by {evidence.source})" if evidence else ""
    return f"- {_time(each.at)} {escape(each.finding.text)}{said}"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
