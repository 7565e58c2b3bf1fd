"""A case's summary from Temporal's visibility records, which needs no worker."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecution

from antom_refunds.contract import Attribute
from antom_refunds.domain.case import CaseKind, CaseState
from antom_refunds.domain.money import Money
from antom_refunds.views import amount_of, member_of, text_of, time_of


class CaseView(BaseModel):
    """A summary of one case; a field is None if the record lacks it or has an invalid value.

    `refund` is the id of the refund, or what names it in the case's id. `is_in_inbox` is whether
    the case waits for an operator now.
    """

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
    run_id: str


def to_case_view(execution: WorkflowExecution) -> CaseView:
    """The view of one execution; invalid search attributes raise no error."""
    values = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    return CaseView(
        case_id=execution.id,
        kind=member_of(CaseKind, values.get(Attribute.CASE_KIND)),
        state=member_of(CaseState, values.get(Attribute.STATE)),
        merchant=text_of(values.get(Attribute.MERCHANT)),
        refund=text_of(values.get(Attribute.REQUEST_ID)) or execution.id.rpartition("/")[2],
        payment_id=text_of(values.get(Attribute.PAYMENT_ID)),
        amount=amount_of(values.get(Attribute.CURRENCY), values.get(Attribute.AMOUNT_MINOR)),
        result_code=text_of(values.get(Attribute.RESULT_CODE)) or "none",
        is_in_inbox=execution.close_time is None and values.get(Attribute.NEEDS_ATTENTION) is True,
        opened_at=execution.start_time,
        due_at=time_of(values.get(Attribute.OVERDUE_AT)),
        closed_at=execution.close_time,
        run_id=execution.run_id,
    )
