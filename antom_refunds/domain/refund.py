"""The state of one refund: what is known about it, and the next step."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder


class RefundState(StrEnum):
    """The state of a refund (docs/architecture.md#states)."""

    REQUESTED = "requested"
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"  # the money may have moved: only Antom knows
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"


TERMINAL_STATES: Final = frozenset({RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CLOSED})
# States in which Antom's responses prove that it has executed nothing.
UNEXECUTED_STATES: Final = frozenset({RefundState.REQUESTED, RefundState.BLOCKED})
MERCHANT_NOT_CONFIGURED: Final = "merchant_not_configured"
WORKER_LOST: Final = "worker_lost"


class Step(StrEnum):
    """The next step of a refund that is not in a terminal state."""

    SEND = "send"  # send the refund call, always with the same id and the same bytes
    POLL = "poll"  # inquire on a schedule until the result changes
    INQUIRE = "inquire"  # inquire now


class Refund(BaseModel):
    """Everything known about one refund.

    `deciding_evidence` is the evidence that led to the current state. The fields below keep one
    piece of evidence each, because it affects how later evidence is interpreted:

    - `doubt`: the first refund call whose outcome is unknown.
    - `alarm`: why calls to Antom do not work, until one of them works again.
    - `mismatch`: evidence that is inconsistent with itself or with the order.
    - `id_conflict`: Antom has this id with other fields.
    - `binding`: links the id to this payment; inquiries and notifications name no payment.
    - `unbound_success`: a success without a payment id, received before there was a binding.
    - `failure`, `second_failure`: refusals with F, not confirmed by a later inquiry.
    - `closure`: ORDER_IS_CLOSED, not confirmed.
    - `call_off`: an operator's instruction not to refund; no refund call is sent after it.

    `is_undecided` means that inquiries could neither confirm nor refute an unconfirmed result.
    `contradictions` arrived after the terminal state and contradict it: the state stays as it is
    and an operator is alerted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    order: RefundOrder
    state: RefundState = RefundState.REQUESTED
    deciding_evidence: Evidence | None = None
    doubt: Evidence | None = None
    alarm: Evidence | None = None
    alarms_cleared: int = 0
    mismatch: Evidence | None = None
    id_conflict: Evidence | None = None
    binding: Evidence | None = None
    unbound_success: Evidence | None = None
    failure: Evidence | None = None
    second_failure: Evidence | None = None
    closure: Evidence | None = None
    call_off: Evidence | None = None
    contradictions: tuple[Evidence, ...] = ()
    is_overdue: bool = False
    is_inquiry_due: bool = False
    is_send_due: bool = False
    is_undecided: bool = False

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_STATES

    @property
    def was_sent(self) -> bool:
        """Whether, according to the calls' results, a refund call may have been sent."""
        deciding = self.deciding_evidence
        is_unconfigured = deciding is not None and deciding.code == MERCHANT_NOT_CONFIGURED
        return self.state is not RefundState.REQUESTED and not is_unconfigured

    @property
    def is_bound(self) -> bool:
        """Whether Antom's statements on this id are known to be about this payment."""
        return self.binding is not None

    @property
    def _is_bound_by_payment(self) -> bool:
        """Whether an inquiry about the payment listed this refund."""
        return self.binding is not None and self.binding.source is Source.INQUIRY

    @property
    def awaits_confirmation(self) -> bool:
        """Whether an announced result only needs an inquiry that confirms it."""
        return any((self.failure, self.closure, self.call_off))

    @property
    def may_send(self) -> bool:
        """Whether the refund call may be sent.

        It may not after a call-off, or once Antom reported the id as closed. After a refusal it
        may only if inquiries could not confirm it and every earlier call got a response: a second
        refusal with the same code then decides.
        """
        if self.call_off is not None or self.closure is not None:
            return False
        is_second_decisive = (
            self.is_undecided and self.doubt is None and self.second_failure is None
        )
        return self.failure is None or is_second_decisive

    @property
    def next_step(self) -> Step | None:
        """The next step; None in a terminal state."""
        if self.is_terminal:
            return None
        if self.is_inquiry_due:
            return Step.INQUIRE
        return Step.POLL if self.is_sending_over else Step.SEND

    @property
    def is_sending_over(self) -> bool:
        """Whether a refund call that is still scheduled must no longer be sent."""
        is_accepted = self.state is RefundState.PROCESSING and not self.is_send_due
        return self.is_terminal or is_accepted or not self.may_send

    @property
    def attention_reason(self) -> str | None:
        """Why an operator must look, in one sentence; None if there is no reason to."""
        if self.contradictions:
            return f"Antom contradicted the final state: {self.contradictions[0].message}"
        return self.action_reason if self.is_terminal else self._reason_while_open()

    def _reason_while_open(self) -> str | None:
        if self.id_conflict is not None:
            return f"{self.id_conflict.code}: {self.id_conflict.advice}"
        if self.mismatch is not None:
            return self.mismatch.message
        if self.unbound_success is not None and self.unbound_success.source is Source.INQUIRY:
            return "Antom reports a success for this id, but nothing links it to this payment"
        if self.call_off is not None and self.state is RefundState.PROCESSING:
            return "called off, but Antom is processing the refund"
        if self.alarm is not None:
            return _cause_and_advice(self.alarm)
        if self.failure is not None and self.is_undecided and not self.may_send:
            return f"{self.failure.code}: refused, and no inquiry could confirm it"
        return "overdue: no final result from Antom in time" if self.is_overdue else None

    @property
    def action_reason(self) -> str | None:
        """Why the terminal state itself requires an operator's action; None if it does not."""
        deciding = self.deciding_evidence
        if not self.is_terminal or deciding is None or deciding.source is Source.OPERATOR:
            return None
        has_moved = self.state is RefundState.SUCCEEDED
        if self.call_off is not None:
            return "called off, but Antom had executed the refund" if has_moved else None
        if has_moved and self.id_conflict is not None and not self._is_bound_by_payment:
            return f"{self.id_conflict.code}: {self.id_conflict.advice}"
        if deciding.needs_attention or self.state is RefundState.CLOSED:
            return f"{deciding.code}: {deciding.advice or deciding.message}"
        return None


def _cause_and_advice(evidence: Evidence) -> str:
    """The code or message, and the advice. Only codes of refusals explain themselves."""
    cause = evidence.code if evidence.kind is EvidenceKind.BLOCKED else evidence.message
    return f"{cause}: {evidence.advice}" if evidence.advice else cause
