"""A refund as far as it is known: its state, what it rests on, what to do next."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.order import RefundOrder


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"  # the money may have moved: only Antom can say
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"


END_STATES: Final = frozenset({RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CLOSED})
# Antom has executed nothing, as far as its responses prove it.
UNEXECUTED_STATES: Final = frozenset({RefundState.REQUESTED, RefundState.BLOCKED})
NOT_SERVED: Final = "merchant_not_configured"
WORKER_LOST: Final = "worker_lost"


class Step(StrEnum):
    """What to do next while there is no end."""

    ASK = "ask"  # send the refund call, always with the same id and the same bytes
    WATCH = "watch"  # inquire on a schedule until Antom says more
    INQUIRE = "inquire"  # inquire now


class Refund(BaseModel):
    """All that is known about one refund.

    `basis` is the evidence that put it in its state. The others keep one piece of evidence each,
    since each of them changes what may be concluded later:

    - `doubt`: the first refund call whose outcome is unknown.
    - `alarm`: why our calls at Antom do not work, until one of them does again.
    - `suspect`: what disagrees with itself or with the order.
    - `conflict`: Antom has this id with other fields.
    - `binding`: what ties the id to this payment; inquiries and notifications name none.
    - `claim`: a success that names no payment, before anything tied the id to it.
    - `failure`, `failure_again`: refusals with F, not confirmed by an inquiry made after them.
    - `closing`: ORDER_IS_CLOSED, not confirmed.
    - `call_off`: an operator's instruction not to refund; no refund call is sent after it.

    `is_undecided` means that inquiries could not decide about an unconfirmed end.
    `contradictions` came after an end and disagree with it: the end stands, a person is called.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    order: RefundOrder
    state: RefundState = RefundState.REQUESTED
    basis: Evidence | None = None
    doubt: Evidence | None = None
    alarm: Evidence | None = None
    alarms_cleared: int = 0
    suspect: Evidence | None = None
    conflict: Evidence | None = None
    binding: Evidence | None = None
    claim: Evidence | None = None
    failure: Evidence | None = None
    failure_again: Evidence | None = None
    closing: Evidence | None = None
    call_off: Evidence | None = None
    contradictions: tuple[Evidence, ...] = ()
    is_overdue: bool = False
    is_inquiry_due: bool = False
    is_ask_due: bool = False
    is_undecided: bool = False

    @property
    def is_final(self) -> bool:
        return self.state in END_STATES

    @property
    def was_sent(self) -> bool:
        """Whether a refund call may have left for Antom, as far as the calls reported it."""
        basis = self.basis
        is_unserved = basis is not None and basis.code == NOT_SERVED
        return self.state is not RefundState.REQUESTED and not is_unserved

    @property
    def is_bound(self) -> bool:
        """Whether Antom's word on this id is known to be about this payment."""
        return self.binding is not None

    @property
    def _is_bound_by_payment(self) -> bool:
        """Whether an inquiry about the payment itself named this refund."""
        return self.binding is not None and self.binding.source is Source.INQUIRY

    @property
    def is_end_unconfirmed(self) -> bool:
        """Whether an inquiry that finds no such refund would end it."""
        return any((self.failure, self.closing, self.call_off))

    @property
    def may_ask(self) -> bool:
        """Whether the refund call may be sent.

        Not after a call-off, nor once Antom called the id closed. After a refusal only where
        inquiries could not decide and every earlier call was answered: then a second refusal does.
        """
        if self.call_off is not None or self.closing is not None:
            return False
        is_second_decisive = self.is_undecided and self.doubt is None and self.failure_again is None
        return self.failure is None or is_second_decisive

    @property
    def next_step(self) -> Step | None:
        """What to do now; None at the end."""
        if self.is_final:
            return None
        if self.is_inquiry_due:
            return Step.INQUIRE
        return Step.WATCH if self.is_asking_over else Step.ASK

    @property
    def is_asking_over(self) -> bool:
        """Whether a refund call that is still scheduled must not be sent any more."""
        is_accepted = self.state is RefundState.PROCESSING and not self.is_ask_due
        return self.is_final or is_accepted or not self.may_ask

    @property
    def human_reason(self) -> str | None:
        """Why a person must look, in one sentence; None if nobody must."""
        if self.contradictions:
            return f"Antom contradicted the end: {self.contradictions[0].message}"
        return self._reason_at_the_end() if self.is_final else self._reason_while_open()

    def _reason_while_open(self) -> str | None:
        if self.conflict is not None:
            return f"{self.conflict.code}: {self.conflict.advice}"
        if self.suspect is not None:
            return self.suspect.message
        if self.claim is not None and self.claim.source is Source.INQUIRY:
            return "Antom reports a success for this id, but nothing ties it to this payment"
        if self.call_off is not None and self.state is RefundState.PROCESSING:
            return "called off, but Antom is processing the refund"
        if self.alarm is not None:
            return _named(self.alarm)
        if self.failure is not None and self.is_undecided and not self.may_ask:
            return f"{self.failure.code}: refused, and no inquiry could confirm it"
        return "overdue: Antom has not ended this refund in time" if self.is_overdue else None

    def _reason_at_the_end(self) -> str | None:
        end = self.basis
        if end is None or end.source is Source.OPERATOR:
            return None
        has_moved = self.state is RefundState.SUCCEEDED
        if self.call_off is not None:
            return "called off, but Antom had executed the refund" if has_moved else None
        if has_moved and self.conflict is not None and not self._is_bound_by_payment:
            return f"{self.conflict.code}: {self.conflict.advice}"
        if end.needs_human or self.state is RefundState.CLOSED:
            return f"{end.code}: {end.advice or end.message}"
        return None


def _named(evidence: Evidence) -> str:
    """The cause and the remedy; a repeated one in full, since its code says little."""
    what = evidence.code if evidence.word is Word.BLOCKED else evidence.message
    return f"{what}: {evidence.advice}" if evidence.advice else what
