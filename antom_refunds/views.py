"""A refund as the engine's own records show it: readable while every worker is down."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecution

from antom_refunds.contract import WORKFLOW, Attribute
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import END_STATES, State

_QUOTES: Final = str.maketrans({"\\": "\\\\", "'": "\\'"})


class RefundView(BaseModel):
    """One refund at a glance.

    `due_at` is when it counts as overdue; `ended_at` is None while it runs. `is_running` is False
    with a state that is no end only if its workflow was terminated.
    """

    model_config = ConfigDict(frozen=True)

    refund_request_id: str
    payment_id: str
    merchant: str
    amount: Money
    state: State
    result_code: str
    needs_human: bool
    is_running: bool
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    history_length: int
    workflow_id: str
    run_id: str

    @property
    def is_stopped(self) -> bool:
        """Whether its workflow was stopped in Temporal before an end."""
        return not self.is_running and self.state not in END_STATES


def view_of(execution: WorkflowExecution) -> RefundView:
    """The view of one execution, from its search attributes."""
    said = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    _, merchant, refund_request_id = execution.id.split("/", 2)
    return RefundView(
        refund_request_id=refund_request_id,
        payment_id=said.get(Attribute.PAYMENT_ID, ""),
        merchant=merchant,
        amount=Money(
            currency=said.get(Attribute.CURRENCY, "XXX"), minor=said.get(Attribute.AMOUNT_MINOR, 0)
        ),
        state=State(said.get(Attribute.STATE, State.REQUESTED)),
        result_code=said.get(Attribute.RESULT_CODE, "none"),
        needs_human=bool(said.get(Attribute.NEEDS_HUMAN)),
        is_running=execution.close_time is None,
        due_at=said.get(Attribute.DUE_AT),
        started_at=execution.start_time,
        ended_at=execution.close_time,
        history_length=execution.history_length,
        workflow_id=execution.id,
        run_id=execution.run_id,
    )


def query_for(
    *,
    state: State | None = None,
    merchant: str | None = None,
    payment_id: str | None = None,
    needs_human: bool | None = None,
) -> str:
    """The engine's list filter for refunds of this kind."""
    wanted = {
        Attribute.STATE: state,
        Attribute.MERCHANT: merchant,
        Attribute.PAYMENT_ID: payment_id,
    }
    terms = [f"WorkflowType = '{WORKFLOW}' AND WorkflowId STARTS_WITH 'refund/'"]
    terms += [f"{name} = '{value.translate(_QUOTES)}'" for name, value in wanted.items() if value]
    if needs_human is not None:
        terms.append(f"{Attribute.NEEDS_HUMAN} = {str(needs_human).lower()}")
    return " AND ".join(terms)
