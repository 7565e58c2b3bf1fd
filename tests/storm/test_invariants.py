"""Each invariant finds its violation in hand-made observations, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.requests import CallKind, KeyFields
from proofs.storm.invariants import Invariant, history_bound, violations
from proofs.storm.observations import Observations
from tests.storm.builders import (
    ORDER,
    at,
    calls,
    history,
    ledger,
    movement,
    observations,
    outcome,
    payloads,
    refund,
    sending,
)

OTHER = ORDER.model_copy(update={"amount": Money(currency="EUR", minor=1251)})
STRAY = movement(refund_request_id="r-1-2")
LATE = sending(at=at(11))
LIE = sending(succeeded=False, fault="contradicting", at=at(9.5))
TRUTH = sending(fault="contradicting")
AGAIN = sending(number=2, at=at(9.8))
BOTH = (TRUTH.digest, LIE.digest)
FAILED = history(outcome=outcome(RefundState.FAILED))


def sent(*sendings: object) -> Observations:
    return observations(ledger=ledger(notifications=sendings))


ASKED_AT_6 = calls(CallKind.REFUND, 2, last_at=at(6))
UNUSABLE = observations(
    unusable=frozenset({"r-1"}),
    ledger=ledger(calls=(calls(CallKind.REFUND, 3), calls(CallKind.INQUIRY, 2))),
)
ELSEWHERE = refund(
    key_fields=KeyFields(payment_id="other", currency="EUR", value="1250"), is_external=True
)
THEIRS = movement(payment_id="other")


def taken(**changes: Any) -> Observations:
    """Another system used the id; an operator was notified, and resolved ours."""
    by_hand = outcome(RefundState.FAILED, result_code="resolved_by_operator")
    its = replace(history(outcome=by_hand, flagged_at=at(5)), **changes)
    theirs = ledger(refunds=(ELSEWHERE,), movements=(THEIRS,))
    return observations(its=its, reported=(("r-1", "failed"),), ledger=theirs)


def stopped(*refunds: RefundRecord, **changes: Any) -> Observations:
    """Called off three seconds after noon, and closed; nothing moved."""
    its = history(outcome=outcome(RefundState.CLOSED), called_off_at=at(3))
    nothing = ledger(refunds=refunds, movements=(), **changes)
    return observations(its=its, reported=(("r-1", "closed"),), ledger=nothing)


VIOLATIONS: Final[list[tuple[str, Invariant, Observations]]] = [
    (
        "two movements",
        Invariant.MOVED_TWICE,
        observations(ledger=ledger(movements=(movement(), movement()))),
    ),
    (
        "a movement under a second id",
        Invariant.OVERPAID,
        observations(ledger=ledger(movements=(movement(), STRAY))),
    ),
    (
        "more money than was requested",
        Invariant.OVERPAID,
        observations(ledger=ledger(movements=(movement(amount=OTHER.amount),))),
    ),
    (
        "a call under an id that no caller used",
        Invariant.UNKNOWN_ID,
        observations(ledger=ledger(payloads=(payloads(), payloads("r-1-2")))),
    ),
    (
        "two payloads",
        Invariant.TWO_PAYLOADS,
        observations(ledger=ledger(payloads=(payloads("r-1", "a", "b"),))),
    ),
    ("two orders", Invariant.TWO_ORDERS, observations(accepted=(ORDER, OTHER))),
    ("no response to a caller", Invariant.UNANSWERED, observations(unanswered=frozenset({"r-1"}))),
    (
        "a workflow still open",
        Invariant.NEVER_ENDED,
        observations(its=history(closed_at=None, outcome=None)),
    ),
    ("a workflow terminated", Invariant.NEVER_ENDED, observations(its=history(outcome=None))),
    ("no workflow at all", Invariant.NEVER_ENDED, observations(histories={})),
    (
        "a workflow whose acceptance no caller read",
        Invariant.NEVER_ENDED,
        observations(accepted=(), its=history(outcome=None)),
    ),
    (
        "succeeded, but no money moved",
        Invariant.LEDGER_DISAGREES,
        observations(ledger=ledger(movements=())),
    ),
    (
        "succeeded, but unknown to Antom",
        Invariant.LEDGER_DISAGREES,
        observations(ledger=ledger(refunds=())),
    ),
    (
        "ended by a lie that never arrived",
        Invariant.LEDGER_DISAGREES,
        replace(
            sent(LIE.model_copy(update={"is_acknowledged": False, "error": "ConnectError"})),
            histories={"r-1": FAILED},
        ),
    ),
    (
        "closed, but Antom refunded",
        Invariant.LEDGER_DISAGREES,
        observations(its=history(outcome=outcome(RefundState.CLOSED))),
    ),
    (
        "failed, but money moved",
        Invariant.LEDGER_DISAGREES,
        observations(its=FAILED, ledger=ledger(refunds=(refund(RefundStatus.FAIL),))),
    ),
    (
        "another outcome reported",
        Invariant.WRONG_OUTCOME_REPORTED,
        observations(reported=(("r-1", "failed"),)),
    ),
    (
        "an outcome reported before there was one",
        Invariant.WRONG_OUTCOME_REPORTED,
        observations(its=history(outcome=None)),
    ),
    ("failed while Antom succeeded", Invariant.FAILED_WITHOUT_ANTOM, observations(its=FAILED)),
    (
        "failed while Antom knows nothing",
        Invariant.FAILED_WITHOUT_ANTOM,
        observations(its=FAILED, ledger=ledger(refunds=())),
    ),
    ("a notification only acknowledged", Invariant.NOTIFICATION_LOST, sent(sending())),
    (
        "a late one that disagrees, not flagged",
        Invariant.NOTIFICATION_LOST,
        sent(LIE.model_copy(update={"at": at(11)})),
    ),
    (
        "both results taken, no operator notified",
        Invariant.CONTRADICTION_HIDDEN,
        replace(sent(TRUTH, LIE), histories={"r-1": history(notices=BOTH)}),
    ),
    (
        "the lie taken first, the truth in the next notification, no operator notified",
        Invariant.CONTRADICTION_HIDDEN,
        replace(sent(LIE, AGAIN), histories={"r-1": history(notices=BOTH)}),
    ),
    (
        "a forgery acknowledged",
        Invariant.FORGERY_ACCEPTED,
        sent(sending(succeeded=False, fault="forged")),
    ),
    ("a history of polls", Invariant.HISTORY_TOO_LONG, observations(its=history(events=51))),
    (
        "an outcome that asks for an operator, no case",
        Invariant.CASE_MISSING,
        replace(
            observations(its=history(outcome=outcome(attention_reason="x"))), cases=frozenset()
        ),
    ),
    (
        "a contradiction, a case of another kind",
        Invariant.CASE_MISSING,
        replace(
            observations(its=history(outcome=outcome(attention_reason="x", is_contradicted=True))),
            cases=frozenset({("needs_attention", "r-1")}),
        ),
    ),
    ("unusable responses again and again, no operator notified", Invariant.DOUBT_SILENT, UNUSABLE),
    ("an id used elsewhere, no operator notified", Invariant.DOUBT_SILENT, taken(flagged_at=None)),
    (
        "an id used elsewhere, believed to be ours",
        Invariant.LEDGER_DISAGREES,
        taken(outcome=outcome()),
    ),
    (
        "a payment of ours moved money under an id used elsewhere",
        Invariant.LEDGER_DISAGREES,
        replace(taken(), ledger=ledger(refunds=(ELSEWHERE,), movements=(THEIRS, movement()))),
    ),
    (
        "called off, sent again",
        Invariant.SENT_AFTER_CALL_OFF,
        observations(its=history(called_off_at=at(3)), ledger=ledger(calls=(ASKED_AT_6,))),
    ),
    (
        "a workflow that failed",
        Invariant.ENDED_WITHOUT_OUTCOME,
        observations(its=history(outcome=None, closed_at=None, broke_off="FAILED")),
    ),
    (
        "called off and closed, but Antom refunded",
        Invariant.LEDGER_DISAGREES,
        observations(its=history(outcome=outcome(RefundState.CLOSED), called_off_at=at(3))),
    ),
]


@pytest.mark.parametrize(
    ("invariant", "seen"),
    [(each[1], each[2]) for each in VIOLATIONS],
    ids=[x[0] for x in VIOLATIONS],
)
def test_a_violation_is_found(invariant: Invariant, seen: Observations) -> None:
    assert violations(seen)[invariant]


def test_every_invariant_has_a_violation_that_it_finds() -> None:
    assert {invariant for _, invariant, _ in VIOLATIONS} == set(violations(observations()))


FINE: Final[dict[str, Observations]] = {
    "a refund that went well": observations(),
    "a refund that Antom refused": observations(
        its=FAILED,
        reported=(("r-1", "failed"),),
        ledger=ledger(refunds=(refund(RefundStatus.FAIL),), movements=()),
    ),
    "a notification in the history": replace(
        sent(sending()), histories={"r-1": history(notices=(sending().digest,))}
    ),
    "a notification after the end that agrees": sent(LATE),
    "one after the end that disagrees and was flagged": replace(
        sent(LIE.model_copy(update={"at": at(11)})), flagged=frozenset({"r-1"})
    ),
    "a notification that was refused": sent(sending(is_acknowledged=False)),
    "a forgery that was refused": sent(sending(fault="forged", is_acknowledged=False)),
    "both results from Antom, flagged": replace(
        sent(TRUTH, LIE),
        histories={"r-1": history(notices=BOTH, outcome=outcome(is_contradicted=True))},
    ),
    "Antom's own lie came first": replace(
        sent(TRUTH.model_copy(update={"is_acknowledged": False}), LIE),
        histories={"r-1": replace(FAILED, notices=(LIE.digest,))},
        reported=(("r-1", "failed"),),
    ),
    "an id that another system used, resolved by an operator": taken(),
    "called off before Antom knew of it": stopped(),
    "called off, and refused by Antom": stopped(refund(RefundStatus.FAIL)),
    "called off while a call was in flight": replace(
        stopped(calls=(ASKED_AT_6,)), in_flight=timedelta(seconds=4)
    ),
    "unusable responses, and an operator was notified": replace(
        UNUSABLE, histories={"r-1": history(flagged_at=at(5))}
    ),
    "unusable responses that soon ended": replace(
        UNUSABLE, ledger=ledger(calls=(calls(CallKind.REFUND, 4),))
    ),
    "an id that was chosen but never reached us": observations(chosen=frozenset({"r-1", "r-2"})),
}


@pytest.mark.parametrize("seen", FINE.values(), ids=FINE)
def test_nothing_is_found_where_nothing_is_wrong(seen: Observations) -> None:
    assert not any(violations(seen).values())


def test_a_lost_worker_makes_a_history_longer_but_only_as_often_as_we_lost_one() -> None:
    interrupted = history(lost_tasks=2, lost_calls=1)

    assert history_bound(history(), interruptions=0) == 50
    assert history_bound(interrupted, interruptions=3) == 50 + 2 * 3 + 7
    assert history_bound(interrupted, interruptions=0) == 50


def test_each_accepted_instruction_adds_an_inquiry_to_the_bound() -> None:
    assert history_bound(history(instructions=2), interruptions=0) == 50 + 2 * 11


def test_repetitions_of_a_notification_count_once_in_the_bound() -> None:
    assert history_bound(history(notices=("a", "a", "b")), interruptions=0) == 50 + 2 * 4
