"""The state machine: total, independent of order, and never ahead of the evidence."""

from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source, check_against_order
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import ALARMS_CLEARED_MAX
from antom_refunds.domain.refund import (
    MERCHANT_NOT_CONFIGURED,
    TERMINAL_STATES,
    WORKER_LOST,
    Refund,
    RefundState,
    Step,
)
from antom_refunds.domain.state_machine import apply, contradicts

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)
ECHO: Final[dict[str, Any]] = {"refund_request_id": "rf-1", "amount": ORDER.amount}

# The kinds of evidence of each source: exactly those that interpret.py and contract.py create.
KINDS_OF_SOURCE: Final[dict[Source, tuple[EvidenceKind, ...]]] = {
    Source.RESPONSE: (
        EvidenceKind.SUCCEEDED,
        EvidenceKind.FAILED_UNCONFIRMED,
        EvidenceKind.PROCESSING,
        EvidenceKind.DOUBT,
        EvidenceKind.UNSENT,
        EvidenceKind.BLOCKED,
        EvidenceKind.CLOSED_UNCONFIRMED,
        EvidenceKind.MISMATCH,
        EvidenceKind.ID_CONFLICT,
    ),
    Source.INQUIRY: (
        EvidenceKind.SUCCEEDED,
        EvidenceKind.FAILED,
        EvidenceKind.CLOSED,
        EvidenceKind.PROCESSING,
        EvidenceKind.MISMATCH,
        EvidenceKind.NOT_FOUND,
        EvidenceKind.NO_INFORMATION,
        EvidenceKind.BLOCKED,
    ),
    Source.NOTIFICATION: (
        EvidenceKind.SUCCEEDED,
        EvidenceKind.FAILED,
        EvidenceKind.CLOSED_UNCONFIRMED,
        EvidenceKind.MISMATCH,
    ),
    Source.CLOCK: (EvidenceKind.OVERDUE,),
    Source.OPERATOR: (
        EvidenceKind.SUCCEEDED,
        EvidenceKind.FAILED,
        EvidenceKind.CLOSED,
        EvidenceKind.CALL_OFF,
        EvidenceKind.CHECK,
    ),
}
KINDS_AND_SOURCES: Final = tuple(
    (source, kind) for source, kinds in KINDS_OF_SOURCE.items() for kind in kinds
)
FINAL_STATE: Final = {
    EvidenceKind.SUCCEEDED: RefundState.SUCCEEDED,
    EvidenceKind.FAILED: RefundState.FAILED,
    EvidenceKind.CLOSED: RefundState.CLOSED,
}
ORDER_OF_STATES: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)


def evidence_of(source: Source, kind: EvidenceKind, **changes: Any) -> Evidence:
    """Evidence with the fields that Antom sends: final results echo the required fields."""
    echo: dict[str, Any] = {}
    if kind in FINAL_STATE and source in {Source.RESPONSE, Source.INQUIRY, Source.NOTIFICATION}:
        echo = dict(ECHO)
    if kind in {*FINAL_STATE, EvidenceKind.PROCESSING} and source in {
        Source.RESPONSE,
        Source.INQUIRY,
    }:
        echo["payment_id"] = "pay-1"
    fields = {"code": kind.upper(), "message": f"{source} {kind}", **echo, **changes}
    return Evidence(source=source, kind=kind, **fields)


# Evidence without a payment id, also an inquiry if the payment could not be inquired.
NOTIFIED: Final = evidence_of(Source.NOTIFICATION, EvidenceKind.SUCCEEDED)
UNBOUND: Final = evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED, payment_id=None)
ALL_EVIDENCE: Final = (
    *(evidence_of(source, kind) for source, kind in KINDS_AND_SOURCES),
    UNBOUND,
    evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None),
)
FINAL_EVIDENCE: Final = tuple(
    piece for piece in ALL_EVIDENCE if piece.is_terminal and piece not in {NOTIFIED, UNBOUND}
)
# The only kind that is not final but contradicts a success: it is notified with FAIL.
NOTIFIED_CLOSURE: Final = evidence_of(Source.NOTIFICATION, EvidenceKind.CLOSED_UNCONFIRMED)


def after(*evidence: Evidence) -> Refund:
    refund = Refund(order=ORDER)
    for piece in evidence:
        refund = apply(refund, piece)
    return refund


STATES: Final = {
    RefundState.REQUESTED: after(),
    RefundState.BLOCKED: after(evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED)),
    RefundState.IN_DOUBT: after(evidence_of(Source.RESPONSE, EvidenceKind.DOUBT)),
    RefundState.PROCESSING: after(evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING)),
    RefundState.SUCCEEDED: after(evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)),
    RefundState.FAILED: after(evidence_of(Source.INQUIRY, EvidenceKind.FAILED)),
    RefundState.CLOSED: after(evidence_of(Source.INQUIRY, EvidenceKind.CLOSED)),
}
OPEN: Final = tuple(state for state in RefundState if state not in TERMINAL_STATES)

# The state after each kind of evidence in each open state, in the order of ORDER_OF_STATES.
R, B, D, P = ORDER_OF_STATES
S, F, C = RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CLOSED
TABLE: Final[dict[EvidenceKind, tuple[RefundState, RefundState, RefundState, RefundState]]] = {
    EvidenceKind.SUCCEEDED: (S, S, S, S),
    EvidenceKind.FAILED: (F, F, F, F),
    EvidenceKind.CLOSED: (C, C, C, C),
    EvidenceKind.PROCESSING: (P, P, P, P),
    EvidenceKind.DOUBT: (D, D, D, P),
    EvidenceKind.BLOCKED: (B, B, D, P),
    EvidenceKind.CLOSED_UNCONFIRMED: (D, D, D, P),
    EvidenceKind.MISMATCH: (D, D, D, P),
    EvidenceKind.ID_CONFLICT: (D, D, D, P),
    EvidenceKind.FAILED_UNCONFIRMED: (D, D, D, P),
    EvidenceKind.UNSENT: (R, B, D, P),
    EvidenceKind.NOT_FOUND: (R, B, D, P),
    EvidenceKind.NO_INFORMATION: (R, B, D, P),
    EvidenceKind.OVERDUE: (R, B, D, P),
    EvidenceKind.CALL_OFF: (R, B, D, P),
    EvidenceKind.CHECK: (R, B, D, P),
}
# Where the source matters: a notification has no payment id, and an inquiry is another call.
BY_SOURCE: Final = {
    (Source.NOTIFICATION, EvidenceKind.SUCCEEDED): (D, D, D, S),
    (Source.INQUIRY, EvidenceKind.BLOCKED): (R, B, D, P),
}


def test_the_table_has_every_state_and_every_kind_of_evidence() -> None:
    assert set(STATES) == set(RefundState)
    assert all(refund.state is state for state, refund in STATES.items())
    assert set(TABLE) == set(EvidenceKind) == {kind for _, kind in KINDS_AND_SOURCES}


@pytest.mark.parametrize(("source", "kind"), KINDS_AND_SOURCES)
@pytest.mark.parametrize("state", OPEN)
def test_each_kind_of_evidence_leads_to_the_state_in_the_table(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    refund = apply(STATES[state], evidence_of(source, kind))

    leads = BY_SOURCE.get((source, kind), TABLE[kind])
    assert refund.state is leads[ORDER_OF_STATES.index(state)]


@pytest.mark.parametrize(("source", "kind"), KINDS_AND_SOURCES)
@pytest.mark.parametrize("state", sorted(TERMINAL_STATES))
def test_a_terminal_state_is_kept_and_only_another_final_result_contradicts_it(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = evidence_of(source, kind)
    is_against = (
        kind in {EvidenceKind.MISMATCH, EvidenceKind.ID_CONFLICT}
        or FINAL_STATE.get(kind, state) is not state
    )
    is_against |= state is RefundState.SUCCEEDED and evidence == NOTIFIED_CLOSURE

    refund = apply(STATES[state], evidence)

    assert refund.state is state
    assert refund.deciding_evidence == STATES[state].deciding_evidence
    assert refund.contradictions == ((evidence,) if is_against else ())
    assert contradicts(STATES[state], evidence) is is_against
    assert refund.next_step is None


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("kind", EvidenceKind)
@pytest.mark.parametrize("state", RefundState)
def test_any_evidence_can_be_applied_to_any_refund(
    state: RefundState, kind: EvidenceKind, source: Source
) -> None:
    refund = apply(STATES[state], Evidence(source=source, kind=kind, code="X"))

    assert refund.state in RefundState
    assert (refund.next_step is None) is refund.is_terminal


# --- order and repetition


def _non_contradicting(end: EvidenceKind | None) -> st.SearchStrategy[list[Evidence]]:
    """Sets of evidence with at most this one final result, from any source."""
    fitting = [piece for piece in ALL_EVIDENCE if piece.kind is end or not piece.is_terminal]
    if end is EvidenceKind.SUCCEEDED:
        fitting.remove(NOTIFIED_CLOSURE)
    return st.lists(st.sampled_from(fitting), min_size=1, max_size=5, unique=True)


CONSISTENT: Final = st.sampled_from([None, *FINAL_STATE]).flatmap(_non_contradicting)
ANY_EVIDENCE: Final = st.lists(st.sampled_from(ALL_EVIDENCE), max_size=8)


@given(CONSISTENT)
def test_evidence_without_contradiction_leads_to_the_same_state_in_every_order(
    pieces: list[Evidence],
) -> None:
    refunds = [after(*order) for order in permutations(pieces)]

    assert len({refund.state for refund in refunds}) == 1
    shown_after_an_end = {
        EvidenceKind.MISMATCH,
        EvidenceKind.ID_CONFLICT,
        EvidenceKind.FAILED_UNCONFIRMED,
    }
    assert shown_after_an_end & {piece.kind for piece in pieces} or not any(
        refund.contradictions for refund in refunds
    )


@given(CONSISTENT, st.data())
def test_repetition_changes_nothing(pieces: list[Evidence], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=8))
    shuffled = data.draw(st.permutations([*pieces, *again]))

    assert after(*shuffled).state is after(*pieces).state


@given(
    st.sets(st.sampled_from([p for p in ALL_EVIDENCE if p not in {NOTIFIED, UNBOUND}]), max_size=3),
    st.data(),
)
def test_the_first_final_result_wins_and_the_second_is_flagged_in_every_order(
    others: set[Evidence], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(FINAL_EVIDENCE))
    other = data.draw(st.sampled_from([end for end in FINAL_EVIDENCE if end.kind is not one.kind]))

    for order in permutations({one, other, *others}):
        refund = after(*order)
        first = next(piece for piece in order if piece.is_terminal)
        assert refund.state is FINAL_STATE[first.kind]
        assert refund.deciding_evidence == first
        assert refund.contradictions
        assert refund.attention_reason is not None


@given(ANY_EVIDENCE, st.sampled_from(ALL_EVIDENCE))
def test_the_same_evidence_twice_is_the_same_as_once(
    past: list[Evidence], evidence: Evidence
) -> None:
    once = apply(after(*past), evidence)

    assert apply(once, evidence) == once


@given(ANY_EVIDENCE)
def test_open_states_only_advance(pieces: list[Evidence]) -> None:
    refund, ladder = after(), [*ORDER_OF_STATES]
    for piece in pieces:
        later = apply(refund, piece)
        if refund.is_terminal:
            assert (later.state, later.deciding_evidence) == (
                refund.state,
                refund.deciding_evidence,
            )
        elif not later.is_terminal:
            assert ladder.index(later.state) >= ladder.index(refund.state)
        refund = later


@given(ANY_EVIDENCE)
def test_failed_needs_a_failure_from_antom_or_an_operators_resolution(
    pieces: list[Evidence],
) -> None:
    refund = after(*pieces)

    if refund.state is RefundState.FAILED:
        assert refund.deciding_evidence is not None
        assert refund.deciding_evidence.kind is EvidenceKind.FAILED
        assert refund.deciding_evidence.source is not Source.CLOCK
        assert refund.deciding_evidence in pieces


# --- doubt and the gate


def test_a_gate_refusal_never_removes_doubt() -> None:
    refund = after(
        evidence_of(Source.RESPONSE, EvidenceKind.DOUBT),
        evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
    )

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason is not None


def test_a_lost_response_after_a_gate_refusal_is_doubt_and_still_needs_an_operator() -> None:
    refund = after(
        evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
        evidence_of(Source.RESPONSE, EvidenceKind.DOUBT),
    )

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason is not None


@pytest.mark.parametrize(
    "pieces",
    [
        (
            evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
            evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING),
        ),
        (
            evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING),
            evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
            evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
            evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING),
            evidence_of(Source.INQUIRY, EvidenceKind.BLOCKED),
            evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING),
            evidence_of(Source.INQUIRY, EvidenceKind.NO_INFORMATION, is_repeated=True),
            evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
    ],
)
def test_an_alarm_is_cleared_with_its_cause_in_every_order(pieces: tuple[Evidence, ...]) -> None:
    refund = after(*pieces)

    assert refund.alarm is None
    assert refund.attention_reason is None


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (Source.RESPONSE, EvidenceKind.DOUBT),
        (Source.RESPONSE, EvidenceKind.UNSENT),
        (Source.INQUIRY, EvidenceKind.NO_INFORMATION),
        (Source.INQUIRY, EvidenceKind.BLOCKED),
    ],
)
@pytest.mark.parametrize("state", OPEN)
def test_a_repeated_unusable_response_alerts_an_operator(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = evidence_of(source, kind, is_repeated=True, advice="check the key")

    refund = apply(STATES[state], evidence)

    assert refund.attention_reason is not None
    assert apply(refund, evidence) == apply(apply(refund, evidence), evidence)


def test_a_working_inquiry_does_not_prove_that_refund_calls_are_permitted() -> None:
    refund = after(
        evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
        evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND),
    )

    assert refund.alarm is not None


def test_a_gate_refusal_is_a_better_reason_than_a_repetition() -> None:
    repeated = evidence_of(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True)
    blocked = evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED, advice="fix the key")

    assert after(repeated, blocked).alarm == blocked
    assert after(blocked, repeated).alarm == blocked


# --- unconfirmed refusals


UNDECIDED: Final = evidence_of(Source.INQUIRY, EvidenceKind.NO_INFORMATION, is_repeated=True)
REFUSED: Final = evidence_of(Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED)
REFUSED_OTHERWISE: Final = evidence_of(
    Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED, code="OTHER"
)
DOUBTED: Final = evidence_of(Source.RESPONSE, EvidenceKind.DOUBT)


@pytest.mark.parametrize(
    ("pieces", "state", "step"),
    [
        ((REFUSED,), D, Step.INQUIRE),
        ((REFUSED, evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND)), D, Step.INQUIRE),
        ((REFUSED, REFUSED), D, Step.INQUIRE),
        ((REFUSED, evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING)), P, Step.POLL),
        ((REFUSED, evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED)), S, None),
        ((REFUSED, UNDECIDED), D, Step.SEND),
        ((REFUSED, UNDECIDED, REFUSED), F, None),
        ((REFUSED, UNDECIDED, REFUSED_OTHERWISE), D, Step.POLL),
        ((REFUSED, UNDECIDED, REFUSED_OTHERWISE, REFUSED), D, Step.POLL),
        ((REFUSED, UNDECIDED, DOUBTED), D, Step.POLL),
        ((REFUSED, UNDECIDED, DOUBTED, REFUSED), D, Step.POLL),
        ((DOUBTED, REFUSED, UNDECIDED), D, Step.POLL),
        ((DOUBTED, REFUSED, UNDECIDED, REFUSED), D, Step.POLL),
    ],
)
def test_a_refusal_ends_a_refund_only_if_it_is_confirmed(
    pieces: tuple[Evidence, ...], state: RefundState, step: Step | None
) -> None:
    refund = after(*pieces)

    assert refund.state is state
    assert refund.next_step is step


def test_a_refusal_that_nothing_can_confirm_alerts_an_operator() -> None:
    refund = after(DOUBTED, REFUSED, UNDECIDED, evidence_of(Source.INQUIRY, EvidenceKind.MISMATCH))

    assert refund.attention_reason is not None
    assert after(DOUBTED, REFUSED).attention_reason is None


def test_processing_clears_a_refusal_of_another_refund() -> None:
    refund = after(REFUSED, UNDECIDED, evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING))

    assert refund.failure is None
    assert not refund.is_undecided
    assert refund.may_send


# --- success without a payment id


@pytest.mark.parametrize("claim", [NOTIFIED, UNBOUND])
@pytest.mark.parametrize(
    "binding",
    [
        evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING),
        evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
        evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED),
        evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED),
    ],
)
def test_a_success_without_a_payment_id_waits_for_evidence_with_one(
    claim: Evidence, binding: Evidence
) -> None:
    assert after(claim).state is D
    assert after(claim, binding).state is S
    assert after(binding, claim).state is S
    assert after(claim, binding).attention_reason is None


def test_a_notified_success_makes_an_inquiry_due_and_an_inquired_success_the_refund_call() -> None:
    assert after(NOTIFIED).next_step is Step.INQUIRE
    assert after(NOTIFIED).attention_reason is None
    inquired = after(NOTIFIED, UNBOUND)
    assert inquired.next_step is Step.SEND
    assert inquired.is_send_due
    assert inquired.attention_reason is not None
    assert not after(evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF), UNBOUND).is_send_due


def test_a_claimed_success_that_ends_otherwise_is_a_contradiction() -> None:
    refund = after(NOTIFIED, evidence_of(Source.INQUIRY, EvidenceKind.FAILED))

    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_processing_without_a_payment_id_does_not_confirm_a_claimed_success() -> None:
    unnamed = evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None)
    failed = evidence_of(Source.NOTIFICATION, EvidenceKind.FAILED)

    assert not after(unnamed, NOTIFIED).is_terminal
    refund = after(unnamed, NOTIFIED, failed)
    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_an_id_conflict_is_shown_until_the_terminal_state() -> None:
    conflict = evidence_of(Source.RESPONSE, EvidenceKind.ID_CONFLICT, advice="find out by whom")
    accepted = evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING)

    assert after(conflict).attention_reason == "ID_CONFLICT: find out by whom"
    assert after(conflict).next_step is Step.INQUIRE
    assert after(conflict, accepted, NOTIFIED).attention_reason == "ID_CONFLICT: find out by whom"
    assert (
        after(conflict, evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED)).attention_reason
        is None
    )


# --- a lost worker


def test_after_a_lost_worker_an_inquiry_and_then_the_refund_call_are_due_immediately() -> None:
    lost = evidence_of(Source.RESPONSE, EvidenceKind.DOUBT, code=WORKER_LOST)

    refund = after(lost)
    assert refund.next_step is Step.INQUIRE
    unknown = apply(refund, evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND))
    assert unknown.next_step is Step.SEND
    assert unknown.is_send_due
    assert not apply(unknown, DOUBTED).is_send_due


# --- evidence about another refund


WRONG: Final = (
    {"refund_request_id": "rf-2"},
    {"payment_id": "pay-2"},
    {"amount": Money(currency="EUR", minor=1251)},
    {"amount": Money(currency="USD", minor=1250)},
)
MISSING: Final = (
    *(
        (Source.RESPONSE, EvidenceKind.SUCCEEDED, name)
        for name in ("refund_request_id", "payment_id")
    ),
    (Source.RESPONSE, EvidenceKind.SUCCEEDED, "amount"),
    *(
        (source, kind, name)
        for source in (Source.INQUIRY, Source.NOTIFICATION)
        for kind in (EvidenceKind.SUCCEEDED, EvidenceKind.FAILED)
        for name in ("refund_request_id", "amount")
        if (kind, name) != (EvidenceKind.FAILED, "amount")
    ),
)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("source", "kind"), [pair for pair in KINDS_AND_SOURCES if pair[1] in FINAL_STATE]
)
@pytest.mark.parametrize("state", OPEN)
def test_evidence_about_another_refund_never_ends_this_one(
    state: RefundState, source: Source, kind: EvidenceKind, wrong: dict[str, Any]
) -> None:
    refund = apply(STATES[state], evidence_of(source, kind, **wrong))

    assert not refund.is_terminal
    assert refund.state is TABLE[EvidenceKind.MISMATCH][ORDER_OF_STATES.index(state)]
    assert refund.attention_reason is not None
    assert next(iter(wrong)) in refund.attention_reason


@pytest.mark.parametrize("source", [Source.INQUIRY, Source.NOTIFICATION])
def test_a_failure_may_lack_the_amount(source: Source) -> None:
    assert after(evidence_of(source, EvidenceKind.FAILED, amount=None)).state is F


@pytest.mark.parametrize(("source", "kind", "name"), MISSING)
def test_a_final_result_without_the_required_fields_is_not_final(
    source: Source, kind: EvidenceKind, name: str
) -> None:
    refund = after(evidence_of(source, kind, **{name: None}))

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason == (
        f"{source} says {kind}, but {name} differ from the order or are missing"
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_second_final_result_about_another_refund_is_a_contradiction(
    wrong: dict[str, Any],
) -> None:
    refund = apply(
        STATES[RefundState.SUCCEEDED],
        evidence_of(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, **wrong),
    )

    assert refund.state is RefundState.SUCCEEDED
    assert len(refund.contradictions) == 1


def test_a_second_refund_id_is_a_second_refund() -> None:
    first = evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED, refund_id="a")
    second = evidence_of(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, refund_id="b")

    for order in permutations((first, second)):
        assert len(after(*order).contradictions) == 1


def test_the_same_final_result_with_the_same_or_no_refund_id_is_no_contradiction() -> None:
    known = after(evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED, refund_id="a"))

    assert not contradicts(
        known, evidence_of(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, refund_id="a")
    )
    assert not contradicts(known, evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED))
    assert not contradicts(
        Refund(order=ORDER, state=S), evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED)
    )


def test_evidence_that_matches_the_order_is_unchanged() -> None:
    evidence = evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)

    assert check_against_order(ORDER, evidence) is evidence


# --- evidence without new information


NO_NEWS: Final = (
    (RefundState.BLOCKED, Source.RESPONSE, EvidenceKind.BLOCKED),
    (RefundState.IN_DOUBT, Source.RESPONSE, EvidenceKind.DOUBT),
    (RefundState.PROCESSING, Source.RESPONSE, EvidenceKind.PROCESSING),
    *((state, Source.INQUIRY, EvidenceKind.NO_INFORMATION) for state in OPEN),
    *((state, Source.RESPONSE, EvidenceKind.UNSENT) for state in OPEN),
    *(
        (state, Source.OPERATOR, EvidenceKind.CALL_OFF)
        for state in (RefundState.IN_DOUBT, RefundState.PROCESSING)
    ),
)


@pytest.mark.parametrize(("state", "source", "kind"), NO_NEWS)
def test_evidence_without_new_information_leaves_an_equal_refund(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = evidence_of(source, kind, message="repeated", code="ANOTHER")

    assert apply(STATES[state], evidence) == STATES[state]


def test_an_inquiry_that_reports_processing_makes_a_due_refund_call_unnecessary() -> None:
    not_found = evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND)
    processing = evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING)
    due = after(evidence_of(Source.RESPONSE, EvidenceKind.DOUBT), not_found)

    assert due.next_step is Step.SEND
    assert apply(due, processing).next_step is Step.POLL


def test_a_refund_call_that_was_not_sent_stays_due_while_processing() -> None:
    unknown = apply(
        STATES[RefundState.PROCESSING], evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND)
    )

    assert apply(unknown, evidence_of(Source.RESPONSE, EvidenceKind.UNSENT)) == unknown


def test_an_unbound_success_is_asked_about_again_at_every_poll_while_processing() -> None:
    success = evidence_of(Source.INQUIRY, EvidenceKind.SUCCEEDED, payment_id=None)
    processing = evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None)
    first = after(processing, success)
    failed = apply(first, evidence_of(Source.RESPONSE, EvidenceKind.DOUBT))
    again = apply(failed, success)

    assert (first.state, first.next_step) == (RefundState.PROCESSING, Step.SEND)
    assert failed.next_step is Step.POLL
    assert again.next_step is Step.SEND


@pytest.mark.parametrize("kind", [EvidenceKind.PROCESSING, EvidenceKind.DOUBT])
def test_an_accepted_refund_that_antom_no_longer_knows_is_sent_again_once(
    kind: EvidenceKind,
) -> None:
    unknown = apply(
        STATES[RefundState.PROCESSING], evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND)
    )
    response = apply(unknown, evidence_of(Source.RESPONSE, kind))

    assert (unknown.state, unknown.next_step) == (RefundState.PROCESSING, Step.SEND)
    assert (response.state, response.next_step) == (RefundState.PROCESSING, Step.POLL)


def test_a_second_processing_inquiry_changes_nothing() -> None:
    again = evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None)

    assert apply(STATES[RefundState.PROCESSING], again) == STATES[RefundState.PROCESSING]


def test_the_first_doubt_is_kept_and_the_second_changes_nothing() -> None:
    once = apply(STATES[RefundState.PROCESSING], DOUBTED)

    assert once.doubt == DOUBTED
    assert apply(once, evidence_of(Source.RESPONSE, EvidenceKind.DOUBT, code="ANOTHER")) == once


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (Source.RESPONSE, EvidenceKind.MISMATCH),
        (Source.INQUIRY, EvidenceKind.MISMATCH),
        (Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED),
        (Source.NOTIFICATION, EvidenceKind.CLOSED_UNCONFIRMED),
        (Source.CLOCK, EvidenceKind.OVERDUE),
        (Source.OPERATOR, EvidenceKind.CALL_OFF),
        (Source.OPERATOR, EvidenceKind.CHECK),
    ],
)
def test_the_first_of_a_kind_is_kept_and_the_second_changes_nothing(
    source: Source, kind: EvidenceKind
) -> None:
    refund = after(evidence_of(source, kind))

    assert refund != after()
    assert apply(refund, evidence_of(source, kind, message="repeated")) == refund


# --- the next step


@pytest.mark.parametrize(
    ("pieces", "step"),
    [
        ([], Step.SEND),
        ([evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED)], Step.SEND),
        ([evidence_of(Source.RESPONSE, EvidenceKind.DOUBT)], Step.SEND),
        ([evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING)], Step.POLL),
        ([evidence_of(Source.RESPONSE, EvidenceKind.MISMATCH)], Step.INQUIRE),
        ([evidence_of(Source.NOTIFICATION, EvidenceKind.MISMATCH)], Step.INQUIRE),
        # An inquiry that cannot be trusted is no reason for another one.
        ([evidence_of(Source.INQUIRY, EvidenceKind.MISMATCH)], Step.SEND),
        ([evidence_of(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)], Step.INQUIRE),
        ([evidence_of(Source.OPERATOR, EvidenceKind.CHECK)], Step.INQUIRE),
        ([evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF)], Step.INQUIRE),
        ([evidence_of(Source.CLOCK, EvidenceKind.OVERDUE)], Step.SEND),
        (
            [
                evidence_of(Source.OPERATOR, EvidenceKind.CHECK),
                evidence_of(Source.INQUIRY, EvidenceKind.NO_INFORMATION),
            ],
            Step.INQUIRE,
        ),
        (
            [
                evidence_of(Source.OPERATOR, EvidenceKind.CHECK),
                evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.SEND,
        ),
        (
            [
                evidence_of(Source.OPERATOR, EvidenceKind.CHECK),
                evidence_of(Source.INQUIRY, EvidenceKind.PROCESSING),
            ],
            Step.POLL,
        ),
        (
            [
                evidence_of(Source.NOTIFICATION, EvidenceKind.MISMATCH),
                evidence_of(Source.INQUIRY, EvidenceKind.MISMATCH),
            ],
            Step.SEND,
        ),
        # An inquiry that was sent before the closure cannot confirm it.
        (
            [
                evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF),
                evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.INQUIRE,
        ),
        (
            [
                evidence_of(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED),
                evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.INQUIRE,
        ),
        ([evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)], None),
    ],
)
def test_the_next_step(pieces: list[Evidence], step: Step | None) -> None:
    assert after(*pieces).next_step is step


def test_a_closed_id_is_polled_and_not_sent_again() -> None:
    closing = evidence_of(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)
    suspect = evidence_of(Source.INQUIRY, EvidenceKind.MISMATCH)

    refund = after(evidence_of(Source.RESPONSE, EvidenceKind.DOUBT), closing, suspect)

    assert refund.state is RefundState.IN_DOUBT
    assert refund.next_step is Step.POLL


def test_nothing_is_due_in_a_terminal_state_even_if_an_inquiry_was() -> None:
    refund = after(
        evidence_of(Source.OPERATOR, EvidenceKind.CHECK),
        evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED),
    )

    assert refund.next_step is None


# --- announced results


@pytest.mark.parametrize("state", [RefundState.REQUESTED, RefundState.BLOCKED])
@pytest.mark.parametrize("later", ALL_EVIDENCE)
def test_after_a_call_off_the_refund_call_is_never_sent_again(
    state: RefundState, later: Evidence
) -> None:
    called_off = apply(STATES[state], evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF))

    refund = apply(called_off, later)

    assert called_off.call_off is not None
    assert refund.call_off == called_off.call_off
    assert not refund.may_send
    assert refund.next_step is not Step.SEND
    assert refund.is_sending_over


def test_a_call_off_that_came_too_late_is_shown_in_the_outcome() -> None:
    called_off = (evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF),)

    assert after(
        *called_off, evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING)
    ).attention_reason
    assert after(*called_off, evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)).attention_reason
    assert (
        after(*called_off, evidence_of(Source.INQUIRY, EvidenceKind.CLOSED)).attention_reason
        is None
    )


def test_a_notified_closure_replaces_one_from_a_response() -> None:
    response = evidence_of(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)

    assert after(response, NOTIFIED_CLOSURE).closure == NOTIFIED_CLOSURE
    assert after(NOTIFIED_CLOSURE, response).closure == NOTIFIED_CLOSURE


@pytest.mark.parametrize(
    ("pieces", "was_sent"),
    [
        ((), False),
        (
            (evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED, code=MERCHANT_NOT_CONFIGURED),),
            False,
        ),
        ((evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),), True),
        ((DOUBTED,), True),
    ],
)
def test_the_sent_calls_are_recorded(pieces: tuple[Evidence, ...], *, was_sent: bool) -> None:
    assert after(*pieces).was_sent is was_sent


# --- the reason for attention


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], None),
        ([evidence_of(Source.RESPONSE, EvidenceKind.DOUBT)], None),
        ([evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING)], None),
        ([evidence_of(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)], None),
        ([evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)], None),
        ([evidence_of(Source.INQUIRY, EvidenceKind.FAILED)], None),
        (
            [evidence_of(Source.INQUIRY, EvidenceKind.FAILED, needs_attention=True, advice="ask")],
            "FAILED: ask",
        ),
        ([evidence_of(Source.OPERATOR, EvidenceKind.CLOSED)], None),
        (
            [
                evidence_of(Source.OPERATOR, EvidenceKind.SUCCEEDED),
                evidence_of(Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED),
            ],
            "Antom contradicted the final state: response failed_unconfirmed",
        ),
        (
            [evidence_of(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True, advice="x")],
            "response doubt: x",
        ),
        ([evidence_of(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True)], "response doubt"),
        ([evidence_of(Source.INQUIRY, EvidenceKind.CLOSED, advice="new id")], "CLOSED: new id"),
        ([evidence_of(Source.INQUIRY, EvidenceKind.CLOSED)], "CLOSED: inquiry closed"),
        (
            [evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED, advice="mend the key")],
            "BLOCKED: mend the key",
        ),
        ([evidence_of(Source.NOTIFICATION, EvidenceKind.MISMATCH)], "notification mismatch"),
        (
            [evidence_of(Source.CLOCK, EvidenceKind.OVERDUE)],
            "overdue: no final result from Antom in time",
        ),
        (
            [
                evidence_of(Source.CLOCK, EvidenceKind.OVERDUE),
                evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED),
            ],
            None,
        ),
        (
            [
                evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED),
                evidence_of(Source.NOTIFICATION, EvidenceKind.FAILED),
            ],
            "Antom contradicted the final state: notification failed",
        ),
        (
            [
                evidence_of(Source.RESPONSE, EvidenceKind.MISMATCH),
                evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED),
            ],
            "response mismatch",
        ),
    ],
)
def test_the_reason_for_attention(pieces: list[Evidence], reason: str | None) -> None:
    assert after(*pieces).attention_reason == reason


def test_a_terminal_state_without_evidence_has_no_reason() -> None:
    assert Refund(order=ORDER, state=RefundState.CLOSED).attention_reason is None


def test_an_alarm_that_was_cleared_often_stays_until_the_end() -> None:
    often = after().model_copy(update={"alarms_cleared": ALARMS_CLEARED_MAX})
    blocked = apply(often, evidence_of(Source.RESPONSE, EvidenceKind.BLOCKED))

    processing = apply(blocked, evidence_of(Source.RESPONSE, EvidenceKind.PROCESSING))

    assert processing.alarm == blocked.alarm
    assert (
        apply(processing, evidence_of(Source.RESPONSE, EvidenceKind.SUCCEEDED)).attention_reason
        is None
    )


def test_a_refusal_that_no_inquiry_could_confirm_is_the_reason_without_an_alarm() -> None:
    undecided = after(DOUBTED, REFUSED, UNDECIDED)

    response = apply(undecided, evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND))

    assert (
        response.attention_reason == "FAILED_UNCONFIRMED: refused, and no inquiry could confirm it"
    )
