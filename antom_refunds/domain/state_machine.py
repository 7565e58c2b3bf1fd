"""The state machine: a pure function from a refund and new evidence to the updated refund.

States only move forward: requested < blocked < in_doubt < processing < a terminal state. Evidence
may therefore arrive in any order, repeated or late, and still lead to the same terminal state
(docs/architecture.md#states).
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
    """The refund after this evidence; an equal refund if the evidence adds nothing new."""
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
    """Evidence that does not change the state, but may change the next step."""
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
    """Raise the alarm on repeated unusable calls; clear it when a call works again."""
    alarm = refund.alarm
    if evidence.is_repeated:
        return refund if alarm is not None else _changed(refund, alarm=evidence)
    if alarm is None or not _clears_alarm(alarm, evidence):
        return refund
    if refund.alarms_cleared >= ALARMS_CLEARED_MAX:
        return refund
    return _changed(refund, alarm=None, alarms_cleared=refund.alarms_cleared + 1)


def _clears_alarm(alarm: Evidence, evidence: Evidence) -> bool:
    """Permissions are per API, so a working inquiry does not prove that refund calls work.

    Once Antom processes the refund only inquiries are sent, so an alarm on refund calls is moot.
    """
    is_same_call = evidence.is_usable and evidence.source is alarm.source
    return is_same_call or (
        evidence.kind is EvidenceKind.PROCESSING and alarm.source is Source.RESPONSE
    )


def _settle_send(refund: Refund, evidence: Evidence) -> Refund:
    """After any result of a refund call that was sent, it is no longer due immediately."""
    is_result = evidence.source is Source.RESPONSE and evidence.kind is not EvidenceKind.UNSENT
    return _changed(refund, is_send_due=False) if is_result else refund


def _settle_inquiry(refund: Refund, evidence: Evidence) -> Refund:
    """An inquiry that was due is done after any usable response, or after repeated failures.

    "No such refund" does not count while a result awaits confirmation: that inquiry was sent
    before the result was announced, or too early (antom_refunds/domain/confirmation.py).
    """
    if evidence.source is not Source.INQUIRY:
        return refund
    if evidence.is_repeated:
        is_undecided = refund.is_undecided or refund.awaits_confirmation
        return _changed(refund, is_inquiry_due=False, is_undecided=is_undecided)
    is_too_early = evidence.kind is EvidenceKind.NOT_FOUND and refund.awaits_confirmation
    is_settled = evidence.is_usable and not is_too_early
    return _changed(refund, is_inquiry_due=False) if is_settled else refund


def _on_succeeded(refund: Refund, evidence: Evidence) -> Refund:
    """A success without a payment id counts only once the id is bound to this payment."""
    bound = _bind(refund, evidence)
    if evidence.source is Source.RESPONSE or evidence.source is Source.OPERATOR or bound.is_bound:
        return _on_terminal(bound, evidence)
    return _on_unbound_success(bound, evidence)


def _bind(refund: Refund, evidence: Evidence) -> Refund:
    """An accepted refund call, or an inquiry that names our payment, binds the id to it."""
    previous = refund.binding
    by_payment = evidence.source is Source.INQUIRY and evidence.payment_id is not None
    is_stronger = by_payment and (previous is None or previous.source is not Source.INQUIRY)
    is_first = evidence.source is Source.RESPONSE and previous is None
    return _changed(refund, binding=evidence) if is_stronger or is_first else refund


def _on_unbound_success(refund: Refund, evidence: Evidence) -> Refund:
    """The response to a repeated refund call names the payment; an inquiry's may, too."""
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if evidence.source is not Source.INQUIRY:
        is_recorded = refund.unbound_success is not None
        return (
            in_doubt
            if is_recorded
            else _changed(in_doubt, unbound_success=evidence, is_inquiry_due=True)
        )
    if refund.unbound_success is not None and refund.unbound_success.source is Source.INQUIRY:
        # In doubt the refund call is repeated anyway; while polling, only if it is due.
        is_polled = refund.state is RefundState.PROCESSING and refund.may_send
        return _changed(in_doubt, is_send_due=True) if is_polled else in_doubt
    return _changed(in_doubt, unbound_success=evidence, is_send_due=in_doubt.may_send)


def _on_terminal(refund: Refund, evidence: Evidence) -> Refund:
    """Enter a terminal state; earlier evidence that contradicts it is recorded immediately."""
    terminal = _changed(
        refund,
        state=_TERMINAL_STATE_OF[evidence.kind],
        deciding_evidence=evidence,
        is_inquiry_due=False,
    )
    earlier = (refund.closure, refund.unbound_success)
    contradictions = tuple(
        each for each in earlier if each is not None and contradicts(terminal, each)
    )
    return _changed(terminal, contradictions=contradictions) if contradictions else terminal


def _raise_to(refund: Refund, state: RefundState, evidence: Evidence) -> Refund:
    if _STATE_ORDER.index(state) <= _STATE_ORDER.index(refund.state):
        return refund
    return _changed(refund, state=state, deciding_evidence=evidence)


def _on_accepted(refund: Refund, evidence: Evidence) -> Refund:
    """Antom is processing the refund, so an earlier refusal was not about this refund."""
    accepted = _raise_to(_bind(refund, evidence), RefundState.PROCESSING, evidence)
    if evidence.source is Source.INQUIRY:
        # An unbound success still needs the response to a refund call.
        is_due = accepted.is_send_due and accepted.unbound_success is not None
        accepted = _changed(accepted, is_send_due=is_due)
        if refund.failure is not None:
            accepted = _changed(accepted, failure=None, is_undecided=False)
    return (
        _on_terminal(accepted, accepted.unbound_success)
        if accepted.is_bound and accepted.unbound_success
        else accepted
    )


def _on_doubt(refund: Refund, evidence: Evidence) -> Refund:
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if evidence.code == WORKER_LOST:
        in_doubt = _changed(in_doubt, is_inquiry_due=True)
    return in_doubt if refund.doubt is not None else _changed(in_doubt, doubt=evidence)


def _on_blocked(refund: Refund, evidence: Evidence) -> Refund:
    """A refusal at the gate does not remove doubt: an earlier call may have moved money."""
    is_alarmed = refund.alarm is not None and refund.alarm.kind is EvidenceKind.BLOCKED
    alarmed = refund if is_alarmed else _changed(refund, alarm=evidence)
    if evidence.source is Source.INQUIRY:
        return alarmed
    return _raise_to(alarmed, RefundState.BLOCKED, evidence)


def _on_mismatch(refund: Refund, evidence: Evidence) -> Refund:
    """Inconsistent evidence about this refund proves nothing: in doubt, and inquire once."""
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.mismatch is not None:
        return in_doubt
    is_due = refund.is_inquiry_due or evidence.source is not Source.INQUIRY
    return _changed(in_doubt, mismatch=evidence, is_inquiry_due=is_due)


def _on_id_conflict(refund: Refund, evidence: Evidence) -> Refund:
    """The id may belong to another payment: only an inquiry about our payment clarifies that."""
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.id_conflict is not None:
        return in_doubt
    return _changed(in_doubt, id_conflict=evidence, is_inquiry_due=True)


def _on_failed_unconfirmed(refund: Refund, evidence: Evidence) -> Refund:
    """A signed F names no refund, so one alone is not final."""
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    if refund.failure is None:
        return _changed(in_doubt, failure=evidence, is_inquiry_due=True)
    if not refund.may_send:
        return in_doubt
    if evidence.code == refund.failure.code:
        return _on_terminal(in_doubt, evidence.model_copy(update={"kind": EvidenceKind.FAILED}))
    return _changed(in_doubt, second_failure=evidence)


def _on_closed_unconfirmed(refund: Refund, evidence: Evidence) -> Refund:
    """ORDER_IS_CLOSED is final only once an inquiry confirms it (docs/antom.md#order-is-closed)."""
    in_doubt = _raise_to(refund, RefundState.IN_DOUBT, evidence)
    previous = refund.closure
    if previous is None:
        return _changed(in_doubt, closure=evidence, is_inquiry_due=True)
    # A notification of the closure is stronger than a response (see contradicts), in any order.
    is_stronger = Source.NOTIFICATION is evidence.source is not previous.source
    return _changed(in_doubt, closure=evidence) if is_stronger else in_doubt


def _on_call_off(refund: Refund, evidence: Evidence) -> Refund:
    """Accepted only while nothing was executed; no refund call is sent after it."""
    if refund.state not in UNEXECUTED_STATES or refund.call_off is not None:
        return refund
    return _changed(refund, call_off=evidence, is_inquiry_due=True)


def _on_not_found(refund: Refund) -> Refund:
    """Antom does not know the refund, or no longer does: send the same request immediately."""
    is_due = refund.may_send and not refund.is_send_due
    return _changed(refund, is_send_due=True) if is_due else refund


def _record_contradiction(refund: Refund, evidence: Evidence) -> Refund:
    """In a terminal state only the list of contradictions changes."""
    if evidence in refund.contradictions or not contradicts(refund, evidence):
        return refund
    return _changed(refund, contradictions=(*refund.contradictions, evidence))


def contradicts(refund: Refund, evidence: Evidence) -> bool:
    """Whether the evidence cannot be true of a refund in this terminal state."""
    checked = check_against_order(refund.order, evidence)
    match checked.kind:
        case EvidenceKind.MISMATCH | EvidenceKind.ID_CONFLICT:
            return True
        case EvidenceKind.CLOSED_UNCONFIRMED:
            # A response may mean "closed because it was refunded"; a notification also says FAIL.
            is_notified = checked.source is Source.NOTIFICATION
            return is_notified and refund.state is RefundState.SUCCEEDED
        case EvidenceKind.FAILED_UNCONFIRMED:
            # A success reported by Antom itself outweighs it; an operator's resolution does not.
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
    """Antom has one refund id for each of ours: a second one would be a second refund."""
    own = None if refund.deciding_evidence is None else refund.deciding_evidence.refund_id
    return None not in {own, evidence.refund_id} and own != evidence.refund_id


def _changed(refund: Refund, **changes: object) -> Refund:
    return refund.model_copy(update=changes)
