"""A refund as far as it is known: its state, what it rests on, what to do next."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.evidence import Evidence, Source
from antom_refunds.domain.order import RefundOrder


class State(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"  # the money may have moved: only Antom can say
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"


END_STATES: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CLOSED})


class Step(StrEnum):
    """What to do next while there is no end."""

    ASK = "ask"  # send the refund call, always with the same id and the same bytes
    WATCH = "watch"  # inquire on a schedule until Antom says more
    INQUIRE = "inquire"  # inquire once, now


class Refund(BaseModel):
    """All that is known about one refund.

    `basis` is the evidence that put it in its state. `gate`, `suspect` and `closing` keep the
    first evidence of their kind, since each of them changes what may be concluded later.
    `contradictions` came after an end and disagree with it: the end stands, a person is called.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    order: RefundOrder
    state: State = State.REQUESTED
    basis: Evidence | None = None
    gate: Evidence | None = None
    suspect: Evidence | None = None
    closing: Evidence | None = None
    contradictions: tuple[Evidence, ...] = ()
    is_overdue: bool = False
    is_inquiry_due: bool = False

    @property
    def is_final(self) -> bool:
        return self.state in END_STATES

    @property
    def is_called_off(self) -> bool:
        """Whether a person gave it up before anything was sent; it is then not asked for."""
        is_operators = self.closing is not None and self.closing.source is Source.OPERATOR
        return is_operators and self.state is State.REQUESTED

    @property
    def may_close(self) -> bool:
        """Whether an inquiry that finds neither success nor processing proves the id dead.

        So it does once Antom said ORDER_IS_CLOSED, and after a call-off while nothing was sent.
        """
        is_antoms = self.closing is not None and self.closing.source is not Source.OPERATOR
        return is_antoms or self.is_called_off

    @property
    def next_step(self) -> Step | None:
        """What to do now; None at the end."""
        if self.is_final:
            return None
        if self.is_inquiry_due:
            return Step.INQUIRE
        # An id that Antom called closed is not asked for again: only an inquiry brings news of it.
        is_antoms = self.state is State.PROCESSING or self.may_close
        return Step.WATCH if is_antoms else Step.ASK

    @property
    def human_reason(self) -> str | None:
        """Why a person must look, in one sentence; None if nobody must."""
        if self.contradictions:
            return f"Antom contradicted the end: {self.contradictions[0].message}"
        if self.is_final:
            return self._reason_at_the_end()
        if self.suspect is not None:
            return self.suspect.message
        if self.gate is not None:
            return f"{self.gate.code}: {self.gate.advice}"
        return "overdue: Antom has not ended this refund in time" if self.is_overdue else None

    def _reason_at_the_end(self) -> str | None:
        end = self.basis
        if end is None or not (end.needs_human or self.state is State.CLOSED):
            return None
        return f"{end.code}: {end.advice or end.message}"
