"""What must hold after every storm: each invariant finds the refunds that violate it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind
from antom_refunds.simulator.records import NotificationAttempt, RefundRecord, RefundStatus
from antom_refunds.simulator.requests import CallKind
from proofs.storm.observations import History, Observations


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


Finder = Callable[[Observations], Iterable[str]]
_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}

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
_PER_LOST_TASK: Final = 3
_PER_LOST_CALL: Final = 7  # its three, its task's three, and the state change to in_doubt


def history_bound(history: History, *, interruptions: int) -> int:
    """The most events this history may have; losses count at most once per interruption."""
    lost = min(history.lost_tasks, interruptions) * _PER_LOST_TASK
    lost += min(history.lost_calls, interruptions) * _PER_LOST_CALL
    told = len(set(history.notices)) * _PER_NOTICE + history.instructions * _PER_INSTRUCTION
    told += history.not_found * _PER_NOT_FOUND
    return _BEGIN_AND_END + _CALLS * _PER_CALL + _UPSERTS + told + lost


# After this many calls with unusable responses an operator must have been notified.
_CALLS_IN_DOUBT: Final = 5


def _overpaid(seen: Observations) -> Iterable[str]:
    """Compared with what was requested, one movement for each id; lists payments."""
    due, given = Counter[str](), Counter[str]()
    for refund in (refund for refund in seen.ledger.refunds if refund.is_external):
        due[refund.key_fields.payment_id] += refund.amount.minor
    for order in {order.refund_request_id: order for order in seen.accepted}.values():
        moved = seen.moved.get(order.refund_request_id, ())
        if any(each.payment_id == order.payment_id for each in moved):
            due[order.payment_id] += order.amount.minor
    for movement in seen.ledger.movements:
        given[movement.payment_id] += movement.amount.minor
    return (payment_id for payment_id, minor in given.items() if minor > due[payment_id])


def _unknown_id(seen: Observations) -> Iterable[str]:
    heard = {payloads.refund_request_id for payloads in seen.ledger.payloads}
    return (heard | set(seen.refunds) | set(seen.moved)) - seen.chosen


def _two_orders(seen: Observations) -> Iterable[str]:
    orders = Counter(order.refund_request_id for order in set(seen.accepted))
    return (each for each, count in orders.items() if count > 1)


def _never_ended(seen: Observations) -> Iterable[str]:
    accepted = {order.refund_request_id for order in seen.accepted} | set(seen.histories)
    ended = {each for each, history in seen.histories.items() if history.outcome}
    return accepted - ended


def _ledger_disagrees(seen: Observations, history: History) -> bool:
    """Where Antom signed both results, either may be right: it contradicts itself, we do not."""
    is_contradicted = seen.antom_contradicted_itself(history.refund_request_id)
    return history.outcome is not None and not is_contradicted and not _agrees(seen, history)


def _agrees(seen: Observations, history: History) -> bool:
    outcome = history.outcome
    refund = seen.refunds.get(history.refund_request_id)
    if outcome is None or not _agrees_with_status(refund, history, outcome.state):
        return False
    moved = [movement.amount for movement in seen.moved.get(history.refund_request_id, ())]
    theirs = [refund.amount] if refund is not None and refund.is_external else []
    return moved == theirs + ([outcome.amount] if outcome.state is RefundState.SUCCEEDED else [])


def _agrees_with_status(refund: RefundRecord | None, history: History, state: RefundState) -> bool:
    """Whether this state agrees with the refund in Antom's ledger, or with its absence."""
    is_stopped = history.called_off_at is not None and state is RefundState.CLOSED
    if refund is None:
        return is_stopped
    if refund.is_external:
        return _is_settled_by_hand(refund, history)
    return refund.status is _STATUS[state] or (is_stopped and refund.status is RefundStatus.FAIL)


def _is_settled_by_hand(refund: RefundRecord | None, history: History) -> bool:
    """Whether the id was used for another payment, and an operator ended ours for that reason."""
    outcome = history.outcome
    is_by_hand = outcome is not None and outcome.result_code == "resolved_by_operator"
    return is_by_hand and refund is not None and refund.is_external


def _wrong_outcome_reported(seen: Observations) -> Iterable[str]:
    for refund_request_id, state in seen.reported:
        history = seen.histories.get(refund_request_id)
        if history is None or history.outcome is None or history.outcome.state != state:
            yield refund_request_id


def _failed_without_antom(seen: Observations, history: History) -> bool:
    if history.outcome is None or history.outcome.state is not RefundState.FAILED:
        return False
    refund = seen.refunds.get(history.refund_request_id)
    is_at_antom = refund is not None and refund.status is RefundStatus.FAIL
    is_at_antom |= _is_settled_by_hand(refund, history)
    return not is_at_antom and not seen.antom_contradicted_itself(history.refund_request_id)


def _notification_lost(seen: Observations) -> Iterable[str]:
    for each, sent in seen.sent.items():
        history, acknowledged = seen.histories.get(each), [e for e in sent if e.is_acknowledged]
        if not all(_is_kept(seen, sending, history) for sending in acknowledged):
            yield each


def _is_kept(seen: Observations, sending: NotificationAttempt, history: History | None) -> bool:
    """In the history; or too late for it, and then consistent with it or flagged."""
    if history is None or sending.digest in history.notices:
        return history is not None
    is_too_late = history.closed_at is not None and history.closed_at <= sending.at
    is_in_agreement = seen.is_true(sending) and _agrees(seen, history)
    return is_too_late and (is_in_agreement or sending.refund_request_id in seen.flagged)


def _contradiction_hidden(seen: Observations, history: History) -> bool:
    """Where we acknowledged two opposite results, an operator must have been notified."""
    is_heard = history.outcome and seen.received_both_results(history.refund_request_id)
    return bool(is_heard) and not seen.was_flagged(history)


def _forgery_accepted(seen: Observations) -> Iterable[str]:
    forged = [each for each in seen.ledger.notifications if each.fault == FaultKind.FORGED]
    return (each.refund_request_id for each in forged if each.is_acknowledged)


def _doubt_silent(seen: Observations, history: History) -> bool:
    """Where responses were repeatedly unusable, or the id is used for another payment."""
    each = history.refund_request_id
    refund = seen.refunds.get(each)
    is_taken = refund is not None and refund.is_external
    calls = seen.calls(each, CallKind.REFUND, CallKind.INQUIRY)
    is_stuck = each in seen.unusable and sum(call.count for call in calls) >= _CALLS_IN_DOUBT
    return (is_taken or is_stuck) and history.flagged_at is None


def _sent_after_call_off(seen: Observations, history: History) -> bool:
    """A call in flight may still arrive; no other one may be made."""
    stopped_at = history.called_off_at
    asked = seen.calls(history.refund_request_id, CallKind.REFUND)
    times = [call.last_at for call in asked if call.last_at]
    return stopped_at is not None and any(at > stopped_at + seen.in_flight for at in times)


def _in_each(breaks: Callable[[Observations, History], bool]) -> Finder:
    """Finds the refunds whose history violates the invariant."""
    return lambda seen: [each for each, its in seen.histories.items() if breaks(seen, its)]


FINDERS: Final[Mapping[Invariant, Finder]] = {
    Invariant.MOVED_TWICE: lambda seen: (
        each for each, moved in seen.moved.items() if len(moved) > 1
    ),
    Invariant.OVERPAID: _overpaid,
    Invariant.UNKNOWN_ID: _unknown_id,
    Invariant.TWO_PAYLOADS: lambda seen: (
        each.refund_request_id for each in seen.ledger.payloads if len(each.digests) > 1
    ),
    Invariant.TWO_ORDERS: _two_orders,
    Invariant.UNANSWERED: lambda seen: seen.unanswered,
    Invariant.NEVER_ENDED: _never_ended,
    Invariant.LEDGER_DISAGREES: _in_each(_ledger_disagrees),
    Invariant.WRONG_OUTCOME_REPORTED: _wrong_outcome_reported,
    Invariant.FAILED_WITHOUT_ANTOM: _in_each(_failed_without_antom),
    Invariant.NOTIFICATION_LOST: _notification_lost,
    Invariant.CONTRADICTION_HIDDEN: _in_each(_contradiction_hidden),
    Invariant.FORGERY_ACCEPTED: _forgery_accepted,
    Invariant.HISTORY_TOO_LONG: _in_each(
        lambda seen, its: its.events > history_bound(its, interruptions=seen.interruptions)
    ),
    Invariant.DOUBT_SILENT: _in_each(_doubt_silent),
    Invariant.SENT_AFTER_CALL_OFF: _in_each(_sent_after_call_off),
    Invariant.ENDED_WITHOUT_OUTCOME: _in_each(lambda _, history: bool(history.broke_off)),
}


def violations(seen: Observations) -> dict[Invariant, tuple[str, ...]]:
    """For each invariant the ids that violate it, sorted; none after a good storm."""
    return {invariant: tuple(sorted(set(find(seen)))) for invariant, find in FINDERS.items()}
