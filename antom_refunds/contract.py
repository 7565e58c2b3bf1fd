"""What crosses a process border: names, inputs, outputs. Running refunds rely on every line.

Names and fields here are stored in histories. Add fields with a default; never rename or remove
one, and never change what a name means (CONTRIBUTING.md, "Changing a workflow safely").
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

# Types of the errors by which an activity asks to be tried again later.
NOT_SENT: Final = "NotSent"
NOTHING_NEW: Final = "NothingNew"
# The input of a run is no order: the run fails at once.
INVALID_INPUT: Final = "InvalidInput"

REFUNDS_QUEUE: Final = "refunds"
ANTOM_QUEUE: Final = "antom-calls"

# For how long the refund may stay without an end, in seconds; the workflow's own default without.
MEMO_OVERDUE_AFTER: Final = "overdue_after_seconds"
# One call to Temporal; a busy server answers within a second.
RPC_TIMEOUT: Final = timedelta(seconds=10)
# The same for callers with a short deadline: the webhook's response to Antom, a health probe, a
# terminal.
SHORT_RPC_TIMEOUT: Final = timedelta(seconds=3)
# No text in a history is longer, wherever it came from.
TEXT_MAX: Final = 500


class Attribute(StrEnum):
    """Search attributes: what operators filter, sort and count by."""

    STATE = "RefundState"
    REQUEST_ID = "RefundRequestId"
    PAYMENT_ID = "RefundPaymentId"
    MERCHANT = "RefundMerchant"
    CURRENCY = "RefundCurrency"
    RESULT_CODE = "RefundResultCode"
    AMOUNT_MINOR = "RefundAmountMinor"
    NEEDS_ATTENTION = "RefundNeedsAttention"
    OVERDUE_AT = "RefundOverdueAt"


class StoredModel(BaseModel):
    """The base of everything that is stored: frozen, and tolerant of newer fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CallInput(StoredModel):
    """What an activity is asked: this refund as far as it is known.

    `since` is when the schedule of this step began, and `quiet_since` when the last refund call was
    over, both by the server's clock. `is_first_run` is False after a reset or a continuation: then
    calls were made that this run does not know of.
    """

    refund: Refund
    since: datetime | None = None
    quiet_since: datetime | None = None
    is_first_run: bool = False


class DossierEntry(StoredModel):
    """One piece of evidence that changed what is known, and when the workflow took it."""

    at: datetime
    evidence: Evidence


class Dossier(StoredModel):
    """Everything known about a refund: the answer to the query of that name."""

    refund: Refund
    waits_for: Step | None
    attention_reason: str | None
    entries: tuple[DossierEntry, ...] = ()


class Continuation(StoredModel):
    """What a run hands on to the next one, before its history gets too long."""

    refund: Refund
    entries: tuple[DossierEntry, ...] = ()
    since: dict[str, datetime] = {}
    quiet_since: datetime | None = None


class RefundOutcome(StoredModel):
    """How a refund ended. `state` is succeeded, failed or closed.

    `result_code` is Antom's, or ours in small letters where a person decided. `refund_id` and
    `refund_time` are Antom's, None where it named none. `attention_reason` says why a person must
    look, None if nobody must. `is_contradicted` means Antom said two different last words.
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
    """What a person tells a refund: who it is and why, since the engine records neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Resolution(Instruction):
    """An end set by hand. `proof` names where the truth was read: a ticket, a report row."""

    state: Literal["succeeded", "failed", "closed"]
    proof: Annotated[str, Field(min_length=1, max_length=500)]


def workflow_id(refund_request_id: RefundRequestId, *, merchant: MerchantKey) -> str:
    """The one workflow id that this refund can have."""
    return f"refund/{merchant}/{refund_request_id}"


def outcome_of(refund: Refund) -> RefundOutcome:
    """The outcome of a refund that has ended; raises ValueError for any other."""
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


def contradicts_outcome(outcome: RefundOutcome, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund that ended so."""
    order = RefundOrder(
        refund_request_id=outcome.refund_request_id,
        payment_id=outcome.payment_id,
        amount=outcome.amount,
        merchant=outcome.merchant,
    )
    deciding = Evidence(
        source=Source.RESPONSE,
        kind=EvidenceKind(outcome.state),
        code=outcome.result_code,
        refund_id=outcome.refund_id,
    )
    return contradicts(
        Refund(order=order, state=outcome.state, deciding_evidence=deciding), evidence
    )


def evidence_from_resolution(resolution: Resolution) -> Evidence:
    """A resolution as evidence: a person's word, with the proof."""
    return Evidence(
        source=Source.OPERATOR,
        kind=EvidenceKind(resolution.state),
        code="resolved_by_operator",
        message=f"{resolution.by}: {resolution.reason} (proof: {resolution.proof})",
    )


def evidence_from_instruction(kind: EvidenceKind, instruction: Instruction) -> Evidence:
    """An instruction as evidence."""
    return Evidence(
        source=Source.OPERATOR,
        kind=kind,
        code=f"{kind}_by_operator",
        message=f"{instruction.by}: {instruction.reason}",
    )
