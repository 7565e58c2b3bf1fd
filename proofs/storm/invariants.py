"""What must hold after every storm: each invariant finds the refunds that violate it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind
from antom_refunds.simulator.records import NotificationAttempt, RefundStatus
from antom_refunds.simulator.requests import CallKind
from proofs.storm.observations import History, Observations, SeenRefund


class Invariant(StrEnum):
    """What is counted; the values appear in the report, and every count must be 0."""

    MOVED_TWICE = "money moved more than once for one id"
    OVERPAID = "a payment refunded more than was requested"
    UNKNOWN_ID = "Antom received an id that no caller used"
    TWO_PAYLOADS = "two different payloads under one id"
    TWO_ORDERS = "two different orders accepted under one id"
    UNANSWERED = "requested, but without a documented answer"
    NEVER_ENDED = "accepted, but never final"
    LEDGER_DISAGREES = "final, but the ledger disagrees"
    WRONG_OUTCOME_REPORTED = "a caller received another outcome"
    FAILED_WITHOUT_ANTOM = "failed, but not at Antom"
    NOTIFICATION_LOST = "acknowledged notification not in the history"
    CONTRADICTION_HIDDEN = "Antom contradicted itself, and no operator was notified"
    FORGERY_ACCEPTED = "forged notification acknowledged"
    HISTORY_TOO_LONG = "history longer than the bound"
    DOUBT_SILENT = "in doubt, and no operator was notified"
    SENT_AFTER_CALL_OFF = "called off, and sent to Antom again"
    ENDED_WITHOUT_OUTCOME = "a run ended without an outcome"
    CASE_MISSING = "an operator must look, and there is no case"


# The bound of a history, in events, follows from the workflow's design; polls never count.
_BEGIN_AND_END: Final = 5  # started, the first task's three, completed
# Sent while requested, while blocked and while in doubt; polled; inquired once because of a
# mismatch and once because of a closure: none of them can happen a second time.
_CALLS: Final = 6
_PER_CALL: Final = 6  # the call's three events, and three of the task that processes its result
_UPSERTS: Final = 9  # as often as state, reason or code can change
_PER_NOTICE: Final = 4  # the signal, and three of the task that processes it
# An update's two events, the task's three, and the inquiry that is made because of it.
_PER_INSTRUCTION: Final = 5 + _PER_CALL
# Antom no longer knows what it accepted: the same request again, and watched again.
_PER_NOT_FOUND: Final = 2 * _PER_CALL
# The child's start, requested and confirmed, and three of the task that processes it; or the
# activity that joins a case which is open already.
_PER_CASE: Final = 2 * _PER_CALL + 1  # and the flag that is cleared
_PER_LOST_TASK: Final = 3
_PER_LOST_CALL: Final = 7  # its three, its task's three, and the state change to in_doubt


def history_bound(history: History, *, interruptions: int) -> int:
    """The most events this history may have; losses count at most once per interruption."""
    lost = min(history.lost_tasks, interruptions) * _PER_LOST_TASK
    lost += min(history.lost_calls, interruptions) * _PER_LOST_CALL
    told = len(set(history.notices)) * _PER_NOTICE + history.instructions * _PER_INSTRUCTION
    told += history.not_found * _PER_NOT_FOUND + history.handed_over * _PER_CASE
    return _BEGIN_AND_END + _CALLS * _PER_CALL + _UPSERTS + told + lost


_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}
# After this many calls with unusable responses an operator must have been notified.
_CALLS_IN_DOUBT: Final = 5
_OUR_CALLS: Final = (CallKind.REFUND, CallKind.INQUIRY)


def _overpaid(seen: Observations) -> Iterable[str]:
    """Payments of which more went back than one movement for each accepted refund."""
    due, given = Counter[str](), Counter[str]()
    for refund in (refund for refund in seen.ledger.refunds if refund.is_external):
        due[refund.key_fields.payment_id] += refund.amount.minor
    for order in {order.refund_request_id: order for order in seen.accepted}.values():
        moved = seen.refunds[order.refund_request_id].moved
        if any(each.payment_id == order.payment_id for each in moved):
            due[order.payment_id] += order.amount.minor
    for movement in seen.ledger.movements:
        given[movement.payment_id] += movement.amount.minor
    return (payment_id for payment_id, minor in given.items() if minor > due[payment_id])


def _agrees(one: SeenRefund) -> bool:
    """Whether Antom's ledger has what our outcome says: state, amount and movement."""
    outcome, refund = one.history.outcome, one.refund
    if outcome is None or not _agrees_with_status(one, outcome.state):
        return False
    theirs = [refund.amount] if refund is not None and refund.is_external else []
    ours = [outcome.amount] if outcome.state is RefundState.SUCCEEDED else []
    return [movement.amount for movement in one.moved] == theirs + ours


def _agrees_with_status(one: SeenRefund, state: RefundState) -> bool:
    """Whether this state agrees with the refund in Antom's ledger, or with its absence."""
    is_stopped = one.history.called_off_at is not None and state is RefundState.CLOSED
    if one.refund is None:
        return is_stopped
    if one.refund.is_external:
        return one.is_settled_by_hand
    status = one.refund.status
    return status is _STATUS[state] or (is_stopped and status is RefundStatus.FAIL)


def _ledger_disagrees(one: SeenRefund) -> bool:
    """Where Antom signed both results, either may be right: it contradicts itself, we do not."""
    return one.state is not None and not one.is_contradictory and not _agrees(one)


def _failed_without_antom(one: SeenRefund) -> bool:
    is_at_antom = one.refund is not None and one.refund.status is RefundStatus.FAIL
    is_explained = is_at_antom or one.is_settled_by_hand or one.is_contradictory
    return one.state is RefundState.FAILED and not is_explained


def _notification_lost(one: SeenRefund) -> bool:
    return any(each.is_acknowledged and not _is_kept(each, one) for each in one.sent)


def _is_kept(sending: NotificationAttempt, one: SeenRefund) -> bool:
    """In the history; or too late for it, and then consistent with it or flagged."""
    if sending.digest in one.history.notices:
        return True
    closed_at = one.history.closed_at
    if closed_at is None or closed_at > sending.at:
        return False
    return one.id in one.seen.flagged or (one.is_true(sending) and _agrees(one))


def _contradiction_hidden(one: SeenRefund) -> bool:
    """Where we acknowledged two opposite results, an operator must have been notified."""
    return one.state is not None and one.received_both_results and not one.was_flagged


def _doubt_silent(one: SeenRefund) -> bool:
    """Where responses were repeatedly unusable, or the id is used for another payment."""
    is_taken = one.refund is not None and one.refund.is_external
    calls = sum(call.count for call in one.calls if call.kind in _OUR_CALLS)
    is_stuck = one.id in one.seen.unusable and calls >= _CALLS_IN_DOUBT
    return (is_taken or is_stuck) and one.exists and one.history.flagged_at is None


def _case_missing(one: SeenRefund) -> bool:
    """Where the outcome asks for an operator, or a later notification contradicted it."""
    outcome = one.history.outcome
    if one.was_flagged:
        kind = CaseKind.CONTRADICTION
    elif outcome is not None and outcome.attention_reason is not None:
        kind = CaseKind.NEEDS_ATTENTION
    else:
        return False
    return (kind.value, one.id) not in one.seen.cases


def _sent_after_call_off(one: SeenRefund) -> bool:
    """A call in flight may still arrive; no other one may be made."""
    stopped_at = one.history.called_off_at
    sent_at = [call.last_at for call in one.calls if call.kind is CallKind.REFUND and call.last_at]
    return stopped_at is not None and any(at > stopped_at + one.seen.in_flight for at in sent_at)


VIOLATED: Final[Mapping[Invariant, Callable[[SeenRefund], bool]]] = {
    Invariant.MOVED_TWICE: lambda one: len(one.moved) > 1,
    Invariant.UNKNOWN_ID: lambda one: (
        bool(one.refund or one.moved or one.digests) and one.id not in one.seen.chosen
    ),
    Invariant.TWO_PAYLOADS: lambda one: len(one.digests) > 1,
    Invariant.TWO_ORDERS: lambda one: len(one.orders) > 1,
    Invariant.UNANSWERED: lambda one: one.id in one.seen.unanswered,
    Invariant.NEVER_ENDED: lambda one: one.state is None and (one.exists or len(one.orders) > 0),
    Invariant.LEDGER_DISAGREES: _ledger_disagrees,
    Invariant.FAILED_WITHOUT_ANTOM: _failed_without_antom,
    Invariant.NOTIFICATION_LOST: _notification_lost,
    Invariant.CONTRADICTION_HIDDEN: _contradiction_hidden,
    Invariant.FORGERY_ACCEPTED: lambda one: any(
        each.is_acknowledged and each.fault == FaultKind.FORGED for each in one.sent
    ),
    Invariant.HISTORY_TOO_LONG: lambda one: (
        one.history.events > history_bound(one.history, interruptions=one.seen.interruptions)
    ),
    Invariant.DOUBT_SILENT: _doubt_silent,
    Invariant.SENT_AFTER_CALL_OFF: _sent_after_call_off,
    Invariant.ENDED_WITHOUT_OUTCOME: lambda one: bool(one.history.broke_off),
    Invariant.CASE_MISSING: _case_missing,
}


def violations(seen: Observations) -> dict[Invariant, tuple[str, ...]]:
    """For each invariant the ids that violate it, sorted; none after a good storm."""
    return {invariant: tuple(sorted(set(_violators(invariant, seen)))) for invariant in Invariant}


def _violators(invariant: Invariant, seen: Observations) -> Iterable[str]:
    match invariant:
        case Invariant.OVERPAID:
            return _overpaid(seen)
        case Invariant.WRONG_OUTCOME_REPORTED:
            return (each for each, state in seen.reported if seen.refunds[each].state != state)
        case _:
            return (each for each, one in seen.refunds.items() if VIOLATED[invariant](one))
