"""The state machine: a refund is a pure fold of the evidence about it.

Knowledge only grows: requested < blocked < in_doubt < processing < an end. So evidence may come
in any order, twice or late, and the refund ends in the same state (docs/architecture.md#states).
"""

from typing import Final, assert_never

from antom_refunds.domain.evidence import Evidence, Source, Word, weigh
from antom_refunds.domain.refund import Refund, State

_GROWTH: Final = (State.REQUESTED, State.BLOCKED, State.IN_DOUBT, State.PROCESSING)
_ENDS: Final = {
    Word.SUCCEEDED: State.SUCCEEDED,
    Word.FAILED: State.FAILED,
    Word.CLOSED: State.CLOSED,
}


def take(refund: Refund, evidence: Evidence) -> Refund:
    """The refund after this evidence; an equal one if the evidence teaches nothing new."""
    weighed = weigh(refund.order, evidence)
    if refund.is_final:
        return _against(refund, weighed)
    return _learn(_inquired(refund, weighed), weighed)


def _learn(refund: Refund, evidence: Evidence) -> Refund:
    match evidence.word:
        case Word.SUCCEEDED | Word.FAILED | Word.CLOSED:
            return _ended(refund, evidence)
        case Word.PROCESSING:
            return _accepted(refund, evidence)
        case Word.DOUBT:
            return _reach(refund, State.IN_DOUBT, evidence)
        case Word.BLOCKED:
            return _blocked(refund, evidence)
        case Word.SUSPECT:
            return _suspected(refund, evidence)
        case Word.CLOSING:
            return _closing(refund, evidence)
        case Word.CALL_OFF:
            return _called_off(refund, evidence)
        case Word.CHECK:
            return _with(refund, is_inquiry_due=True)
        case Word.OVERDUE:
            return _with(refund, is_overdue=True)
        case Word.ABSENT | Word.SILENT:
            return refund
        case _:
            assert_never(evidence.word)


def _ended(refund: Refund, evidence: Evidence) -> Refund:
    """What was notified before and cannot be true of this end contradicts it from the first."""
    end = _with(refund, state=_ENDS[evidence.word], basis=evidence)
    is_against = refund.closing is not None and contradicts(end, refund.closing)
    return _with(end, contradictions=(refund.closing,)) if is_against else end


def _reach(refund: Refund, state: State, evidence: Evidence) -> Refund:
    if _GROWTH.index(state) <= _GROWTH.index(refund.state):
        return refund
    return _with(refund, state=state, basis=evidence)


def _accepted(refund: Refund, evidence: Evidence) -> Refund:
    """The gate let us in, so an earlier refusal there is mended."""
    reached = _reach(refund, State.PROCESSING, evidence)
    return reached if reached is refund else _with(reached, gate=None)


def _blocked(refund: Refund, evidence: Evidence) -> Refund:
    """A refusal at the gate never lowers doubt: the earlier call may have moved money."""
    return _with(_reach(refund, State.BLOCKED, evidence), gate=refund.gate or evidence)


def _suspected(refund: Refund, evidence: Evidence) -> Refund:
    """Antom speaks of this refund but cannot be taken at its word: doubt, and one inquiry."""
    doubted = _reach(refund, State.IN_DOUBT, evidence)
    if refund.suspect is not None:
        return doubted
    is_due = refund.is_inquiry_due or evidence.source is not Source.INQUIRY
    return _with(doubted, suspect=evidence, is_inquiry_due=is_due)


def _closing(refund: Refund, evidence: Evidence) -> Refund:
    """ORDER_IS_CLOSED ends nothing until an inquiry confirms it (docs/antom.md#order-is-closed)."""
    doubted = _reach(refund, State.IN_DOUBT, evidence)
    known = refund.closing
    if known is None or known.source is Source.OPERATOR:
        return _with(doubted, closing=evidence, is_inquiry_due=True)
    # A notified closure says more than an answered one (see contradicts), in whichever order.
    says_more = Source.NOTICE is evidence.source is not known.source
    return _with(doubted, closing=evidence) if says_more else doubted


def _called_off(refund: Refund, evidence: Evidence) -> Refund:
    """Only while nothing was sent; an inquiry then proves that Antom knows nothing of it."""
    if refund.state is not State.REQUESTED or refund.closing is not None:
        return refund
    return _with(refund, closing=evidence, is_inquiry_due=True)


def _inquired(refund: Refund, evidence: Evidence) -> Refund:
    """Any answer of an inquiry settles that one was due; a failed inquiry does not.

    Neither does "no such refund" where it would confirm a closure: that inquiry was asked before
    there was one to confirm, and the refund must not be asked for on the strength of it.
    """
    is_answer = evidence.source is Source.INQUIRY and evidence.word is not Word.SILENT
    is_too_early = evidence.word is Word.ABSENT and refund.may_close
    return _with(refund, is_inquiry_due=False) if is_answer and not is_too_early else refund


def _against(refund: Refund, evidence: Evidence) -> Refund:
    """After an end nothing changes but the list of what contradicts it."""
    if evidence in refund.contradictions or not contradicts(refund, evidence):
        return refund
    return _with(refund, contradictions=(*refund.contradictions, evidence))


def contradicts(refund: Refund, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund that ended as this one did."""
    weighed = weigh(refund.order, evidence)
    if weighed.word is Word.SUSPECT:
        return True
    if weighed.word is Word.CLOSING and weighed.source is Source.NOTICE:
        # An answer may mean "closed, for it was refunded"; a notification says FAIL with it.
        return refund.state is State.SUCCEEDED
    if not weighed.is_final:
        return False
    return _ENDS[weighed.word] is not refund.state or _names_another(refund, weighed)


def _names_another(refund: Refund, evidence: Evidence) -> bool:
    """Antom's refund ids go one to one with ours: a second one would be a second refund."""
    known = None if refund.basis is None else refund.basis.refund_id
    return None not in {known, evidence.refund_id} and known != evidence.refund_id


def _with(refund: Refund, **changes: object) -> Refund:
    return refund.model_copy(update=changes)
