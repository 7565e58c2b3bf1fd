"""A refund's summary from Temporal's visibility records, which needs no worker."""

from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from antom_refunds.contract import Attribute
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState

Member = TypeVar("Member", bound=StrEnum)

_STOPPED_AS: Final = {
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
# Temporal's SQL stores return integers by way of floats, which are exact up to this number.
_EXACT_MAX: Final = 2**53 - 1


class RefundView(BaseModel):
    """A summary of one refund; a field is None if the record lacks it or has an invalid value.

    `overdue_at` is when the refund counts as overdue; `ended_at` is None while it runs.
    `stopped_as` says how the workflow was stopped before a terminal state: failed, canceled,
    terminated or timed_out; None if it was not. `refund_request_id` is the whole workflow id if
    that does not have our form.
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
        """Whether the workflow was stopped before a terminal state; an operator must look then."""
        return self.stopped_as is not None


def to_view(execution: WorkflowExecution) -> RefundView:
    """The view of one execution, from its search attributes; invalid ones raise no error.

    Any client of the namespace can start workflows, with any attributes or none.
    """
    values = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    merchant, refund_request_id = _parse_workflow_id(execution.id)
    stopped_as = _STOPPED_AS.get(execution.status) if execution.status else None
    return RefundView(
        refund_request_id=refund_request_id,
        payment_id=text_of(values.get(Attribute.PAYMENT_ID)),
        merchant=merchant,
        amount=amount_of(values.get(Attribute.CURRENCY), values.get(Attribute.AMOUNT_MINOR)),
        state=_state(values.get(Attribute.STATE)),
        result_code=text_of(values.get(Attribute.RESULT_CODE)) or "none",
        needs_attention=values.get(Attribute.NEEDS_ATTENTION) is True or stopped_as is not None,
        is_running=execution.close_time is None,
        stopped_as=stopped_as,
        overdue_at=time_of(values.get(Attribute.OVERDUE_AT)),
        started_at=execution.start_time,
        ended_at=execution.close_time,
        history_length=execution.history_length,
        workflow_id=execution.id,
        run_id=execution.run_id,
    )


def _parse_workflow_id(workflow_id: str) -> tuple[str | None, str]:
    """Merchant and refund request id; None and the whole id if it does not have our form."""
    match workflow_id.split("/"):
        case ["refund", str(merchant), str(refund_request_id)] if merchant and refund_request_id:
            return merchant, refund_request_id
        case _:
            return None, workflow_id


def text_of(value: object) -> str | None:
    """A search attribute's text; None if there is none."""
    return value if isinstance(value, str) and value else None


def time_of(value: object) -> datetime | None:
    """A search attribute's time; None if there is none."""
    return value if isinstance(value, datetime) else None


def _state(value: object) -> RefundState | None:
    """A refund without the attribute was started by another client: nothing is known yet."""
    if value is None:
        return RefundState.REQUESTED
    return member_of(RefundState, value)


def member_of(kind: type[Member], value: object) -> Member | None:
    """The member of this enum with a search attribute's value; None if there is none."""
    return next((member for member in kind if member == value), None)


def amount_of(currency: object, minor: object) -> Money | None:
    """An amount; None if the number may be rounded, so that it is not used for a refund."""
    if not isinstance(minor, int) or minor > _EXACT_MAX:
        return None
    try:
        return Money.model_validate({"currency": currency, "minor": minor})
    except ValidationError:
        return None
