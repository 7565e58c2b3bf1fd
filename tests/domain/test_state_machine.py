"""The state machine: total, free of order, and never wiser than the evidence."""

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

# Who can say what: what reading.py and contract.py make, and nothing else.
SAYS: Final[dict[Source, tuple[EvidenceKind, ...]]] = {
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
SAYINGS: Final = tuple((source, kind) for source, words in SAYS.items() for kind in words)
FINAL_STATE: Final = {
    EvidenceKind.SUCCEEDED: RefundState.SUCCEEDED,
    EvidenceKind.FAILED: RefundState.FAILED,
    EvidenceKind.CLOSED: RefundState.CLOSED,
}
GROWTH: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)


def said(source: Source, kind: EvidenceKind, **changes: Any) -> Evidence:
    """Evidence as Antom gives it: an end echoes what it owes, and an inquiry names the payment."""
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


# What names no payment: not even an inquiry does, if nothing could be learnt of the payment.
NOTIFIED: Final = said(Source.NOTIFICATION, EvidenceKind.SUCCEEDED)
UNBOUND: Final = said(Source.INQUIRY, EvidenceKind.SUCCEEDED, payment_id=None)
EVERYTHING: Final = (
    *(said(source, kind) for source, kind in SAYINGS),
    UNBOUND,
    said(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None),
)
ENDING: Final = tuple(
    piece for piece in EVERYTHING if piece.is_terminal and piece not in {NOTIFIED, UNBOUND}
)
# The one word that is no end and yet cannot be true of a success: it is notified with FAIL.
NOTIFIED_CLOSURE: Final = said(Source.NOTIFICATION, EvidenceKind.CLOSED_UNCONFIRMED)


def after(*evidence: Evidence) -> Refund:
    refund = Refund(order=ORDER)
    for piece in evidence:
        refund = apply(refund, piece)
    return refund


STATES: Final = {
    RefundState.REQUESTED: after(),
    RefundState.BLOCKED: after(said(Source.RESPONSE, EvidenceKind.BLOCKED)),
    RefundState.IN_DOUBT: after(said(Source.RESPONSE, EvidenceKind.DOUBT)),
    RefundState.PROCESSING: after(said(Source.RESPONSE, EvidenceKind.PROCESSING)),
    RefundState.SUCCEEDED: after(said(Source.RESPONSE, EvidenceKind.SUCCEEDED)),
    RefundState.FAILED: after(said(Source.INQUIRY, EvidenceKind.FAILED)),
    RefundState.CLOSED: after(said(Source.INQUIRY, EvidenceKind.CLOSED)),
}
OPEN: Final = tuple(state for state in RefundState if state not in TERMINAL_STATES)

# To which state each word leads from each state that is no end, in the order of GROWTH.
R, B, D, P = GROWTH
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
# Where it matters who says it: a notification names no payment, and an inquiry is another call.
BY_SOURCE: Final = {
    (Source.NOTIFICATION, EvidenceKind.SUCCEEDED): (D, D, D, S),
    (Source.INQUIRY, EvidenceKind.BLOCKED): (R, B, D, P),
}


def test_the_table_names_every_state_and_every_word() -> None:
    assert set(STATES) == set(RefundState)
    assert all(refund.state is state for state, refund in STATES.items())
    assert set(TABLE) == set(EvidenceKind) == {kind for _, kind in SAYINGS}


@pytest.mark.parametrize(("source", "kind"), SAYINGS)
@pytest.mark.parametrize("state", OPEN)
def test_each_word_leads_where_the_table_says(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    refund = apply(STATES[state], said(source, kind))

    leads = BY_SOURCE.get((source, kind), TABLE[kind])
    assert refund.state is leads[GROWTH.index(state)]


@pytest.mark.parametrize(("source", "kind"), SAYINGS)
@pytest.mark.parametrize("state", sorted(TERMINAL_STATES))
def test_an_end_stays_and_only_another_end_contradicts_it(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = said(source, kind)
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
def test_there_is_an_answer_to_everything_anybody_could_say(
    state: RefundState, kind: EvidenceKind, source: Source
) -> None:
    refund = apply(STATES[state], Evidence(source=source, kind=kind, code="X"))

    assert refund.state in RefundState
    assert (refund.next_step is None) is refund.is_terminal


# --- order and repetition


def _non_contradicting(end: EvidenceKind | None) -> st.SearchStrategy[list[Evidence]]:
    """Sets of evidence with at most this one last word, from whichever source."""
    fitting = [piece for piece in EVERYTHING if piece.kind is end or not piece.is_terminal]
    if end is EvidenceKind.SUCCEEDED:
        fitting.remove(NOTIFIED_CLOSURE)
    return st.lists(st.sampled_from(fitting), min_size=1, max_size=5, unique=True)


CONSISTENT: Final = st.sampled_from([None, *FINAL_STATE]).flatmap(_non_contradicting)
ANY_EVIDENCE: Final = st.lists(st.sampled_from(EVERYTHING), max_size=8)


@given(CONSISTENT)
def test_evidence_without_contradiction_ends_alike_in_every_order(pieces: list[Evidence]) -> None:
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
    st.sets(st.sampled_from([p for p in EVERYTHING if p not in {NOTIFIED, UNBOUND}]), max_size=3),
    st.data(),
)
def test_of_two_last_words_the_first_stands_and_the_other_is_flagged_in_every_order(
    others: set[Evidence], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(ENDING))
    other = data.draw(st.sampled_from([end for end in ENDING if end.kind is not one.kind]))

    for order in permutations({one, other, *others}):
        refund = after(*order)
        first = next(piece for piece in order if piece.is_terminal)
        assert refund.state is FINAL_STATE[first.kind]
        assert refund.deciding_evidence == first
        assert refund.contradictions
        assert refund.attention_reason is not None


@given(ANY_EVIDENCE, st.sampled_from(EVERYTHING))
def test_the_same_evidence_twice_is_the_same_as_once(
    past: list[Evidence], evidence: Evidence
) -> None:
    once = apply(after(*past), evidence)

    assert apply(once, evidence) == once


@given(ANY_EVIDENCE)
def test_knowledge_only_grows(pieces: list[Evidence]) -> None:
    refund, ladder = after(), [*GROWTH]
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
def test_failed_needs_antoms_word_or_an_operators_resolution(pieces: list[Evidence]) -> None:
    refund = after(*pieces)

    if refund.state is RefundState.FAILED:
        assert refund.deciding_evidence is not None
        assert refund.deciding_evidence.kind is EvidenceKind.FAILED
        assert refund.deciding_evidence.source is not Source.CLOCK
        assert refund.deciding_evidence in pieces


# --- doubt and the gate


def test_a_refusal_at_the_gate_never_lowers_doubt() -> None:
    refund = after(
        said(Source.RESPONSE, EvidenceKind.DOUBT), said(Source.RESPONSE, EvidenceKind.BLOCKED)
    )

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason is not None


def test_a_lost_answer_after_a_refusal_is_doubt_and_still_wants_a_person() -> None:
    refund = after(
        said(Source.RESPONSE, EvidenceKind.BLOCKED), said(Source.RESPONSE, EvidenceKind.DOUBT)
    )

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason is not None


@pytest.mark.parametrize(
    "pieces",
    [
        (
            said(Source.RESPONSE, EvidenceKind.BLOCKED),
            said(Source.RESPONSE, EvidenceKind.PROCESSING),
        ),
        (
            said(Source.RESPONSE, EvidenceKind.PROCESSING),
            said(Source.RESPONSE, EvidenceKind.BLOCKED),
            said(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            said(Source.RESPONSE, EvidenceKind.BLOCKED),
            said(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            said(Source.RESPONSE, EvidenceKind.PROCESSING),
            said(Source.INQUIRY, EvidenceKind.BLOCKED),
            said(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
        (
            said(Source.RESPONSE, EvidenceKind.PROCESSING),
            said(Source.INQUIRY, EvidenceKind.NO_INFORMATION, is_repeated=True),
            said(Source.INQUIRY, EvidenceKind.PROCESSING),
        ),
    ],
)
def test_an_alarm_goes_with_its_cause_in_whatever_order(pieces: tuple[Evidence, ...]) -> None:
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
def test_an_unusable_response_that_repeats_itself_calls_an_operator(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = said(source, kind, is_repeated=True, advice="check the key")

    refund = apply(STATES[state], evidence)

    assert refund.attention_reason is not None
    assert apply(refund, evidence) == apply(apply(refund, evidence), evidence)


def test_an_inquiry_that_works_does_not_prove_that_the_refund_call_is_permitted() -> None:
    refund = after(
        said(Source.RESPONSE, EvidenceKind.BLOCKED), said(Source.INQUIRY, EvidenceKind.NOT_FOUND)
    )

    assert refund.alarm is not None


def test_a_refusal_at_the_gate_says_more_than_a_repetition() -> None:
    repeated = said(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True)
    blocked = said(Source.RESPONSE, EvidenceKind.BLOCKED, advice="fix the key")

    assert after(repeated, blocked).alarm == blocked
    assert after(blocked, repeated).alarm == blocked


# --- refusals that no inquiry has confirmed


UNDECIDED: Final = said(Source.INQUIRY, EvidenceKind.NO_INFORMATION, is_repeated=True)
REFUSED: Final = said(Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED)
REFUSED_OTHERWISE: Final = said(Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED, code="OTHER")
DOUBTED: Final = said(Source.RESPONSE, EvidenceKind.DOUBT)


@pytest.mark.parametrize(
    ("pieces", "state", "step"),
    [
        ((REFUSED,), D, Step.INQUIRE),
        ((REFUSED, said(Source.INQUIRY, EvidenceKind.NOT_FOUND)), D, Step.INQUIRE),
        ((REFUSED, REFUSED), D, Step.INQUIRE),
        ((REFUSED, said(Source.INQUIRY, EvidenceKind.PROCESSING)), P, Step.POLL),
        ((REFUSED, said(Source.INQUIRY, EvidenceKind.SUCCEEDED)), S, None),
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


def test_a_refusal_that_nothing_can_confirm_calls_an_operator() -> None:
    refund = after(DOUBTED, REFUSED, UNDECIDED, said(Source.INQUIRY, EvidenceKind.MISMATCH))

    assert refund.attention_reason is not None
    assert after(DOUBTED, REFUSED).attention_reason is None


def test_processing_wipes_a_refusal_that_was_not_about_this_refund() -> None:
    refund = after(REFUSED, UNDECIDED, said(Source.INQUIRY, EvidenceKind.PROCESSING))

    assert refund.failure is None
    assert not refund.is_undecided
    assert refund.may_send


# --- success of a payment that nobody named


@pytest.mark.parametrize("claim", [NOTIFIED, UNBOUND])
@pytest.mark.parametrize(
    "binding",
    [
        said(Source.RESPONSE, EvidenceKind.PROCESSING),
        said(Source.INQUIRY, EvidenceKind.PROCESSING),
        said(Source.INQUIRY, EvidenceKind.SUCCEEDED),
        said(Source.RESPONSE, EvidenceKind.SUCCEEDED),
    ],
)
def test_a_success_that_names_no_payment_waits_for_something_that_does(
    claim: Evidence, binding: Evidence
) -> None:
    assert after(claim).state is D
    assert after(claim, binding).state is S
    assert after(binding, claim).state is S
    assert after(claim, binding).attention_reason is None


def test_a_notified_success_makes_an_inquiry_due_and_an_inquired_one_the_refund_call() -> None:
    assert after(NOTIFIED).next_step is Step.INQUIRE
    assert after(NOTIFIED).attention_reason is None
    inquired = after(NOTIFIED, UNBOUND)
    assert inquired.next_step is Step.SEND
    assert inquired.is_send_due
    assert inquired.attention_reason is not None
    assert not after(said(Source.OPERATOR, EvidenceKind.CALL_OFF), UNBOUND).is_send_due


def test_a_claimed_success_that_ends_otherwise_is_a_contradiction() -> None:
    refund = after(NOTIFIED, said(Source.INQUIRY, EvidenceKind.FAILED))

    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_processing_of_a_payment_that_is_not_named_proves_no_claimed_success() -> None:
    unnamed = said(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None)
    failed = said(Source.NOTIFICATION, EvidenceKind.FAILED)

    assert not after(unnamed, NOTIFIED).is_terminal
    refund = after(unnamed, NOTIFIED, failed)
    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_an_id_that_antom_has_with_other_fields_is_shown_to_the_end() -> None:
    conflict = said(Source.RESPONSE, EvidenceKind.ID_CONFLICT, advice="find out by whom")
    accepted = said(Source.RESPONSE, EvidenceKind.PROCESSING)

    assert after(conflict).attention_reason == "ID_CONFLICT: find out by whom"
    assert after(conflict).next_step is Step.INQUIRE
    assert after(conflict, accepted, NOTIFIED).attention_reason == "ID_CONFLICT: find out by whom"
    assert after(conflict, said(Source.INQUIRY, EvidenceKind.SUCCEEDED)).attention_reason is None


# --- a lost worker


def test_after_a_lost_worker_an_inquiry_and_then_the_refund_call_are_due_at_once() -> None:
    lost = said(Source.RESPONSE, EvidenceKind.DOUBT, code=WORKER_LOST)

    refund = after(lost)
    assert refund.next_step is Step.INQUIRE
    unknown = apply(refund, said(Source.INQUIRY, EvidenceKind.NOT_FOUND))
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
@pytest.mark.parametrize(("source", "kind"), [pair for pair in SAYINGS if pair[1] in FINAL_STATE])
@pytest.mark.parametrize("state", OPEN)
def test_evidence_about_another_refund_never_ends_this_one(
    state: RefundState, source: Source, kind: EvidenceKind, wrong: dict[str, Any]
) -> None:
    refund = apply(STATES[state], said(source, kind, **wrong))

    assert not refund.is_terminal
    assert refund.state is TABLE[EvidenceKind.MISMATCH][GROWTH.index(state)]
    assert refund.attention_reason is not None
    assert next(iter(wrong)) in refund.attention_reason


@pytest.mark.parametrize("source", [Source.INQUIRY, Source.NOTIFICATION])
def test_a_failure_moved_nothing_so_that_its_amount_may_be_missing(source: Source) -> None:
    assert after(said(source, EvidenceKind.FAILED, amount=None)).state is F


@pytest.mark.parametrize(("source", "kind", "name"), MISSING)
def test_an_end_that_leaves_out_what_antom_promises_ends_nothing(
    source: Source, kind: EvidenceKind, name: str
) -> None:
    refund = after(said(source, kind, **{name: None}))

    assert refund.state is RefundState.IN_DOUBT
    assert refund.attention_reason == (
        f"{source} says {kind}, but {name} differ from the order or are missing"
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_second_end_about_another_refund_is_a_contradiction(wrong: dict[str, Any]) -> None:
    refund = apply(
        STATES[RefundState.SUCCEEDED], said(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, **wrong)
    )

    assert refund.state is RefundState.SUCCEEDED
    assert len(refund.contradictions) == 1


def test_a_second_refund_id_is_a_second_refund() -> None:
    first = said(Source.RESPONSE, EvidenceKind.SUCCEEDED, refund_id="a")
    second = said(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, refund_id="b")

    for order in permutations((first, second)):
        assert len(after(*order).contradictions) == 1


def test_the_same_end_with_the_same_or_no_refund_id_is_none() -> None:
    known = after(said(Source.RESPONSE, EvidenceKind.SUCCEEDED, refund_id="a"))

    assert not contradicts(known, said(Source.NOTIFICATION, EvidenceKind.SUCCEEDED, refund_id="a"))
    assert not contradicts(known, said(Source.INQUIRY, EvidenceKind.SUCCEEDED))
    assert not contradicts(
        Refund(order=ORDER, state=S), said(Source.INQUIRY, EvidenceKind.SUCCEEDED)
    )


def test_evidence_that_fits_the_order_is_believed_as_it_stands() -> None:
    evidence = said(Source.RESPONSE, EvidenceKind.SUCCEEDED)

    assert check_against_order(ORDER, evidence) is evidence


# --- no news


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
def test_no_news_leaves_an_equal_refund(
    state: RefundState, source: Source, kind: EvidenceKind
) -> None:
    evidence = said(source, kind, message="told once more", code="ANOTHER")

    assert apply(STATES[state], evidence) == STATES[state]


@pytest.mark.parametrize("kind", [EvidenceKind.PROCESSING, EvidenceKind.DOUBT, EvidenceKind.UNSENT])
def test_an_accepted_refund_that_antom_no_longer_knows_is_sent_again_once(
    kind: EvidenceKind,
) -> None:
    unknown = apply(STATES[RefundState.PROCESSING], said(Source.INQUIRY, EvidenceKind.NOT_FOUND))
    answered = apply(unknown, said(Source.RESPONSE, kind))

    assert (unknown.state, unknown.next_step) == (RefundState.PROCESSING, Step.SEND)
    assert (answered.state, answered.next_step) == (RefundState.PROCESSING, Step.POLL)


def test_an_inquiry_that_says_processing_again_is_no_news() -> None:
    again = said(Source.INQUIRY, EvidenceKind.PROCESSING, payment_id=None)

    assert apply(STATES[RefundState.PROCESSING], again) == STATES[RefundState.PROCESSING]


def test_the_first_doubt_is_kept_and_the_second_is_no_news() -> None:
    once = apply(STATES[RefundState.PROCESSING], DOUBTED)

    assert once.doubt == DOUBTED
    assert apply(once, said(Source.RESPONSE, EvidenceKind.DOUBT, code="ANOTHER")) == once


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
def test_the_first_of_a_kind_is_kept_and_the_second_is_no_news(
    source: Source, kind: EvidenceKind
) -> None:
    refund = after(said(source, kind))

    assert refund != after()
    assert apply(refund, said(source, kind, message="told once more")) == refund


# --- what to do next


@pytest.mark.parametrize(
    ("pieces", "step"),
    [
        ([], Step.SEND),
        ([said(Source.RESPONSE, EvidenceKind.BLOCKED)], Step.SEND),
        ([said(Source.RESPONSE, EvidenceKind.DOUBT)], Step.SEND),
        ([said(Source.RESPONSE, EvidenceKind.PROCESSING)], Step.POLL),
        ([said(Source.RESPONSE, EvidenceKind.MISMATCH)], Step.INQUIRE),
        ([said(Source.NOTIFICATION, EvidenceKind.MISMATCH)], Step.INQUIRE),
        # An inquiry that cannot be believed is no reason for the next one.
        ([said(Source.INQUIRY, EvidenceKind.MISMATCH)], Step.SEND),
        ([said(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)], Step.INQUIRE),
        ([said(Source.OPERATOR, EvidenceKind.CHECK)], Step.INQUIRE),
        ([said(Source.OPERATOR, EvidenceKind.CALL_OFF)], Step.INQUIRE),
        ([said(Source.CLOCK, EvidenceKind.OVERDUE)], Step.SEND),
        (
            [
                said(Source.OPERATOR, EvidenceKind.CHECK),
                said(Source.INQUIRY, EvidenceKind.NO_INFORMATION),
            ],
            Step.INQUIRE,
        ),
        (
            [
                said(Source.OPERATOR, EvidenceKind.CHECK),
                said(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.SEND,
        ),
        (
            [
                said(Source.OPERATOR, EvidenceKind.CHECK),
                said(Source.INQUIRY, EvidenceKind.PROCESSING),
            ],
            Step.POLL,
        ),
        (
            [
                said(Source.NOTIFICATION, EvidenceKind.MISMATCH),
                said(Source.INQUIRY, EvidenceKind.MISMATCH),
            ],
            Step.SEND,
        ),
        # An inquiry that was asked before there was a closure cannot confirm it.
        (
            [
                said(Source.OPERATOR, EvidenceKind.CALL_OFF),
                said(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.INQUIRE,
        ),
        (
            [
                said(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED),
                said(Source.INQUIRY, EvidenceKind.NOT_FOUND),
            ],
            Step.INQUIRE,
        ),
        ([said(Source.RESPONSE, EvidenceKind.SUCCEEDED)], None),
    ],
)
def test_what_to_do_next(pieces: list[Evidence], step: Step | None) -> None:
    assert after(*pieces).next_step is step


def test_an_id_that_antom_called_closed_is_watched_and_not_asked_for_again() -> None:
    closing = said(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)
    suspect = said(Source.INQUIRY, EvidenceKind.MISMATCH)

    refund = after(said(Source.RESPONSE, EvidenceKind.DOUBT), closing, suspect)

    assert refund.state is RefundState.IN_DOUBT
    assert refund.next_step is Step.POLL


def test_nothing_is_due_after_an_end_even_if_an_inquiry_was() -> None:
    refund = after(
        said(Source.OPERATOR, EvidenceKind.CHECK), said(Source.RESPONSE, EvidenceKind.SUCCEEDED)
    )

    assert refund.next_step is None


# --- announced ends


@pytest.mark.parametrize("state", [RefundState.REQUESTED, RefundState.BLOCKED])
@pytest.mark.parametrize("later", EVERYTHING)
def test_after_a_call_off_the_refund_call_is_never_sent_again(
    state: RefundState, later: Evidence
) -> None:
    called_off = apply(STATES[state], said(Source.OPERATOR, EvidenceKind.CALL_OFF))

    refund = apply(called_off, later)

    assert called_off.call_off is not None
    assert refund.call_off == called_off.call_off
    assert not refund.may_send
    assert refund.next_step is not Step.SEND
    assert refund.is_sending_over


def test_a_call_off_that_came_too_late_is_told_at_the_end() -> None:
    called_off = (said(Source.OPERATOR, EvidenceKind.CALL_OFF),)

    assert after(*called_off, said(Source.RESPONSE, EvidenceKind.PROCESSING)).attention_reason
    assert after(*called_off, said(Source.RESPONSE, EvidenceKind.SUCCEEDED)).attention_reason
    assert after(*called_off, said(Source.INQUIRY, EvidenceKind.CLOSED)).attention_reason is None


def test_a_notified_closure_takes_the_place_of_an_answered_one() -> None:
    answered = said(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)

    assert after(answered, NOTIFIED_CLOSURE).closure == NOTIFIED_CLOSURE
    assert after(NOTIFIED_CLOSURE, answered).closure == NOTIFIED_CLOSURE


@pytest.mark.parametrize(
    ("pieces", "was_sent"),
    [
        ((), False),
        ((said(Source.RESPONSE, EvidenceKind.BLOCKED, code=MERCHANT_NOT_CONFIGURED),), False),
        ((said(Source.RESPONSE, EvidenceKind.BLOCKED),), True),
        ((DOUBTED,), True),
    ],
)
def test_what_was_sent_is_known_from_the_calls(
    pieces: tuple[Evidence, ...], *, was_sent: bool
) -> None:
    assert after(*pieces).was_sent is was_sent


# --- why a person must look


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], None),
        ([said(Source.RESPONSE, EvidenceKind.DOUBT)], None),
        ([said(Source.RESPONSE, EvidenceKind.PROCESSING)], None),
        ([said(Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED)], None),
        ([said(Source.RESPONSE, EvidenceKind.SUCCEEDED)], None),
        ([said(Source.INQUIRY, EvidenceKind.FAILED)], None),
        (
            [said(Source.INQUIRY, EvidenceKind.FAILED, needs_attention=True, advice="ask")],
            "FAILED: ask",
        ),
        ([said(Source.OPERATOR, EvidenceKind.CLOSED)], None),
        (
            [
                said(Source.OPERATOR, EvidenceKind.SUCCEEDED),
                said(Source.RESPONSE, EvidenceKind.FAILED_UNCONFIRMED),
            ],
            "Antom contradicted the final state: response failed_unconfirmed",
        ),
        (
            [said(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True, advice="x")],
            "response doubt: x",
        ),
        ([said(Source.RESPONSE, EvidenceKind.DOUBT, is_repeated=True)], "response doubt"),
        ([said(Source.INQUIRY, EvidenceKind.CLOSED, advice="new id")], "CLOSED: new id"),
        ([said(Source.INQUIRY, EvidenceKind.CLOSED)], "CLOSED: inquiry closed"),
        (
            [said(Source.RESPONSE, EvidenceKind.BLOCKED, advice="mend the key")],
            "BLOCKED: mend the key",
        ),
        ([said(Source.NOTIFICATION, EvidenceKind.MISMATCH)], "notification mismatch"),
        (
            [said(Source.CLOCK, EvidenceKind.OVERDUE)],
            "overdue: no final result from Antom in time",
        ),
        (
            [
                said(Source.CLOCK, EvidenceKind.OVERDUE),
                said(Source.RESPONSE, EvidenceKind.SUCCEEDED),
            ],
            None,
        ),
        (
            [
                said(Source.RESPONSE, EvidenceKind.SUCCEEDED),
                said(Source.NOTIFICATION, EvidenceKind.FAILED),
            ],
            "Antom contradicted the final state: notification failed",
        ),
        (
            [
                said(Source.RESPONSE, EvidenceKind.MISMATCH),
                said(Source.RESPONSE, EvidenceKind.BLOCKED),
            ],
            "response mismatch",
        ),
    ],
)
def test_why_a_person_must_look(pieces: list[Evidence], reason: str | None) -> None:
    assert after(*pieces).attention_reason == reason


def test_an_end_without_evidence_gives_no_reason() -> None:
    assert Refund(order=ORDER, state=RefundState.CLOSED).attention_reason is None


def test_an_alarm_that_was_cleared_often_stays_until_the_end() -> None:
    often = after().model_copy(update={"alarms_cleared": ALARMS_CLEARED_MAX})
    blocked = apply(often, said(Source.RESPONSE, EvidenceKind.BLOCKED))

    processing = apply(blocked, said(Source.RESPONSE, EvidenceKind.PROCESSING))

    assert processing.alarm == blocked.alarm
    assert apply(processing, said(Source.RESPONSE, EvidenceKind.SUCCEEDED)).attention_reason is None


def test_a_refusal_that_no_inquiry_could_confirm_is_the_reason_without_an_alarm() -> None:
    undecided = after(DOUBTED, REFUSED, UNDECIDED)

    answered = apply(undecided, said(Source.INQUIRY, EvidenceKind.NOT_FOUND))

    assert (
        answered.attention_reason == "FAILED_UNCONFIRMED: refused, and no inquiry could confirm it"
    )
