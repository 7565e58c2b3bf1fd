"""The state machine: total, free of order, and never wiser than the evidence."""

from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.domain.evidence import Evidence, Source, Word, weigh
from antom_refunds.domain.fold import contradicts, take
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import ALARMS_CLEARED_MAX
from antom_refunds.domain.refund import (
    END_STATES,
    NOT_SERVED,
    WORKER_LOST,
    Refund,
    RefundState,
    Step,
)

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)
ECHO: Final[dict[str, Any]] = {"refund_request_id": "rf-1", "amount": ORDER.amount}

# Who can say what: what reading.py and contract.py make, and nothing else.
SAYS: Final[dict[Source, tuple[Word, ...]]] = {
    Source.ANSWER: (
        Word.SUCCEEDED,
        Word.FAILED_UNCONFIRMED,
        Word.PROCESSING,
        Word.DOUBT,
        Word.UNSENT,
        Word.BLOCKED,
        Word.CLOSING,
        Word.SUSPECT,
        Word.ID_CONFLICT,
    ),
    Source.INQUIRY: (
        Word.SUCCEEDED,
        Word.FAILED,
        Word.CLOSED,
        Word.PROCESSING,
        Word.SUSPECT,
        Word.ABSENT,
        Word.SILENT,
        Word.BLOCKED,
    ),
    Source.NOTICE: (Word.SUCCEEDED, Word.FAILED, Word.CLOSING, Word.SUSPECT),
    Source.CLOCK: (Word.OVERDUE,),
    Source.OPERATOR: (Word.SUCCEEDED, Word.FAILED, Word.CLOSED, Word.CALL_OFF, Word.CHECK),
}
SAYINGS: Final = tuple((source, word) for source, words in SAYS.items() for word in words)
FINAL_STATE: Final = {
    Word.SUCCEEDED: RefundState.SUCCEEDED,
    Word.FAILED: RefundState.FAILED,
    Word.CLOSED: RefundState.CLOSED,
}
GROWTH: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)


def said(source: Source, word: Word, **changes: Any) -> Evidence:
    """Evidence as Antom gives it: an end echoes what it owes, and an inquiry names the payment."""
    echo: dict[str, Any] = {}
    if word in FINAL_STATE and source in {Source.ANSWER, Source.INQUIRY, Source.NOTICE}:
        echo = dict(ECHO)
    if word in {*FINAL_STATE, Word.PROCESSING} and source in {Source.ANSWER, Source.INQUIRY}:
        echo["payment_id"] = "pay-1"
    fields = {"code": word.upper(), "message": f"{source} {word}", **echo, **changes}
    return Evidence(source=source, word=word, **fields)


# What names no payment: not even an inquiry does, if nothing could be learnt of the payment.
NOTIFIED: Final = said(Source.NOTICE, Word.SUCCEEDED)
UNBOUND: Final = said(Source.INQUIRY, Word.SUCCEEDED, payment_id=None)
EVERYTHING: Final = (
    *(said(source, word) for source, word in SAYINGS),
    UNBOUND,
    said(Source.INQUIRY, Word.PROCESSING, payment_id=None),
)
ENDING: Final = tuple(
    piece for piece in EVERYTHING if piece.is_final and piece not in {NOTIFIED, UNBOUND}
)
# The one word that is no end and yet cannot be true of a success: it is notified with FAIL.
NOTIFIED_CLOSURE: Final = said(Source.NOTICE, Word.CLOSING)


def after(*evidence: Evidence) -> Refund:
    refund = Refund(order=ORDER)
    for piece in evidence:
        refund = take(refund, piece)
    return refund


STATES: Final = {
    RefundState.REQUESTED: after(),
    RefundState.BLOCKED: after(said(Source.ANSWER, Word.BLOCKED)),
    RefundState.IN_DOUBT: after(said(Source.ANSWER, Word.DOUBT)),
    RefundState.PROCESSING: after(said(Source.ANSWER, Word.PROCESSING)),
    RefundState.SUCCEEDED: after(said(Source.ANSWER, Word.SUCCEEDED)),
    RefundState.FAILED: after(said(Source.INQUIRY, Word.FAILED)),
    RefundState.CLOSED: after(said(Source.INQUIRY, Word.CLOSED)),
}
OPEN: Final = tuple(state for state in RefundState if state not in END_STATES)

# To which state each word leads from each state that is no end, in the order of GROWTH.
R, B, D, P = GROWTH
S, F, C = RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CLOSED
TABLE: Final[dict[Word, tuple[RefundState, RefundState, RefundState, RefundState]]] = {
    Word.SUCCEEDED: (S, S, S, S),
    Word.FAILED: (F, F, F, F),
    Word.CLOSED: (C, C, C, C),
    Word.PROCESSING: (P, P, P, P),
    Word.DOUBT: (D, D, D, P),
    Word.BLOCKED: (B, B, D, P),
    Word.CLOSING: (D, D, D, P),
    Word.SUSPECT: (D, D, D, P),
    Word.ID_CONFLICT: (D, D, D, P),
    Word.FAILED_UNCONFIRMED: (D, D, D, P),
    Word.UNSENT: (R, B, D, P),
    Word.ABSENT: (R, B, D, P),
    Word.SILENT: (R, B, D, P),
    Word.OVERDUE: (R, B, D, P),
    Word.CALL_OFF: (R, B, D, P),
    Word.CHECK: (R, B, D, P),
}
# Where it matters who says it: a notification names no payment, and an inquiry is another call.
BY_SOURCE: Final = {
    (Source.NOTICE, Word.SUCCEEDED): (D, D, D, S),
    (Source.INQUIRY, Word.BLOCKED): (R, B, D, P),
}


def test_the_table_names_every_state_and_every_word() -> None:
    assert set(STATES) == set(RefundState)
    assert all(refund.state is state for state, refund in STATES.items())
    assert set(TABLE) == set(Word) == {word for _, word in SAYINGS}


@pytest.mark.parametrize(("source", "word"), SAYINGS)
@pytest.mark.parametrize("state", OPEN)
def test_each_word_leads_where_the_table_says(
    state: RefundState, source: Source, word: Word
) -> None:
    refund = take(STATES[state], said(source, word))

    leads = BY_SOURCE.get((source, word), TABLE[word])
    assert refund.state is leads[GROWTH.index(state)]


@pytest.mark.parametrize(("source", "word"), SAYINGS)
@pytest.mark.parametrize("state", sorted(END_STATES))
def test_an_end_stays_and_only_another_end_contradicts_it(
    state: RefundState, source: Source, word: Word
) -> None:
    evidence = said(source, word)
    is_against = (
        word in {Word.SUSPECT, Word.ID_CONFLICT} or FINAL_STATE.get(word, state) is not state
    )
    is_against |= state is RefundState.SUCCEEDED and evidence == NOTIFIED_CLOSURE

    refund = take(STATES[state], evidence)

    assert refund.state is state
    assert refund.basis == STATES[state].basis
    assert refund.contradictions == ((evidence,) if is_against else ())
    assert contradicts(STATES[state], evidence) is is_against
    assert refund.next_step is None


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize("state", RefundState)
def test_there_is_an_answer_to_everything_anybody_could_say(
    state: RefundState, word: Word, source: Source
) -> None:
    refund = take(STATES[state], Evidence(source=source, word=word, code="X"))

    assert refund.state in RefundState
    assert (refund.next_step is None) is refund.is_final


# --- order and repetition


def _non_contradicting(end: Word | None) -> st.SearchStrategy[list[Evidence]]:
    """Sets of evidence with at most this one last word, from whichever source."""
    fitting = [piece for piece in EVERYTHING if piece.word is end or not piece.is_final]
    if end is Word.SUCCEEDED:
        fitting.remove(NOTIFIED_CLOSURE)
    return st.lists(st.sampled_from(fitting), min_size=1, max_size=5, unique=True)


CONSISTENT: Final = st.sampled_from([None, *FINAL_STATE]).flatmap(_non_contradicting)
ANY_EVIDENCE: Final = st.lists(st.sampled_from(EVERYTHING), max_size=8)


@given(CONSISTENT)
def test_evidence_without_contradiction_ends_alike_in_every_order(pieces: list[Evidence]) -> None:
    refunds = [after(*order) for order in permutations(pieces)]

    assert len({refund.state for refund in refunds}) == 1
    shown_after_an_end = {Word.SUSPECT, Word.ID_CONFLICT, Word.FAILED_UNCONFIRMED}
    assert shown_after_an_end & {piece.word for piece in pieces} or not any(
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
    other = data.draw(st.sampled_from([end for end in ENDING if end.word is not one.word]))

    for order in permutations({one, other, *others}):
        refund = after(*order)
        first = next(piece for piece in order if piece.is_final)
        assert refund.state is FINAL_STATE[first.word]
        assert refund.basis == first
        assert refund.contradictions
        assert refund.human_reason is not None


@given(ANY_EVIDENCE, st.sampled_from(EVERYTHING))
def test_the_same_evidence_twice_is_the_same_as_once(
    past: list[Evidence], evidence: Evidence
) -> None:
    once = take(after(*past), evidence)

    assert take(once, evidence) == once


@given(ANY_EVIDENCE)
def test_knowledge_only_grows(pieces: list[Evidence]) -> None:
    refund, ladder = after(), [*GROWTH]
    for piece in pieces:
        later = take(refund, piece)
        if refund.is_final:
            assert (later.state, later.basis) == (refund.state, refund.basis)
        elif not later.is_final:
            assert ladder.index(later.state) >= ladder.index(refund.state)
        refund = later


@given(ANY_EVIDENCE)
def test_failed_needs_antoms_word_or_an_operators_resolution(pieces: list[Evidence]) -> None:
    refund = after(*pieces)

    if refund.state is RefundState.FAILED:
        assert refund.basis is not None
        assert refund.basis.word is Word.FAILED
        assert refund.basis.source is not Source.CLOCK
        assert refund.basis in pieces


# --- doubt and the gate


def test_a_refusal_at_the_gate_never_lowers_doubt() -> None:
    refund = after(said(Source.ANSWER, Word.DOUBT), said(Source.ANSWER, Word.BLOCKED))

    assert refund.state is RefundState.IN_DOUBT
    assert refund.human_reason is not None


def test_a_lost_answer_after_a_refusal_is_doubt_and_still_wants_a_person() -> None:
    refund = after(said(Source.ANSWER, Word.BLOCKED), said(Source.ANSWER, Word.DOUBT))

    assert refund.state is RefundState.IN_DOUBT
    assert refund.human_reason is not None


@pytest.mark.parametrize(
    "pieces",
    [
        (said(Source.ANSWER, Word.BLOCKED), said(Source.ANSWER, Word.PROCESSING)),
        (
            said(Source.ANSWER, Word.PROCESSING),
            said(Source.ANSWER, Word.BLOCKED),
            said(Source.INQUIRY, Word.PROCESSING),
        ),
        (said(Source.ANSWER, Word.BLOCKED), said(Source.INQUIRY, Word.PROCESSING)),
        (
            said(Source.ANSWER, Word.PROCESSING),
            said(Source.INQUIRY, Word.BLOCKED),
            said(Source.INQUIRY, Word.PROCESSING),
        ),
        (
            said(Source.ANSWER, Word.PROCESSING),
            said(Source.INQUIRY, Word.SILENT, is_repeated=True),
            said(Source.INQUIRY, Word.PROCESSING),
        ),
    ],
)
def test_an_alarm_goes_with_its_cause_in_whatever_order(pieces: tuple[Evidence, ...]) -> None:
    refund = after(*pieces)

    assert refund.alarm is None
    assert refund.human_reason is None


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (Source.ANSWER, Word.DOUBT),
        (Source.ANSWER, Word.UNSENT),
        (Source.INQUIRY, Word.SILENT),
        (Source.INQUIRY, Word.BLOCKED),
    ],
)
@pytest.mark.parametrize("state", OPEN)
def test_an_unusable_response_that_repeats_itself_calls_an_operator(
    state: RefundState, source: Source, word: Word
) -> None:
    evidence = said(source, word, is_repeated=True, advice="check the key")

    refund = take(STATES[state], evidence)

    assert refund.human_reason is not None
    assert take(refund, evidence) == take(take(refund, evidence), evidence)


def test_an_inquiry_that_works_does_not_prove_that_the_refund_call_is_permitted() -> None:
    refund = after(said(Source.ANSWER, Word.BLOCKED), said(Source.INQUIRY, Word.ABSENT))

    assert refund.alarm is not None


def test_a_refusal_at_the_gate_says_more_than_a_repetition() -> None:
    repeated = said(Source.ANSWER, Word.DOUBT, is_repeated=True)
    blocked = said(Source.ANSWER, Word.BLOCKED, advice="fix the key")

    assert after(repeated, blocked).alarm == blocked
    assert after(blocked, repeated).alarm == blocked


# --- refusals that no inquiry has confirmed


UNDECIDED: Final = said(Source.INQUIRY, Word.SILENT, is_repeated=True)
REFUSED: Final = said(Source.ANSWER, Word.FAILED_UNCONFIRMED)
REFUSED_OTHERWISE: Final = said(Source.ANSWER, Word.FAILED_UNCONFIRMED, code="OTHER")
DOUBTED: Final = said(Source.ANSWER, Word.DOUBT)


@pytest.mark.parametrize(
    ("pieces", "state", "step"),
    [
        ((REFUSED,), D, Step.INQUIRE),
        ((REFUSED, said(Source.INQUIRY, Word.ABSENT)), D, Step.INQUIRE),
        ((REFUSED, REFUSED), D, Step.INQUIRE),
        ((REFUSED, said(Source.INQUIRY, Word.PROCESSING)), P, Step.WATCH),
        ((REFUSED, said(Source.INQUIRY, Word.SUCCEEDED)), S, None),
        ((REFUSED, UNDECIDED), D, Step.ASK),
        ((REFUSED, UNDECIDED, REFUSED), F, None),
        ((REFUSED, UNDECIDED, REFUSED_OTHERWISE), D, Step.WATCH),
        ((REFUSED, UNDECIDED, REFUSED_OTHERWISE, REFUSED), D, Step.WATCH),
        ((REFUSED, UNDECIDED, DOUBTED), D, Step.WATCH),
        ((REFUSED, UNDECIDED, DOUBTED, REFUSED), D, Step.WATCH),
        ((DOUBTED, REFUSED, UNDECIDED), D, Step.WATCH),
        ((DOUBTED, REFUSED, UNDECIDED, REFUSED), D, Step.WATCH),
    ],
)
def test_a_refusal_ends_a_refund_only_if_it_is_confirmed(
    pieces: tuple[Evidence, ...], state: RefundState, step: Step | None
) -> None:
    refund = after(*pieces)

    assert refund.state is state
    assert refund.next_step is step


def test_a_refusal_that_nothing_can_confirm_calls_an_operator() -> None:
    refund = after(DOUBTED, REFUSED, UNDECIDED, said(Source.INQUIRY, Word.SUSPECT))

    assert refund.human_reason is not None
    assert after(DOUBTED, REFUSED).human_reason is None


def test_processing_wipes_a_refusal_that_was_not_about_this_refund() -> None:
    refund = after(REFUSED, UNDECIDED, said(Source.INQUIRY, Word.PROCESSING))

    assert refund.failure is None
    assert not refund.is_undecided
    assert refund.may_ask


# --- success of a payment that nobody named


@pytest.mark.parametrize("claim", [NOTIFIED, UNBOUND])
@pytest.mark.parametrize(
    "binding",
    [
        said(Source.ANSWER, Word.PROCESSING),
        said(Source.INQUIRY, Word.PROCESSING),
        said(Source.INQUIRY, Word.SUCCEEDED),
        said(Source.ANSWER, Word.SUCCEEDED),
    ],
)
def test_a_success_that_names_no_payment_waits_for_something_that_does(
    claim: Evidence, binding: Evidence
) -> None:
    assert after(claim).state is D
    assert after(claim, binding).state is S
    assert after(binding, claim).state is S
    assert after(claim, binding).human_reason is None


def test_a_notified_success_makes_an_inquiry_due_and_an_inquired_one_the_refund_call() -> None:
    assert after(NOTIFIED).next_step is Step.INQUIRE
    assert after(NOTIFIED).human_reason is None
    inquired = after(NOTIFIED, UNBOUND)
    assert inquired.next_step is Step.ASK
    assert inquired.is_ask_due
    assert inquired.human_reason is not None
    assert not after(said(Source.OPERATOR, Word.CALL_OFF), UNBOUND).is_ask_due


def test_a_claimed_success_that_ends_otherwise_is_a_contradiction() -> None:
    refund = after(NOTIFIED, said(Source.INQUIRY, Word.FAILED))

    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_processing_of_a_payment_that_is_not_named_proves_no_claimed_success() -> None:
    unnamed = said(Source.INQUIRY, Word.PROCESSING, payment_id=None)
    failed = said(Source.NOTICE, Word.FAILED)

    assert not after(unnamed, NOTIFIED).is_final
    refund = after(unnamed, NOTIFIED, failed)
    assert refund.state is F
    assert refund.contradictions == (NOTIFIED,)


def test_an_id_that_antom_has_with_other_fields_is_shown_to_the_end() -> None:
    conflict = said(Source.ANSWER, Word.ID_CONFLICT, advice="find out by whom")
    accepted = said(Source.ANSWER, Word.PROCESSING)

    assert after(conflict).human_reason == "ID_CONFLICT: find out by whom"
    assert after(conflict).next_step is Step.INQUIRE
    assert after(conflict, accepted, NOTIFIED).human_reason == "ID_CONFLICT: find out by whom"
    assert after(conflict, said(Source.INQUIRY, Word.SUCCEEDED)).human_reason is None


# --- a lost worker


def test_after_a_lost_worker_an_inquiry_and_then_the_refund_call_are_due_at_once() -> None:
    lost = said(Source.ANSWER, Word.DOUBT, code=WORKER_LOST)

    refund = after(lost)
    assert refund.next_step is Step.INQUIRE
    unknown = take(refund, said(Source.INQUIRY, Word.ABSENT))
    assert unknown.next_step is Step.ASK
    assert unknown.is_ask_due
    assert not take(unknown, DOUBTED).is_ask_due


# --- evidence about another refund


WRONG: Final = (
    {"refund_request_id": "rf-2"},
    {"payment_id": "pay-2"},
    {"amount": Money(currency="EUR", minor=1251)},
    {"amount": Money(currency="USD", minor=1250)},
)
MISSING: Final = (
    *((Source.ANSWER, Word.SUCCEEDED, name) for name in ("refund_request_id", "payment_id")),
    (Source.ANSWER, Word.SUCCEEDED, "amount"),
    *(
        (source, word, name)
        for source in (Source.INQUIRY, Source.NOTICE)
        for word in (Word.SUCCEEDED, Word.FAILED)
        for name in ("refund_request_id", "amount")
        if (word, name) != (Word.FAILED, "amount")
    ),
)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("source", "word"), [pair for pair in SAYINGS if pair[1] in FINAL_STATE])
@pytest.mark.parametrize("state", OPEN)
def test_evidence_about_another_refund_never_ends_this_one(
    state: RefundState, source: Source, word: Word, wrong: dict[str, Any]
) -> None:
    refund = take(STATES[state], said(source, word, **wrong))

    assert not refund.is_final
    assert refund.state is TABLE[Word.SUSPECT][GROWTH.index(state)]
    assert refund.human_reason is not None
    assert next(iter(wrong)) in refund.human_reason


@pytest.mark.parametrize("source", [Source.INQUIRY, Source.NOTICE])
def test_a_failure_moved_nothing_so_that_its_amount_may_be_missing(source: Source) -> None:
    assert after(said(source, Word.FAILED, amount=None)).state is F


@pytest.mark.parametrize(("source", "word", "name"), MISSING)
def test_an_end_that_leaves_out_what_antom_promises_ends_nothing(
    source: Source, word: Word, name: str
) -> None:
    refund = after(said(source, word, **{name: None}))

    assert refund.state is RefundState.IN_DOUBT
    assert refund.human_reason == (
        f"{source} says {word}, but {name} differ from the order or are missing"
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_second_end_about_another_refund_is_a_contradiction(wrong: dict[str, Any]) -> None:
    refund = take(STATES[RefundState.SUCCEEDED], said(Source.NOTICE, Word.SUCCEEDED, **wrong))

    assert refund.state is RefundState.SUCCEEDED
    assert len(refund.contradictions) == 1


def test_a_second_refund_id_is_a_second_refund() -> None:
    first = said(Source.ANSWER, Word.SUCCEEDED, refund_id="a")
    second = said(Source.NOTICE, Word.SUCCEEDED, refund_id="b")

    for order in permutations((first, second)):
        assert len(after(*order).contradictions) == 1


def test_the_same_end_with_the_same_or_no_refund_id_is_none() -> None:
    known = after(said(Source.ANSWER, Word.SUCCEEDED, refund_id="a"))

    assert not contradicts(known, said(Source.NOTICE, Word.SUCCEEDED, refund_id="a"))
    assert not contradicts(known, said(Source.INQUIRY, Word.SUCCEEDED))
    assert not contradicts(Refund(order=ORDER, state=S), said(Source.INQUIRY, Word.SUCCEEDED))


def test_evidence_that_fits_the_order_is_believed_as_it_stands() -> None:
    evidence = said(Source.ANSWER, Word.SUCCEEDED)

    assert weigh(ORDER, evidence) is evidence


# --- no news


NO_NEWS: Final = (
    (RefundState.BLOCKED, Source.ANSWER, Word.BLOCKED),
    (RefundState.IN_DOUBT, Source.ANSWER, Word.DOUBT),
    (RefundState.PROCESSING, Source.ANSWER, Word.PROCESSING),
    *((state, Source.INQUIRY, Word.SILENT) for state in OPEN),
    *((state, Source.ANSWER, Word.UNSENT) for state in OPEN),
    *(
        (state, Source.OPERATOR, Word.CALL_OFF)
        for state in (RefundState.IN_DOUBT, RefundState.PROCESSING)
    ),
)


@pytest.mark.parametrize(("state", "source", "word"), NO_NEWS)
def test_no_news_leaves_an_equal_refund(state: RefundState, source: Source, word: Word) -> None:
    evidence = said(source, word, message="told once more", code="ANOTHER")

    assert take(STATES[state], evidence) == STATES[state]


@pytest.mark.parametrize("word", [Word.PROCESSING, Word.DOUBT, Word.UNSENT])
def test_an_accepted_refund_that_antom_no_longer_knows_is_sent_again_once(word: Word) -> None:
    unknown = take(STATES[RefundState.PROCESSING], said(Source.INQUIRY, Word.ABSENT))
    answered = take(unknown, said(Source.ANSWER, word))

    assert (unknown.state, unknown.next_step) == (RefundState.PROCESSING, Step.ASK)
    assert (answered.state, answered.next_step) == (RefundState.PROCESSING, Step.WATCH)


def test_an_inquiry_that_says_processing_again_is_no_news() -> None:
    again = said(Source.INQUIRY, Word.PROCESSING, payment_id=None)

    assert take(STATES[RefundState.PROCESSING], again) == STATES[RefundState.PROCESSING]


def test_the_first_doubt_is_kept_and_the_second_is_no_news() -> None:
    once = take(STATES[RefundState.PROCESSING], DOUBTED)

    assert once.doubt == DOUBTED
    assert take(once, said(Source.ANSWER, Word.DOUBT, code="ANOTHER")) == once


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (Source.ANSWER, Word.SUSPECT),
        (Source.INQUIRY, Word.SUSPECT),
        (Source.ANSWER, Word.CLOSING),
        (Source.NOTICE, Word.CLOSING),
        (Source.CLOCK, Word.OVERDUE),
        (Source.OPERATOR, Word.CALL_OFF),
        (Source.OPERATOR, Word.CHECK),
    ],
)
def test_the_first_of_a_kind_is_kept_and_the_second_is_no_news(source: Source, word: Word) -> None:
    refund = after(said(source, word))

    assert refund != after()
    assert take(refund, said(source, word, message="told once more")) == refund


# --- what to do next


@pytest.mark.parametrize(
    ("pieces", "step"),
    [
        ([], Step.ASK),
        ([said(Source.ANSWER, Word.BLOCKED)], Step.ASK),
        ([said(Source.ANSWER, Word.DOUBT)], Step.ASK),
        ([said(Source.ANSWER, Word.PROCESSING)], Step.WATCH),
        ([said(Source.ANSWER, Word.SUSPECT)], Step.INQUIRE),
        ([said(Source.NOTICE, Word.SUSPECT)], Step.INQUIRE),
        # An inquiry that cannot be believed is no reason for the next one.
        ([said(Source.INQUIRY, Word.SUSPECT)], Step.ASK),
        ([said(Source.ANSWER, Word.CLOSING)], Step.INQUIRE),
        ([said(Source.OPERATOR, Word.CHECK)], Step.INQUIRE),
        ([said(Source.OPERATOR, Word.CALL_OFF)], Step.INQUIRE),
        ([said(Source.CLOCK, Word.OVERDUE)], Step.ASK),
        ([said(Source.OPERATOR, Word.CHECK), said(Source.INQUIRY, Word.SILENT)], Step.INQUIRE),
        ([said(Source.OPERATOR, Word.CHECK), said(Source.INQUIRY, Word.ABSENT)], Step.ASK),
        ([said(Source.OPERATOR, Word.CHECK), said(Source.INQUIRY, Word.PROCESSING)], Step.WATCH),
        ([said(Source.NOTICE, Word.SUSPECT), said(Source.INQUIRY, Word.SUSPECT)], Step.ASK),
        # An inquiry that was asked before there was a closure cannot confirm it.
        ([said(Source.OPERATOR, Word.CALL_OFF), said(Source.INQUIRY, Word.ABSENT)], Step.INQUIRE),
        ([said(Source.ANSWER, Word.CLOSING), said(Source.INQUIRY, Word.ABSENT)], Step.INQUIRE),
        ([said(Source.ANSWER, Word.SUCCEEDED)], None),
    ],
)
def test_what_to_do_next(pieces: list[Evidence], step: Step | None) -> None:
    assert after(*pieces).next_step is step


def test_an_id_that_antom_called_closed_is_watched_and_not_asked_for_again() -> None:
    closing = said(Source.ANSWER, Word.CLOSING)
    suspect = said(Source.INQUIRY, Word.SUSPECT)

    refund = after(said(Source.ANSWER, Word.DOUBT), closing, suspect)

    assert refund.state is RefundState.IN_DOUBT
    assert refund.next_step is Step.WATCH


def test_nothing_is_due_after_an_end_even_if_an_inquiry_was() -> None:
    refund = after(said(Source.OPERATOR, Word.CHECK), said(Source.ANSWER, Word.SUCCEEDED))

    assert refund.next_step is None


# --- announced ends


@pytest.mark.parametrize("state", [RefundState.REQUESTED, RefundState.BLOCKED])
@pytest.mark.parametrize("later", EVERYTHING)
def test_after_a_call_off_the_refund_call_is_never_sent_again(
    state: RefundState, later: Evidence
) -> None:
    called_off = take(STATES[state], said(Source.OPERATOR, Word.CALL_OFF))

    refund = take(called_off, later)

    assert called_off.call_off is not None
    assert refund.call_off == called_off.call_off
    assert not refund.may_ask
    assert refund.next_step is not Step.ASK
    assert refund.is_asking_over


def test_a_call_off_that_came_too_late_is_told_at_the_end() -> None:
    called_off = (said(Source.OPERATOR, Word.CALL_OFF),)

    assert after(*called_off, said(Source.ANSWER, Word.PROCESSING)).human_reason
    assert after(*called_off, said(Source.ANSWER, Word.SUCCEEDED)).human_reason
    assert after(*called_off, said(Source.INQUIRY, Word.CLOSED)).human_reason is None


def test_a_notified_closure_takes_the_place_of_an_answered_one() -> None:
    answered = said(Source.ANSWER, Word.CLOSING)

    assert after(answered, NOTIFIED_CLOSURE).closing == NOTIFIED_CLOSURE
    assert after(NOTIFIED_CLOSURE, answered).closing == NOTIFIED_CLOSURE


@pytest.mark.parametrize(
    ("pieces", "was_sent"),
    [
        ((), False),
        ((said(Source.ANSWER, Word.BLOCKED, code=NOT_SERVED),), False),
        ((said(Source.ANSWER, Word.BLOCKED),), True),
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
        ([said(Source.ANSWER, Word.DOUBT)], None),
        ([said(Source.ANSWER, Word.PROCESSING)], None),
        ([said(Source.ANSWER, Word.CLOSING)], None),
        ([said(Source.ANSWER, Word.SUCCEEDED)], None),
        ([said(Source.INQUIRY, Word.FAILED)], None),
        ([said(Source.INQUIRY, Word.FAILED, needs_human=True, advice="ask")], "FAILED: ask"),
        ([said(Source.OPERATOR, Word.CLOSED)], None),
        (
            [said(Source.OPERATOR, Word.SUCCEEDED), said(Source.ANSWER, Word.FAILED_UNCONFIRMED)],
            "Antom contradicted the end: answer failed_unconfirmed",
        ),
        ([said(Source.ANSWER, Word.DOUBT, is_repeated=True, advice="x")], "answer doubt: x"),
        ([said(Source.ANSWER, Word.DOUBT, is_repeated=True)], "answer doubt"),
        ([said(Source.INQUIRY, Word.CLOSED, advice="new id")], "CLOSED: new id"),
        ([said(Source.INQUIRY, Word.CLOSED)], "CLOSED: inquiry closed"),
        ([said(Source.ANSWER, Word.BLOCKED, advice="mend the key")], "BLOCKED: mend the key"),
        ([said(Source.NOTICE, Word.SUSPECT)], "notice suspect"),
        (
            [said(Source.CLOCK, Word.OVERDUE)],
            "overdue: Antom has not ended this refund in time",
        ),
        ([said(Source.CLOCK, Word.OVERDUE), said(Source.ANSWER, Word.SUCCEEDED)], None),
        (
            [said(Source.ANSWER, Word.SUCCEEDED), said(Source.NOTICE, Word.FAILED)],
            "Antom contradicted the end: notice failed",
        ),
        (
            [said(Source.ANSWER, Word.SUSPECT), said(Source.ANSWER, Word.BLOCKED)],
            "answer suspect",
        ),
    ],
)
def test_why_a_person_must_look(pieces: list[Evidence], reason: str | None) -> None:
    assert after(*pieces).human_reason == reason


def test_an_end_without_evidence_gives_no_reason() -> None:
    assert Refund(order=ORDER, state=RefundState.CLOSED).human_reason is None


def test_an_alarm_that_was_cleared_often_stays_until_the_end() -> None:
    often = after().model_copy(update={"alarms_cleared": ALARMS_CLEARED_MAX})
    blocked = take(often, said(Source.ANSWER, Word.BLOCKED))

    processing = take(blocked, said(Source.ANSWER, Word.PROCESSING))

    assert processing.alarm == blocked.alarm
    assert take(processing, said(Source.ANSWER, Word.SUCCEEDED)).human_reason is None


def test_a_refusal_that_no_inquiry_could_confirm_is_the_reason_without_an_alarm() -> None:
    undecided = after(DOUBTED, REFUSED, UNDECIDED)

    answered = take(undecided, said(Source.INQUIRY, Word.ABSENT))

    assert answered.human_reason == "FAILED_UNCONFIRMED: refused, and no inquiry could confirm it"
