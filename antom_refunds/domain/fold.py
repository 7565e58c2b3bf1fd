"""The state machine: a refund is a pure fold of the evidence about it.

Knowledge only grows: requested < blocked < in_doubt < processing < an end. So evidence may come
in any order, twice or late, and the refund ends in the same state (docs/architecture.md#states).
"""

from typing import Final, assert_never

from antom_refunds.domain.evidence import Evidence, Source, Word, weigh
from antom_refunds.domain.policy import ALARMS_CLEARED_MAX
from antom_refunds.domain.refund import UNEXECUTED_STATES, WORKER_LOST, Refund, RefundState

_GROWTH: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)
_ENDS: Final = {
    Word.SUCCEEDED: RefundState.SUCCEEDED,
    Word.FAILED: RefundState.FAILED,
    Word.CLOSED: RefundState.CLOSED,
}


def take(refund: Refund, evidence: Evidence) -> Refund:
    """The refund after this evidence; an equal one if the evidence teaches nothing new."""
    weighed = weigh(refund.order, evidence)
    if refund.is_final:
        return _against(refund, weighed)
    prepared = _inquired(_asked(_heard_of(refund, weighed), weighed), weighed)
    return _learn(prepared, weighed)


def _learn(refund: Refund, evidence: Evidence) -> Refund:
    match evidence.word:
        case Word.SUCCEEDED:
            return _succeeded(refund, evidence)
        case Word.FAILED | Word.CLOSED:
            return _ended(refund, evidence)
        case Word.PROCESSING:
            return _accepted(refund, evidence)
        case Word.DOUBT:
            return _doubted(refund, evidence)
        case Word.BLOCKED:
            return _blocked(refund, evidence)
        case Word.SUSPECT:
            return _suspected(refund, evidence)
        case Word.ID_CONFLICT:
            return _conflicted(refund, evidence)
        case Word.FAILED_UNCONFIRMED:
            return _refused(refund, evidence)
        case Word.CLOSING:
            return _closing(refund, evidence)
        case Word.CALL_OFF:
            return _called_off(refund, evidence)
        case Word.CHECK | Word.OVERDUE | Word.ABSENT | Word.SILENT | Word.UNSENT:
            return _noted(refund, evidence.word)
        case _:
            assert_never(evidence.word)


def _noted(refund: Refund, word: Word) -> Refund:
    """What changes no state, but perhaps what is to be done next."""
    match word:
        case Word.CHECK:
            return _with(refund, is_inquiry_due=True)
        case Word.OVERDUE:
            return _with(refund, is_overdue=True)
        case Word.ABSENT:
            return _absent(refund)
        case _:
            return refund


def _heard_of(refund: Refund, evidence: Evidence) -> Refund:
    """The alarm over calls that do not work: raised by repetition, cleared by a call that does."""
    alarm = refund.alarm
    if evidence.is_repeated:
        return refund if alarm is not None else _with(refund, alarm=evidence)
    if alarm is None or not _clears(alarm, evidence):
        return refund
    if refund.alarms_cleared >= ALARMS_CLEARED_MAX:
        return refund
    return _with(refund, alarm=None, alarms_cleared=refund.alarms_cleared + 1)


def _clears(alarm: Evidence, evidence: Evidence) -> bool:
    """Permissions are per API: a call of one kind does not prove that the other works again.

    Once Antom processes the refund it is only inquired about, so only inquiries must work.
    """
    is_answered = evidence.is_usable and evidence.source is alarm.source
    return is_answered or (evidence.word is Word.PROCESSING and alarm.source is Source.ANSWER)


def _asked(refund: Refund, evidence: Evidence) -> Refund:
    """Whatever the refund call brought, it is not due at once again."""
    return _with(refund, is_ask_due=False) if evidence.source is Source.ANSWER else refund


def _inquired(refund: Refund, evidence: Evidence) -> Refund:
    """Any answer of an inquiry settles that one was due, and so do failures in a row.

    "No such refund" does not where it would end the refund: that inquiry was asked before there
    was an end to confirm, or too early (antom_refunds/domain/confirmation.py).
    """
    if evidence.source is not Source.INQUIRY:
        return refund
    if evidence.is_repeated:
        is_undecided = refund.is_undecided or refund.is_end_unconfirmed
        return _with(refund, is_inquiry_due=False, is_undecided=is_undecided)
    is_too_early = evidence.word is Word.ABSENT and refund.is_end_unconfirmed
    is_settled = evidence.is_usable and not is_too_early
    return _with(refund, is_inquiry_due=False) if is_settled else refund


def _succeeded(refund: Refund, evidence: Evidence) -> Refund:
    """A success that names no payment is believed once something tied the id to this payment."""
    bound = _bound(refund, evidence)
    if evidence.source is Source.ANSWER or evidence.source is Source.OPERATOR or bound.is_bound:
        return _ended(bound, evidence)
    return _claimed(bound, evidence)


def _bound(refund: Refund, evidence: Evidence) -> Refund:
    """An acceptance of our call, or an inquiry that names our payment, ties the id to it."""
    known = refund.binding
    by_payment = evidence.source is Source.INQUIRY and evidence.payment_id is not None
    says_more = by_payment and (known is None or known.source is not Source.INQUIRY)
    is_first = evidence.source is Source.ANSWER and known is None
    return _with(refund, binding=evidence) if says_more or is_first else refund


def _claimed(refund: Refund, evidence: Evidence) -> Refund:
    """The refund call, repeated, is answered with the payment; an inquiry about it may be too."""
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    if evidence.source is not Source.INQUIRY:
        is_known = refund.claim is not None
        return doubted if is_known else _with(doubted, claim=evidence, is_inquiry_due=True)
    if refund.claim is not None and refund.claim.source is Source.INQUIRY:
        return doubted
    return _with(doubted, claim=evidence, is_ask_due=doubted.may_ask)


def _ended(refund: Refund, evidence: Evidence) -> Refund:
    """What was notified before and cannot be true of this end contradicts it from the first."""
    end = _with(refund, state=_ENDS[evidence.word], basis=evidence, is_inquiry_due=False)
    before = (refund.closing, refund.claim)
    against = tuple(each for each in before if each is not None and contradicts(end, each))
    return _with(end, contradictions=against) if against else end


def _reach(refund: Refund, state: RefundState, evidence: Evidence) -> Refund:
    if _GROWTH.index(state) <= _GROWTH.index(refund.state):
        return refund
    return _with(refund, state=state, basis=evidence)


def _accepted(refund: Refund, evidence: Evidence) -> Refund:
    """Antom works on it, so an earlier refusal was not about this refund."""
    reached = _reach(_bound(refund, evidence), RefundState.PROCESSING, evidence)
    is_wiped = evidence.source is Source.INQUIRY and refund.failure is not None
    cleared = _with(reached, failure=None, is_undecided=False) if is_wiped else reached
    return _ended(cleared, cleared.claim) if cleared.is_bound and cleared.claim else cleared


def _doubted(refund: Refund, evidence: Evidence) -> Refund:
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    due = _with(doubted, is_inquiry_due=True) if evidence.code == WORKER_LOST else doubted
    return due if refund.doubt is not None else _with(due, doubt=evidence)


def _blocked(refund: Refund, evidence: Evidence) -> Refund:
    """A refusal at the gate never lowers doubt: the earlier call may have moved money."""
    is_known = refund.alarm is not None and refund.alarm.word is Word.BLOCKED
    alarmed = refund if is_known else _with(refund, alarm=evidence)
    if evidence.source is Source.INQUIRY:
        return alarmed
    return _reach(alarmed, RefundState.BLOCKED, evidence)


def _suspected(refund: Refund, evidence: Evidence) -> Refund:
    """Antom speaks of this refund but cannot be taken at its word: doubt, and one inquiry."""
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    if refund.suspect is not None:
        return doubted
    is_due = refund.is_inquiry_due or evidence.source is not Source.INQUIRY
    return _with(doubted, suspect=evidence, is_inquiry_due=is_due)


def _conflicted(refund: Refund, evidence: Evidence) -> Refund:
    """The id may stand for another payment: only an inquiry about ours settles that."""
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    if refund.conflict is not None:
        return doubted
    return _with(doubted, conflict=evidence, is_inquiry_due=True)


def _refused(refund: Refund, evidence: Evidence) -> Refund:
    """A signed F names no refund: it ends nothing by itself."""
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    if refund.failure is None:
        return _with(doubted, failure=evidence, is_inquiry_due=True)
    if not refund.may_ask:
        return doubted
    if evidence.code == refund.failure.code:
        return _ended(doubted, evidence.model_copy(update={"word": Word.FAILED}))
    return _with(doubted, failure_again=evidence)


def _closing(refund: Refund, evidence: Evidence) -> Refund:
    """ORDER_IS_CLOSED ends nothing until an inquiry confirms it (docs/antom.md#order-is-closed)."""
    doubted = _reach(refund, RefundState.IN_DOUBT, evidence)
    known = refund.closing
    if known is None:
        return _with(doubted, closing=evidence, is_inquiry_due=True)
    # A notified closure says more than an answered one (see contradicts), in whichever order.
    says_more = Source.NOTICE is evidence.source is not known.source
    return _with(doubted, closing=evidence) if says_more else doubted


def _called_off(refund: Refund, evidence: Evidence) -> Refund:
    """Only while nothing was executed; from then on no refund call is sent."""
    if refund.state not in UNEXECUTED_STATES or refund.call_off is not None:
        return refund
    return _with(refund, call_off=evidence, is_inquiry_due=True)


def _absent(refund: Refund) -> Refund:
    """Antom knows nothing of it, or nothing any more: the same request again, at once."""
    is_due = refund.may_ask and not refund.is_ask_due
    return _with(refund, is_ask_due=True) if is_due else refund


def _against(refund: Refund, evidence: Evidence) -> Refund:
    """After an end nothing changes but the list of what contradicts it."""
    if evidence in refund.contradictions or not contradicts(refund, evidence):
        return refund
    return _with(refund, contradictions=(*refund.contradictions, evidence))


def contradicts(refund: Refund, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund that ended as this one did."""
    weighed = weigh(refund.order, evidence)
    match weighed.word:
        case Word.SUSPECT | Word.ID_CONFLICT:
            return True
        case Word.CLOSING:
            # An answer may mean "closed, for it was refunded"; a notification says FAIL with it.
            is_notified = weighed.source is Source.NOTICE
            return is_notified and refund.state is RefundState.SUCCEEDED
        case Word.FAILED_UNCONFIRMED:
            # Antom's own word on the refund outweighs it, a person's does not.
            return refund.state is RefundState.SUCCEEDED and _is_by_operator(refund)
        case Word.SUCCEEDED | Word.FAILED | Word.CLOSED:
            return _ENDS[weighed.word] is not refund.state or _names_another(refund, weighed)
        case _:
            return False


def _is_by_operator(refund: Refund) -> bool:
    return refund.basis is not None and refund.basis.source is Source.OPERATOR


def _names_another(refund: Refund, evidence: Evidence) -> bool:
    """Antom's refund ids go one to one with ours: a second one would be a second refund."""
    known = None if refund.basis is None else refund.basis.refund_id
    return None not in {known, evidence.refund_id} and known != evidence.refund_id


def _with(refund: Refund, **changes: object) -> Refund:
    return refund.model_copy(update=changes)
