"""What every command prints with --json: one object of one form (docs/cli.md#json)."""

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
    """One refund; None stands for what is not known, or not known yet.

    What Antom said last (`message`, `advice`, `refund_id`, `refund_time`, `is_contradicted`,
    `attention_reason`) is known where a command waited for the end or shows an ended refund.
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
        """The outcome wins where the engine's list is behind it."""
        known = view.model_dump()
        if outcome is not None:
            known |= outcome.model_dump()
            known["needs_attention"] = outcome.attention_reason is not None
            known["attention_reason"] = outcome.attention_reason
        return cls.model_validate(known)


class Report(BaseModel):
    """How a command ended: `error` is None unless it failed; `message` is its own word."""

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
    """One JSON object on one line of standard output."""
    report = Report(
        command=command,
        exit_code=exit_code,
        error=error,
        message=message,
        refunds=tuple(refunds),
    )
    print(report.model_dump_json())  # noqa: T201 - this is the output
