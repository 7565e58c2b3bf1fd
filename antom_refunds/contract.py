"""The contract between processes: names, inputs and outputs. Running refunds depend on all of it.

Names and fields are stored in histories. Add fields with a default; never rename or remove one,
and never change the meaning of a name (CONTRIBUTING.md, "Changing a workflow safely").
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import MerchantKey, RefundOrder, RefundRequestId
from antom_refunds.domain.refund import Refund, RefundState, Step
from antom_refunds.domain.state_machine import contradicts

WORKFLOW: Final = "Refund"
SIGNAL_NOTIFY: Final = "notify"
UPDATE_CHECK_NOW: Final = "check_now"
UPDATE_RESOLVE: Final = "resolve"
UPDATE_CALL_OFF: Final = "call_off"
QUERY_DOSSIER: Final = "dossier"

ACTIVITY_REQUEST_REFUND: Final = "request_refund"
ACTIVITY_AWAIT_RESULT: Final = "await_result"
ACTIVITY_INQUIRE: Final = "inquire"

# Types of the errors with which an activity requests a later retry.
NOT_SENT: Final = "NotSent"
NOTHING_NEW: Final = "NothingNew"
# The input of a run is not an order: the run fails immediately.
INVALID_INPUT: Final = "InvalidInput"

REFUNDS_QUEUE: Final = "refunds"
ANTOM_QUEUE: Final = "antom-calls"

# Seconds until the refund is overdue; the workflow has a default if the memo is missing.
MEMO_OVERDUE_AFTER: Final = "overdue_after_seconds"
# Timeout of one call to Temporal; a busy server responds within a second.
RPC_TIMEOUT: Final = timedelta(seconds=10)
# The same for callers with a short deadline: the webhook's response to Antom, a health probe, a
# terminal.
SHORT_RPC_TIMEOUT: Final = timedelta(seconds=3)
# Maximum length of texts from outside that are stored in a history.
TEXT_MAX: Final = 500


class Attribute(StrEnum):
    """Search attributes, by which operators filter, sort and count refunds and cases."""

    STATE = "RefundState"
    REQUEST_ID = "RefundRequestId"
    PAYMENT_ID = "RefundPaymentId"
    MERCHANT = "RefundMerchant"
    CURRENCY = "RefundCurrency"
    RESULT_CODE = "RefundResultCode"
    AMOUNT_MINOR = "RefundAmountMinor"
    NEEDS_ATTENTION = "RefundNeedsAttention"
    OVERDUE_AT = "RefundOverdueAt"
    CASE_KIND = "RefundCaseKind"


class StoredModel(BaseModel):
    """The base of all stored models: frozen, and tolerant of unknown newer fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CallInput(StoredModel):
    """The input of every activity: the refund as currently known.

    `since` is when the schedule of this step started, `quiet_since` when the last refund call
    finished, both by the server's clock. `is_first_run` is False after a reset or a continuation,
    when there may be earlier calls that this run does not know of.
    """

    refund: Refund
    since: datetime | None = None
    quiet_since: datetime | None = None
    is_first_run: bool = False


class DossierEntry(StoredModel):
    """One piece of evidence that changed the refund, and when the workflow applied it."""

    at: datetime
    evidence: Evidence


class Dossier(StoredModel):
    """Everything known about a refund: the result of the `dossier` query."""

    refund: Refund
    waits_for: Step | None
    attention_reason: str | None
    entries: tuple[DossierEntry, ...] = ()


class Continuation(StoredModel):
    """The state that a run passes to the next one when it continues as new."""

    refund: Refund
    entries: tuple[DossierEntry, ...] = ()
    since: dict[str, datetime] = {}
    quiet_since: datetime | None = None


class RefundOutcome(StoredModel):
    """The outcome of a refund. `state` is succeeded, failed or closed.

    `result_code` is Antom's, or one of our own in lower case if an operator decided. `refund_id`
    and `refund_time` are Antom's, None if it sent none. `attention_reason` says why an operator
    must look, None if there is no reason to. `is_contradicted` means that Antom also reported a
    result that contradicts this outcome.
    """

    refund_request_id: str
    payment_id: str
    merchant: str
    amount: Money
    state: RefundState
    result_code: str
    message: str = ""
    advice: str = ""
    refund_id: str | None = None
    refund_time: datetime | None = None
    attention_reason: str | None = None
    is_contradicted: bool = False


class Instruction(BaseModel):
    """An operator's instruction: who gives it and why, since Temporal records neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Resolution(Instruction):
    """A terminal state set manually. `proof` names the source, e.g. a ticket or a report row."""

    state: Literal["succeeded", "failed", "closed"]
    proof: Annotated[str, Field(min_length=1, max_length=500)]


def workflow_id(refund_request_id: RefundRequestId, *, merchant: MerchantKey) -> str:
    """The refund's workflow id."""
    return f"refund/{merchant}/{refund_request_id}"


def outcome_of(refund: Refund) -> RefundOutcome:
    """The outcome of a refund in a terminal state; raises ValueError for any other."""
    deciding = refund.deciding_evidence
    if deciding is None or not refund.is_terminal:
        raise ValueError(f"{refund.order.refund_request_id} is {refund.state}: no outcome yet")
    return RefundOutcome(
        refund_request_id=refund.order.refund_request_id,
        payment_id=refund.order.payment_id,
        merchant=refund.order.merchant,
        amount=refund.order.amount,
        state=refund.state,
        result_code=deciding.code,
        message=deciding.message,
        advice=deciding.advice,
        refund_id=deciding.refund_id,
        refund_time=deciding.refund_time,
        attention_reason=refund.attention_reason,
        is_contradicted=bool(refund.contradictions),
    )


def order_of(outcome: RefundOutcome) -> RefundOrder:
    """The order that this outcome is about, as far as an outcome names it."""
    return RefundOrder(
        refund_request_id=outcome.refund_request_id,
        payment_id=outcome.payment_id,
        amount=outcome.amount,
        merchant=outcome.merchant,
    )


def contradicts_outcome(outcome: RefundOutcome, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund with this outcome."""
    deciding = Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind(outcome.state),
        code=outcome.result_code,
        refund_id=outcome.refund_id,
    )
    return contradicts(
        Refund(order=order_of(outcome), state=outcome.state, deciding_evidence=deciding), evidence
    )


def evidence_from_resolution(resolution: Resolution) -> Evidence:
    """An operator's resolution as evidence, including the proof."""
    return Evidence(
        source=Source.OPERATOR,
        kind=EvidenceKind(resolution.state),
        code="resolved_by_operator",
        message=f"{resolution.by}: {resolution.reason} (proof: {resolution.proof})",
    )


def evidence_from_instruction(kind: EvidenceKind, instruction: Instruction) -> Evidence:
    """An operator's instruction as evidence."""
    return Evidence(
        source=Source.OPERATOR,
        kind=kind,
        code=f"{kind}_by_operator",
        message=f"{instruction.by}: {instruction.reason}",
    )
