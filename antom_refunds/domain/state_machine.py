"""The state machine: a refund is a pure fold of the evidence about it.

Knowledge only grows: requested < blocked < in_doubt < processing < an end. So evidence may come
in any order, twice or late, and the refund ends in the same state (docs/architecture.md#states).
"""

from typing import Final, assert_never

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source, check_against_order
from antom_refunds.domain.policy import ALARMS_CLEARED_MAX
from antom_refunds.domain.refund import UNEXECUTED_STATES, WORKER_LOST, Refund, RefundState

_STATE_ORDER: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)
_TERMINAL_STATE_OF: Final = {
    EvidenceKind.SUCCEEDED: RefundState.SUCCEEDED,
    EvidenceKind.FAILED: RefundState.FAILED,
    EvidenceKind.CLOSED: RefundState.CLOSED,
}


def apply(refund: Refund, evidence: Evidence) -> Refund:
    """The refund after this evidence; an equal one if the evidence teaches nothing new."""
    checked = check_against_order(refund.order, evidence)
    if refund.is_terminal:
        return _record_contradiction(refund, checked)
    prepared = _settle_inquiry(_settle_send(_update_alarm(refund, checked), checked), checked)
    return _apply_open(prepared, checked)


def _apply_open(refund: Refund, evidence: Evidence) -> Refund:
    match evidence.kind:
        case EvidenceKind.SUCCEEDED:
            return _on_succeeded(refund, evidence)
        case EvidenceKind.FAILED | EvidenceKind.CLOSED:
            return _on_terminal(refund, evidence)
        case EvidenceKind.PROCESSING:
            return _on_accepted(refund, evidence)
        case EvidenceKind.DOUBT:
            return _on_doubt(refund, evidence)
        case EvidenceKind.BLOCKED:
            return _on_blocked(refund, evidence)
        case EvidenceKind.MISMATCH:
            return _on_mismatch(refund, evidence)
        case EvidenceKind.ID_CONFLICT:
            return _on_id_conflict(refund, evidence)
        case EvidenceKind.FAILED_UNCONFIRMED:
            return _on_failed_unconfirmed(refund, evidence)
        case EvidenceKind.CLOSED_UNCONFIRMED:
            return _on_closed_unconfirmed(refund, evidence)
        case EvidenceKind.CALL_OFF:
            return _on_call_off(refund, evidence)
        case (
            EvidenceKind.CHECK
            | EvidenceKind.OVERDUE
            | EvidenceKind.NOT_FOUND
            | EvidenceKind.NO_INFORMATION
            | EvidenceKind.UNSENT
        ):
            return _apply_without_state(refund, evidence.kind)
        case _:
            assert_never(evidence.kind)


def _apply_without_state(refund: Refund, kind: EvidenceKind) -> Refund:
    """What changes no state, but perhaps what is to be done next."""
    match kind:
        case EvidenceKind.CHECK:
            return _changed(refund, is_inquiry_due=True)
        case EvidenceKind.OVERDUE:
            return _changed(refund, is_overdue=True)
        case EvidenceKind.NOT_FOUND:
            return _on_not_found(refund)
        case _:
            return refund


def _update_alarm(refund: Refund, evidence: Evidence) -> Refund:
    """The alarm over calls that do not work: raised by repetition, cleared by a call that does."""
    alarm = refund.alarm
    if evidence.is_repeated:
        return refund if alarm is not None else _changed(refund, alarm=evidence)
    if alarm is None or not _clears_alarm(alarm, evidence):
        return refund
    if refund.alarms_cleared >= ALARMS_CLEARED_MAX:
        return refund
    return _changed(refund, alarm=None, alarms_cleared=refund.alarms_cleared + 1)


def _clears_alarm(alarm: Evidence, evidence: Evidence) -> bool:
    """Permissions are per API: a call of one kind does not prove that the other works again.

    Once Antom processes the refund it is only inquired about, so only inquiries must work.
    """
    is_answered = evidence.is_usable and evidence.source is alarm.source
    return is_answered or (
        evidence.kind is EvidenceKind.PROCESSING and alarm.source is Source.RESPONSE
    )


def _settle_send(refund: Refund, evidence: Evidence) -> Refund:
    """Whatever the refund call brought, it is not due at once again."""
    return _changed(refund, is_send_due=False) if evidence.source is Source.RESPONSE else refund


def _settle_inquiry(refund: Refund, evidence: Evidence) -> Refund:
    """Any answer of an inquiry settles that one was due, and so do failures in a row.

    "No such refund" does not where it would end the refund: that inquiry was asked before there
    was an end to confirm, or too early (antom_refunds/domain/confirmation.py).
    """
    if evidence.source is not Source.INQUIRY:
        return refund
    if evidence.is_repeated:
        is_undecided = refund.is_undecided or refund.is_end_unconfirmed
        return _changed(refund, is_inquiry_due=False, is_undecided=is_undecided)
    is_too_early = evidence.kind is EvidenceKind.NOT_FOUND and refund.is_end_unconfirmed
    is_settled = evidence.is_usable and not is_too_early
    return _changed(refund, is_inquiry_due=False) if is_settled else refund


def _on_succeeded(refund: Refund, evidence: Evidence) -> Refund:
    """A success that names no payment is believed once something tied the id to this payment."""
    bound = _bind(refund, evidence)
    if evidence.source is Source.RESPONSE or evidence.source is Source.OPERATOR or bound.is_bound:
        return _on_terminal(bound, evidence)
    return _on_unbound_success(bound, evidence)


def _bind(refund: Refund, evidence: Evidence) -> Refund:
    """An acceptance of our call, or an inquiry that names our payment, ties the id to it."""
    known = refund.binding
    by_payment = evidence.source is Source.INQUIRY and evidence.payment_id is not None
    says_more = by_payment and (known is None or known.source is not Source.INQUIRY)
    is_first = evidence.source is Source.RESPONSE and known is None
    return _changed(refund, binding=evidence) if says_more or is_first else refund


def _on_unbound_success(refund: Refund, evidence: Evidence) -> Refund:
    """The refund call, repeated, is answered with the payment; an inquiry about it may be too."""
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if evidence.source is not Source.INQUIRY:
        is_known = refund.unbound_success is not None
        return (
            doubted
            if is_known
            else _changed(doubted, unbound_success=evidence, is_inquiry_due=True)
        )
    if refund.unbound_success is not None and refund.unbound_success.source is Source.INQUIRY:
        return doubted
    return _changed(doubted, unbound_success=evidence, is_send_due=doubted.may_send)


def _on_terminal(refund: Refund, evidence: Evidence) -> Refund:
    """What was notified before and cannot be true of this end contradicts it from the first."""
    end = _changed(
        refund,
        state=_TERMINAL_STATE_OF[evidence.kind],
        deciding_evidence=evidence,
        is_inquiry_due=False,
    )
    before = (refund.closure, refund.unbound_success)
    against = tuple(each for each in before if each is not None and contradicts(end, each))
    return _changed(end, contradictions=against) if against else end


def _raise_to(refund: Refund, state: RefundState, evidence: Evidence) -> Refund:
    if _STATE_ORDER.index(state) <= _STATE_ORDER.index(refund.state):
        return refund
    return _changed(refund, state=state, deciding_evidence=evidence)


def _on_accepted(refund: Refund, evidence: Evidence) -> Refund:
    """Antom works on it, so an earlier refusal was not about this refund."""
    reached = _raise_to(_bind(refund, evidence), RefundState.PROCESSING, evidence)
    is_wiped = evidence.source is Source.INQUIRY and refund.failure is not None
    cleared = _changed(reached, failure=None, is_undecided=False) if is_wiped else reached
    return (
        _on_terminal(cleared, cleared.unbound_success)
        if cleared.is_bound and cleared.unbound_success
        else cleared
    )


def _on_doubt(refund: Refund, evidence: Evidence) -> Refund:
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    due = _changed(doubted, is_inquiry_due=True) if evidence.code == WORKER_LOST else doubted
    return due if refund.doubt is not None else _changed(due, doubt=evidence)


def _on_blocked(refund: Refund, evidence: Evidence) -> Refund:
    """A refusal at the gate never lowers doubt: the earlier call may have moved money."""
    is_known = refund.alarm is not None and refund.alarm.kind is EvidenceKind.BLOCKED
    alarmed = refund if is_known else _changed(refund, alarm=evidence)
    if evidence.source is Source.INQUIRY:
        return alarmed
    return _raise_to(alarmed, RefundState.BLOCKED, evidence)


def _on_mismatch(refund: Refund, evidence: Evidence) -> Refund:
    """Antom speaks of this refund but cannot be taken at its word: doubt, and one inquiry."""
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.mismatch is not None:
        return doubted
    is_due = refund.is_inquiry_due or evidence.source is not Source.INQUIRY
    return _changed(doubted, mismatch=evidence, is_inquiry_due=is_due)


def _on_id_conflict(refund: Refund, evidence: Evidence) -> Refund:
    """The id may stand for another payment: only an inquiry about ours settles that."""
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.id_conflict is not None:
        return doubted
    return _changed(doubted, id_conflict=evidence, is_inquiry_due=True)


def _on_failed_unconfirmed(refund: Refund, evidence: Evidence) -> Refund:
    """A signed F names no refund: it ends nothing by itself."""
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.failure is None:
        return _changed(doubted, failure=evidence, is_inquiry_due=True)
    if not refund.may_send:
        return doubted
    if evidence.code == refund.failure.code:
        return _on_terminal(doubted, evidence.model_copy(update={"kind": EvidenceKind.FAILED}))
    return _changed(doubted, second_failure=evidence)


def _on_closed_unconfirmed(refund: Refund, evidence: Evidence) -> Refund:
    """ORDER_IS_CLOSED ends nothing until an inquiry confirms it (docs/antom.md#order-is-closed)."""
    doubted = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    known = refund.closure
    if known is None:
        return _changed(doubted, closure=evidence, is_inquiry_due=True)
    # A notified closure says more than an answered one (see contradicts), in whichever order.
    says_more = Source.NOTIFICATION is evidence.source is not known.source
    return _changed(doubted, closure=evidence) if says_more else doubted


def _on_call_off(refund: Refund, evidence: Evidence) -> Refund:
    """Only while nothing was executed; from then on no refund call is sent."""
    if refund.state not in UNEXECUTED_STATES or refund.call_off is not None:
        return refund
    return _changed(refund, call_off=evidence, is_inquiry_due=True)


def _on_not_found(refund: Refund) -> Refund:
    """Antom knows nothing of it, or nothing any more: the same request again, at once."""
    is_due = refund.may_send and not refund.is_send_due
    return _changed(refund, is_send_due=True) if is_due else refund


def _record_contradiction(refund: Refund, evidence: Evidence) -> Refund:
    """After an end nothing changes but the list of what contradicts it."""
    if evidence in refund.contradictions or not contradicts(refund, evidence):
        return refund
    return _changed(refund, contradictions=(*refund.contradictions, evidence))


def contradicts(refund: Refund, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund that ended as this one did."""
    checked = check_against_order(refund.order, evidence)
    match checked.kind:
        case EvidenceKind.MISMATCH | EvidenceKind.ID_CONFLICT:
            return True
        case EvidenceKind.CLOSED_UNCONFIRMED:
            # An answer may mean "closed, for it was refunded"; a notification says FAIL with it.
            is_notified = checked.source is Source.NOTIFICATION
            return is_notified and refund.state is RefundState.SUCCEEDED
        case EvidenceKind.FAILED_UNCONFIRMED:
            # Antom's own word on the refund outweighs it, a person's does not.
            return refund.state is RefundState.SUCCEEDED and _is_by_operator(refund)
        case EvidenceKind.SUCCEEDED | EvidenceKind.FAILED | EvidenceKind.CLOSED:
            return _TERMINAL_STATE_OF[checked.kind] is not refund.state or _has_other_refund_id(
                refund, checked
            )
        case _:
            return False


def _is_by_operator(refund: Refund) -> bool:
    return (
        refund.deciding_evidence is not None and refund.deciding_evidence.source is Source.OPERATOR
    )


def _has_other_refund_id(refund: Refund, evidence: Evidence) -> bool:
    """Antom's refund ids go one to one with ours: a second one would be a second refund."""
    known = None if refund.deciding_evidence is None else refund.deciding_evidence.refund_id
    return None not in {known, evidence.refund_id} and known != evidence.refund_id


def _changed(refund: Refund, **changes: object) -> Refund:
    return refund.model_copy(update=changes)
