"""What must hold however hard it stormed: each invariant finds the refunds that break it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.records import Refund, RefundStatus, Sending
from bench.storm.aftermath import Aftermath, History


class Invariant(StrEnum):
    """What is counted, in the words of the verdict; every count must be 0."""

    MOVED_TWICE = "money moved more than once for one id"
    OVERPAID = "a payment gave back more than was asked for"
    STRAY_ID = "Antom heard an id that nobody chose"
    TWO_PAYLOADS = "two different payloads under one id"
    TWO_ORDERS = "two different orders accepted under one id"
    UNANSWERED = "asked for, but no answer that a caller can know"
    NEVER_ENDED = "accepted, but never ended"
    LEDGER_DISAGREES = "final, but the ledger disagrees"
    TOLD_OTHERWISE = "a caller was told another end"
    FAILED_UNSAID = "failed without Antom's word"
    NOTICE_LOST = "acknowledged notification not in the history"
    CONTRADICTION_HIDDEN = "Antom contradicted itself, and nobody was shown"
    FORGERY_TAKEN = "forged notification acknowledged"
    HISTORY_TOO_LONG = "history longer than the bound"
    DOUBT_SILENT = "in doubt, and no operator was called"
    ASKED_AFTER_CALL_OFF = "called off, and Antom was asked again"
    ENDED_OTHERWISE = "a run ended without an outcome"


_STATUS: Final = {
    RefundState.SUCCEEDED: RefundStatus.SUCCESS,
    RefundState.FAILED: RefundStatus.FAIL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}

# The bound of a history, in events, from how the workflow is made; polls never count.
_BEGIN_AND_END: Final = 5  # started, the first task's three, completed
# Asked while requested, while blocked and while in doubt; watched; inquired once because of a
# suspicion and once because of a closure: none of them can happen a second time.
_CALLS: Final = 6
_PER_CALL: Final = 6  # the call's three events, and the three of the task that takes its news
_UPSERTS: Final = 9  # as often as state, reason or code can change
_PER_NOTICE: Final = 4  # the signal, and the three of the task that takes it
# An update's two events, the task's three, and the inquiry that is made because of it.
_PER_INSTRUCTION: Final = 5 + _PER_CALL
# Antom no longer knows what it accepted: the same request again, and watched again.
_PER_UNKNOWN: Final = 2 * _PER_CALL
_PER_LOST_TASK: Final = 3
_PER_LOST_CALL: Final = 7  # its three, its task's three, and the doubt that it leaves


def history_bound(history: History, *, interruptions: int) -> int:
    """The most events this history may have; losses count up to the times we caused any."""
    lost = min(history.lost_tasks, interruptions) * _PER_LOST_TASK
    lost += min(history.lost_calls, interruptions) * _PER_LOST_CALL
    told = len(set(history.notices)) * _PER_NOTICE + history.instructions * _PER_INSTRUCTION
    told += history.unknown * _PER_UNKNOWN
    return _BEGIN_AND_END + _CALLS * _PER_CALL + _UPSERTS + told + lost


# After so many calls with unusable responses only an operator must have been called.
_CALLS_IN_DOUBT: Final = 5


def _overpaid(seen: Aftermath) -> Iterable[str]:
    """Held against what anybody asked for, one movement for each id; names payments."""
    due: defaultdict[str, int] = defaultdict(int)
    for refund in seen.ledger.refunds:
        if refund.is_made_elsewhere:
            due[refund.key_fields.payment_id] += refund.amount.minor
    for order in {order.refund_request_id: order for order in seen.accepted}.values():
        moved = seen.moved.get(order.refund_request_id, ())
        if any(each.payment_id == order.payment_id for each in moved):
            due[order.payment_id] += order.amount.minor
    given: defaultdict[str, int] = defaultdict(int)
    for movement in seen.ledger.movements:
        given[movement.payment_id] += movement.amount.minor
    return (payment_id for payment_id, minor in given.items() if minor > due[payment_id])


def _stray_id(seen: Aftermath) -> Iterable[str]:
    heard = {payloads.refund_request_id for payloads in seen.ledger.payloads}
    return (heard | set(seen.refunds) | set(seen.moved)) - seen.chosen


def _two_orders(seen: Aftermath) -> Iterable[str]:
    orders = Counter(order.refund_request_id for order in set(seen.accepted))
    return (each for each, count in orders.items() if count > 1)


def _never_ended(seen: Aftermath) -> Iterable[str]:
    accepted = {order.refund_request_id for order in seen.accepted} | set(seen.histories)
    ended = {each for each, history in seen.histories.items() if history.outcome}
    return accepted - ended


def _ledger_disagrees(seen: Aftermath, history: History) -> bool:
    """Where Antom signed both ends, either is its word: that is its contradiction, not ours."""
    is_judged = history.outcome and not seen.has_two_words(history.refund_request_id)
    return bool(is_judged) and not _agrees(seen, history)


def _agrees(seen: Aftermath, history: History) -> bool:
    outcome = history.outcome
    refund = seen.refunds.get(history.refund_request_id)
    if outcome is None or not _is_in_the_books(refund, history, outcome.state):
        return False
    moved = [movement.amount for movement in seen.moved.get(history.refund_request_id, ())]
    theirs = [refund.amount] if refund is not None and refund.is_made_elsewhere else []
    return moved == theirs + ([outcome.amount] if outcome.state is RefundState.SUCCEEDED else [])


def _is_in_the_books(refund: Refund | None, history: History, state: RefundState) -> bool:
    """Whether a refund that ended so may stand, or be missing, in Antom's books as it does."""
    is_stopped = history.called_off_at is not None and state is RefundState.CLOSED
    if refund is None:
        return is_stopped
    if refund.is_made_elsewhere:
        return _is_settled_by_hand(refund, history)
    return refund.status is _STATUS[state] or (is_stopped and refund.status is RefundStatus.FAIL)


def _is_settled_by_hand(refund: Refund | None, history: History) -> bool:
    """Whether the id was used for another payment, and an operator ended ours for that reason."""
    outcome = history.outcome
    is_by_hand = outcome is not None and outcome.result_code == "resolved_by_operator"
    return is_by_hand and refund is not None and refund.is_made_elsewhere


def _told_otherwise(seen: Aftermath) -> Iterable[str]:
    for refund_request_id, state in seen.told:
        history = seen.histories.get(refund_request_id)
        if history is None or history.outcome is None or history.outcome.state != state:
            yield refund_request_id


def _failed_unsaid(seen: Aftermath, history: History) -> bool:
    if history.outcome is None or history.outcome.state is not RefundState.FAILED:
        return False
    refund = seen.refunds.get(history.refund_request_id)
    is_said = refund is not None and refund.status is RefundStatus.FAIL
    is_said |= _is_settled_by_hand(refund, history)
    return not is_said and not seen.has_two_words(history.refund_request_id)


def _notice_lost(seen: Aftermath) -> Iterable[str]:
    for each, sent in seen.sent.items():
        history = seen.histories.get(each)
        if any(
            sending.is_acknowledged and not _is_kept(seen, sending, history) for sending in sent
        ):
            yield each


def _is_kept(seen: Aftermath, sending: Sending, history: History | None) -> bool:
    """In the history; or too late for it, and then in agreement or shown to a person."""
    if history is None:
        return False
    if sending.digest in history.notices:
        return True
    is_too_late = history.closed_at is not None and history.closed_at <= sending.at
    is_in_agreement = seen.is_true(sending) and _agrees(seen, history)
    return is_too_late and (is_in_agreement or sending.refund_request_id in seen.flagged)


def _contradiction_hidden(seen: Aftermath, history: History) -> bool:
    """Where we took two opposite final words, one of them must have been shown to a person."""
    is_heard = history.outcome and seen.has_heard_two_words(history.refund_request_id)
    return bool(is_heard) and not seen.is_shown(history)


def _forgery_taken(seen: Aftermath) -> Iterable[str]:
    return (
        sending.refund_request_id
        for sending in seen.ledger.notifications
        if sending.fault == FaultKind.FORGED and sending.is_acknowledged
    )


def _history_too_long(seen: Aftermath, history: History) -> bool:
    return history.events > history_bound(history, interruptions=seen.interruptions)


def _doubt_silent(seen: Aftermath, history: History) -> bool:
    """Where responses were unusable again and again, or the id is used for another payment."""
    each = history.refund_request_id
    refund = seen.refunds.get(each)
    is_taken = refund is not None and refund.is_made_elsewhere
    calls = seen.calls(each, CallKind.REFUND, CallKind.INQUIRY)
    is_stuck = each in seen.unusable and sum(call.count for call in calls) >= _CALLS_IN_DOUBT
    return (is_taken or is_stuck) and history.called_at is None


def _asked_after_call_off(seen: Aftermath, history: History) -> bool:
    """A call that was on its way may still arrive; no other one may be made."""
    stopped_at = history.called_off_at
    asked = seen.calls(history.refund_request_id, CallKind.REFUND)
    times = [call.last_at for call in asked if call.last_at]
    return stopped_at is not None and any(at > stopped_at + seen.in_flight for at in times)


def _in_each(breaks: Callable[[Aftermath, History], bool]) -> Callable[[Aftermath], Iterable[str]]:
    """Finds the refunds whose history breaks the invariant."""
    return lambda seen: [each for each, its in seen.histories.items() if breaks(seen, its)]


FINDERS: Final[Mapping[Invariant, Callable[[Aftermath], Iterable[str]]]] = {
    Invariant.MOVED_TWICE: lambda seen: (
        each for each, moved in seen.moved.items() if len(moved) > 1
    ),
    Invariant.OVERPAID: _overpaid,
    Invariant.STRAY_ID: _stray_id,
    Invariant.TWO_PAYLOADS: lambda seen: (
        each.refund_request_id for each in seen.ledger.payloads if len(each.digests) > 1
    ),
    Invariant.TWO_ORDERS: _two_orders,
    Invariant.UNANSWERED: lambda seen: seen.unanswered,
    Invariant.NEVER_ENDED: _never_ended,
    Invariant.LEDGER_DISAGREES: _in_each(_ledger_disagrees),
    Invariant.TOLD_OTHERWISE: _told_otherwise,
    Invariant.FAILED_UNSAID: _in_each(_failed_unsaid),
    Invariant.NOTICE_LOST: _notice_lost,
    Invariant.CONTRADICTION_HIDDEN: _in_each(_contradiction_hidden),
    Invariant.FORGERY_TAKEN: _forgery_taken,
    Invariant.HISTORY_TOO_LONG: _in_each(_history_too_long),
    Invariant.DOUBT_SILENT: _in_each(_doubt_silent),
    Invariant.ASKED_AFTER_CALL_OFF: _in_each(_asked_after_call_off),
    Invariant.ENDED_OTHERWISE: _in_each(lambda _, history: bool(history.broke_off)),
}


def violations(seen: Aftermath) -> dict[Invariant, tuple[str, ...]]:
    """For each invariant, whom it finds, in order and once; nobody after a good storm."""
    return {invariant: tuple(sorted(set(find(seen)))) for invariant, find in FINDERS.items()}
