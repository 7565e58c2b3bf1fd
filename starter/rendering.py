"""Renders refunds and cases for a terminal; starter/json_report.py renders them for programs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antom_refunds.case_views import CaseView
from antom_refunds.contract import Dossier, RefundOutcome
from antom_refunds.domain.case import ADVICE, Case
from antom_refunds.domain.refund import RefundState
from antom_refunds.views import RefundView

_PLAIN_WIDTH: Final = 200
_UNKNOWN: Final = "unknown"

STYLES: Final = {
    RefundState.REQUESTED: "cyan",
    RefundState.IN_DOUBT: "yellow",
    RefundState.BLOCKED: "red",
    RefundState.PROCESSING: "blue",
    RefundState.SUCCEEDED: "green",
    RefundState.FAILED: "red",
    RefundState.CLOSED: "magenta",
}


def coloured(state: RefundState | None) -> str:
    return _UNKNOWN if state is None else f"[{STYLES[state]}]{state}[/]"


def _state_of(refund: RefundView) -> str:
    stopped = f" [red]stopped ({refund.stopped_as})[/]" if refund.is_stopped else ""
    return coloured(refund.state) + stopped


def _known(value: object) -> str:
    return _UNKNOWN if value is None else escape(str(value))


def format_time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def table(views: Iterable[RefundView]) -> Table:
    """A table with one row per refund."""
    shown = Table("refund", "merchant", "payment", "amount", "state", "code", "attention", box=None)
    for view in views:
        shown.add_row(
            escape(view.refund_request_id),
            _known(view.merchant),
            _known(view.payment_id),
            _known(view.amount),
            _state_of(view),
            escape(view.result_code),
            "[red]yes[/]" if view.needs_attention else "",
        )
    return shown


def case_table(views: Iterable[CaseView]) -> Table:
    """A table with one row per case."""
    shown = Table("case", "payment", "amount", "state", "code", "opened", "due", box=None)
    for view in views:
        shown.add_row(
            escape(view.case_id),
            _known(view.payment_id),
            _known(view.amount),
            _known(view.state),
            escape(view.result_code),
            format_time(view.opened_at),
            format_time(view.due_at),
        )
    return shown


def facts_of_case(case: Case) -> dict[str, str]:
    """Everything about one case."""
    subject, closure = case.subject, case.closure
    findings = [f"{format_time(each.at)}  {escape(each.finding.text)}" for each in case.findings]
    actions = [
        f"{format_time(each.at)}  {escape(each.by)}: {escape(each.action)}: {escape(each.reason)}"
        for each in case.actions
    ]
    return {
        "case": f"{subject.kind}: {case.state}",
        "refund": escape(subject.refund_request_id or subject.key),
        "merchant": escape(subject.merchant),
        "payment": _known(subject.payment_id),
        "amount": _known(subject.amount),
        "opened": format_time(case.opened_at),
        "due": "" if closure else format_time(case.due_at),
        "assigned to": escape(case.assignee or ""),
        "snoozed until": format_time(case.snoozed_until),
        "findings": str(len(case.digests)),
        "happened": "\n".join(findings),
        "what to do": "" if closure else ADVICE[subject.kind],
        "done": "\n".join(actions),
    }


def facts_of_view(refund: RefundView, *, link: str) -> dict[str, str]:
    """The fields of one refund as Temporal's visibility store shows them."""
    return {
        "refund": escape(refund.refund_request_id),
        "state": _state_of(refund),
        "amount": _known(refund.amount),
        "payment": _known(refund.payment_id),
        "merchant": _known(refund.merchant),
        "last code": escape(refund.result_code),
        "requested": format_time(refund.started_at),
        "ended": format_time(refund.ended_at),
        "overdue at": format_time(refund.overdue_at) if refund.is_running else "",
        "stopped": "in Temporal, without a final result from Antom: check with Antom"
        if refund.is_stopped
        else "",
        "Temporal UI": link,
    }


def facts_of_outcome(ended: RefundOutcome) -> dict[str, str]:
    """The fields of a refund in a terminal state."""
    return {
        "Antom's id": escape(ended.refund_id or ""),
        "final result": escape(ended.message),
        "advice": escape(ended.advice),
        "attention": escape(ended.attention_reason or ""),
    }


def facts_of_dossier(known: Dossier) -> dict[str, str]:
    """The evidence received so far, and what the refund waits for."""
    evidence = [
        f"{format_time(entry.at)}  {entry.evidence.source}: {escape(entry.evidence.message)}"
        for entry in known.entries
    ]
    return {
        "evidence": "\n".join(evidence),
        "waits for": known.waits_for or "",
        "attention": escape(known.attention_reason or ""),
    }


def print_facts(console: Console, known: dict[str, str]) -> None:
    """Print each fact on one or more lines; empty facts are omitted."""
    width = max(map(len, known))
    for name, value in known.items():
        for number, line in enumerate(value.splitlines()):
            label = "" if number else name
            console.print(f"  {label:<{width}}  {line}", soft_wrap=True, highlight=False)


def console_for_output() -> Console:
    """A console on standard output, with a fixed width where there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)
