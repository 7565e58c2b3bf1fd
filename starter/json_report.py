"""The JSON object that every command prints with --json (docs/cli.md#json)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from antom_refunds.contract import RefundOutcome
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


class Report(BaseModel):
    """The result of a command. `error` is set only if it failed; `message` is its own text."""

    model_config = ConfigDict(frozen=True)

    command: str
    exit_code: int = OK
    error: str | None = None
    message: str | None = None
    refunds: tuple[RefundReport, ...] = ()


def print_report(
    command: str,
    *,
    exit_code: int = OK,
    error: str | None = None,
    message: str | None = None,
    refunds: Iterable[RefundReport] = (),
) -> None:
    """Print one JSON object on one line of standard output."""
    report = Report(
        command=command,
        exit_code=exit_code,
        error=error,
        message=message,
        refunds=tuple(refunds),
    )
    print(report.model_dump_json())  # noqa: T201 - this is the output
