"""How refunds look on a terminal, and as JSON for programs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from antom_refunds.contract import Dossier, RefundOutcome
from antom_refunds.domain.refund import State
from antom_refunds.views import RefundView

STYLES: Final = {
    State.REQUESTED: "cyan",
    State.IN_DOUBT: "yellow",
    State.BLOCKED: "red",
    State.PROCESSING: "blue",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CLOSED: "magenta",
}


def as_json(*items: BaseModel) -> None:
    """One JSON object a line."""
    for item in items:
        print(item.model_dump_json())  # noqa: T201 - this is the output


def coloured(state: State) -> str:
    return f"[{STYLES[state]}]{state}[/]"


def moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def table(views: Iterable[RefundView]) -> Table:
    """Refunds at a glance."""
    shown = Table("refund", "merchant", "payment", "amount", "state", "code", "human", box=None)
    for view in views:
        shown.add_row(
            view.refund_request_id,
            view.merchant,
            view.payment_id,
            str(view.amount),
            coloured(view.state),
            view.result_code,
            "[red]look[/]" if view.needs_human else "",
        )
    return shown


def view(console: Console, refund: RefundView, *, link: str) -> None:
    """One refund as the engine's records show it."""
    facts = {
        "refund": refund.refund_request_id,
        "state": coloured(refund.state),
        "amount": str(refund.amount),
        "payment": refund.payment_id,
        "merchant": refund.merchant,
        "last code": refund.result_code,
        "asked for": moment(refund.started_at),
        "ended": moment(refund.ended_at),
        "overdue from": moment(refund.due_at) if refund.is_running else "",
        "in the UI": link,
    }
    _facts(console, facts)
    if not refund.is_running and refund.state not in {State.SUCCEEDED, State.FAILED, State.CLOSED}:
        console.print("[red]its workflow was stopped in Temporal before Antom's last word[/]")


def outcome(console: Console, ended: RefundOutcome) -> None:
    """How a refund ended."""
    _facts(
        console,
        {
            "Antom's refund id": ended.refund_id or "",
            "last word": ended.message,
            "advice": ended.advice,
            "a person must look": ended.needs_human or "",
        },
    )


def dossier(console: Console, known: Dossier) -> None:
    """What has been learnt so far, and what comes next."""
    for entry in known.entries:
        evidence = entry.evidence
        console.print(
            f"  {moment(entry.at)}  {evidence.source}: {evidence.word}",
            evidence.message,
            markup=False,
            soft_wrap=True,
        )
    _facts(
        console,
        {
            "waits for": known.waits_for or "",
            "a person must look": known.human_reason or "",
        },
    )


def _facts(console: Console, facts: dict[str, str]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            console.print(f"  {name:<{width}}  {value}", soft_wrap=True, highlight=False)
