"""A refund as the engine's own records show it: readable while every worker is down."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from antom_refunds.contract import Attribute
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState

_STOPPED_AS: Final = {
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
# Temporal's SQL stores give whole numbers back through floats, which are exact up to here.
_EXACT_MAX: Final = 2**53 - 1


class RefundView(BaseModel):
    """One refund at a glance; None stands for what the record does not say, or says wrongly.

    `overdue_at` is when it counts as overdue; `ended_at` is None while it runs. `stopped_as` says
    how its workflow was stopped before its end: failed, canceled, terminated or timed_out; None
    where it was not. `refund_request_id` is the whole workflow id where that has another form than
    ours.
    """

    model_config = ConfigDict(frozen=True)

    refund_request_id: str
    payment_id: str | None
    merchant: str | None
    amount: Money | None
    state: RefundState | None
    result_code: str
    needs_attention: bool
    is_running: bool
    stopped_as: str | None = None
    overdue_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    history_length: int
    workflow_id: str
    run_id: str

    @property
    def is_stopped(self) -> bool:
        """Whether its workflow was stopped in Temporal before an end; then a person must look."""
        return self.stopped_as is not None


def to_view(execution: WorkflowExecution) -> RefundView:
    """The view of one execution, from its search attributes; never fails because of them.

    Anybody can start workflows in a namespace, with any attributes or none.
    """
    values = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    merchant, refund_request_id = _names(execution.id)
    stopped_as = _STOPPED_AS.get(execution.status) if execution.status else None
    return RefundView(
        refund_request_id=refund_request_id,
        payment_id=_text(values.get(Attribute.PAYMENT_ID)),
        merchant=merchant,
        amount=_amount(values.get(Attribute.CURRENCY), values.get(Attribute.AMOUNT_MINOR)),
        state=_state(values.get(Attribute.STATE)),
        result_code=_text(values.get(Attribute.RESULT_CODE)) or "none",
        needs_attention=values.get(Attribute.NEEDS_ATTENTION) is True or stopped_as is not None,
        is_running=execution.close_time is None,
        stopped_as=stopped_as,
        overdue_at=_time(values.get(Attribute.OVERDUE_AT)),
        started_at=execution.start_time,
        ended_at=execution.close_time,
        history_length=execution.history_length,
        workflow_id=execution.id,
        run_id=execution.run_id,
    )


def _names(workflow_id: str) -> tuple[str | None, str]:
    """Merchant and refund request id; the second is the whole id where its form is not ours."""
    match workflow_id.split("/"):
        case ["refund", str(merchant), str(refund_request_id)] if merchant and refund_request_id:
            return merchant, refund_request_id
        case _:
            return None, workflow_id


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _state(value: object) -> RefundState | None:
    """A refund without the attribute was started by hand: nothing is known of it yet."""
    if value is None:
        return RefundState.REQUESTED
    return next((state for state in RefundState if state == value), None)


def _amount(currency: object, minor: object) -> Money | None:
    """None rather than a number that may be a rounded one: nobody may refund by it."""
    if not isinstance(minor, int) or minor > _EXACT_MAX:
        return None
    try:
        return Money.model_validate({"currency": currency, "minor": minor})
    except ValidationError:
        return None
