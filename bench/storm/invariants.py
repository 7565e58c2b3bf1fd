"""What must hold however hard it stormed: each invariant finds the refunds that break it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from antom_refunds.domain.refund import State
from antom_refunds.simulator.faults import FaultKind
from antom_refunds.simulator.records import RefundStatus, Sending
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


_STATUS: Final = {
    State.SUCCEEDED: RefundStatus.SUCCESS,
    State.FAILED: RefundStatus.FAIL,
    State.CLOSED: RefundStatus.CLOSED,
}

# The bound of a history, in events, from how the workflow is made; polls never count.
_BEGIN_AND_END: Final = 5  # started, the first task's three, completed
# Asked while requested, while blocked and while in doubt; watched; inquired once because of a
# suspicion and once because of a closure: none of them can happen a second time.
_CALLS: Final = 6
_PER_CALL: Final = 6  # the call's three events, and the three of the task that takes its news
_UPSERTS: Final = 9  # as often as state, reason or code can change
_PER_NOTICE: Final = 4  # the signal, and the three of the task that takes it
_PER_LOST_TASK: Final = 3
_PER_LOST_CALL: Final = 7  # its three, its task's three, and the doubt that it leaves


def history_bound(history: History, *, interruptions: int) -> int:
    """The most events this history may have; losses count up to the times we caused any."""
    lost = min(history.lost_tasks, interruptions) * _PER_LOST_TASK
    lost += min(history.lost_calls, interruptions) * _PER_LOST_CALL
    notices = len(set(history.notices)) * _PER_NOTICE
    return _BEGIN_AND_END + _CALLS * _PER_CALL + _UPSERTS + notices + lost


def _moved_twice(seen: Aftermath) -> Iterable[str]:
    return (each for each, moved in seen.moved.items() if len(moved) > 1)


def _overpaid(seen: Aftermath) -> Iterable[str]:
    """Held against what callers asked for, one movement for each id; names payments."""
    due: defaultdict[str, int] = defaultdict(int)
    for order in {order.refund_request_id: order for order in seen.accepted}.values():
        if order.refund_request_id in seen.moved:
            due[order.payment_id] += order.amount.minor
    given: defaultdict[str, int] = defaultdict(int)
    for movement in seen.ledger.movements:
        given[movement.payment_id] += movement.amount.minor
    return (payment_id for payment_id, minor in given.items() if minor > due[payment_id])


def _stray_id(seen: Aftermath) -> Iterable[str]:
    heard = {payloads.refund_request_id for payloads in seen.ledger.payloads}
    return (heard | set(seen.refunds) | set(seen.moved)) - seen.chosen


def _two_payloads(seen: Aftermath) -> Iterable[str]:
    return (each.refund_request_id for each in seen.ledger.payloads if len(each.digests) > 1)


def _two_orders(seen: Aftermath) -> Iterable[str]:
    orders = Counter(order.refund_request_id for order in set(seen.accepted))
    return (each for each, count in orders.items() if count > 1)


def _never_ended(seen: Aftermath) -> Iterable[str]:
    accepted = {order.refund_request_id for order in seen.accepted} | set(seen.histories)
    ended = {each for each, history in seen.histories.items() if history.outcome}
    return accepted - ended


def _ledger_disagrees(seen: Aftermath) -> Iterable[str]:
    """Where Antom signed both ends, either is its word: that is its contradiction, not ours."""
    return (
        each
        for each, history in seen.histories.items()
        if history.outcome and not seen.has_two_words(each) and not _agrees(seen, history)
    )


def _agrees(seen: Aftermath, history: History) -> bool:
    outcome = history.outcome
    refund = seen.refunds.get(history.refund_request_id)
    if outcome is None or refund is None or refund.status is not _STATUS[outcome.state]:
        return False
    moved = [movement.amount for movement in seen.moved.get(history.refund_request_id, ())]
    return moved == ([outcome.amount] if outcome.state is State.SUCCEEDED else [])


def _told_otherwise(seen: Aftermath) -> Iterable[str]:
    for refund_request_id, state in seen.told:
        history = seen.histories.get(refund_request_id)
        if history is None or history.outcome is None or history.outcome.state != state:
            yield refund_request_id


def _failed_unsaid(seen: Aftermath) -> Iterable[str]:
    for each, history in seen.histories.items():
        if history.outcome is None or history.outcome.state is not State.FAILED:
            continue
        refund = seen.refunds.get(each)
        is_said = refund is not None and refund.status is RefundStatus.FAIL
        if not is_said and not seen.has_two_words(each):
            yield each


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


def _contradiction_hidden(seen: Aftermath) -> Iterable[str]:
    """Where we took two opposite final words, one of them must have been shown to a person."""
    return (
        each
        for each, history in seen.histories.items()
        if history.outcome and seen.has_heard_two_words(each) and not seen.is_shown(history)
    )


def _forgery_taken(seen: Aftermath) -> Iterable[str]:
    return (
        sending.refund_request_id
        for sending in seen.ledger.notifications
        if sending.fault == FaultKind.FORGED and sending.is_acknowledged
    )


def _history_too_long(seen: Aftermath) -> Iterable[str]:
    return (
        each
        for each, history in seen.histories.items()
        if history.events > history_bound(history, interruptions=seen.interruptions)
    )


FINDERS: Final[Mapping[Invariant, Callable[[Aftermath], Iterable[str]]]] = {
    Invariant.MOVED_TWICE: _moved_twice,
    Invariant.OVERPAID: _overpaid,
    Invariant.STRAY_ID: _stray_id,
    Invariant.TWO_PAYLOADS: _two_payloads,
    Invariant.TWO_ORDERS: _two_orders,
    Invariant.UNANSWERED: lambda seen: seen.unanswered,
    Invariant.NEVER_ENDED: _never_ended,
    Invariant.LEDGER_DISAGREES: _ledger_disagrees,
    Invariant.TOLD_OTHERWISE: _told_otherwise,
    Invariant.FAILED_UNSAID: _failed_unsaid,
    Invariant.NOTICE_LOST: _notice_lost,
    Invariant.CONTRADICTION_HIDDEN: _contradiction_hidden,
    Invariant.FORGERY_TAKEN: _forgery_taken,
    Invariant.HISTORY_TOO_LONG: _history_too_long,
}


def violations(seen: Aftermath) -> dict[Invariant, tuple[str, ...]]:
    """For each invariant, whom it finds, in order and once; nobody after a good storm."""
    return {invariant: tuple(sorted(set(find(seen)))) for invariant, find in FINDERS.items()}
