"""An announced end holds only where an inquiry made after it confirms it."""

from typing import Any, Final

import pytest

from antom_refunds.domain.confirmation import awaits_quiet, confirmed
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.fold import take
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)


def said(source: Source, word: Word, code: str, **fields: Any) -> Evidence:
    return Evidence(source=source, word=word, code=code, message=f"{code} was said", **fields)


def inquiry(word: Word, code: str = "CODE", **fields: Any) -> Evidence:
    named = {"refund_request_id": ORDER.refund_request_id, "amount": ORDER.amount}
    return said(Source.INQUIRY, word, code, **{**named, **fields})


CLOSING: Final = said(Source.ANSWER, Word.CLOSING, "ORDER_IS_CLOSED", advice="use a new id")
FAILURE: Final = said(
    Source.ANSWER, Word.FAILED_UNCONFIRMED, "RISK_REJECT", advice="ask Antom", needs_human=True
)
CALL_OFF: Final = said(Source.OPERATOR, Word.CALL_OFF, "call_off_by_operator")
ABSENT: Final = said(Source.INQUIRY, Word.ABSENT, "REFUND_NOT_EXIST")


def known(*evidence: Evidence) -> Refund:
    refund = Refund(order=ORDER)
    for each in evidence:
        refund = take(refund, each)
    return refund


ANNOUNCED: Final = {
    "nothing": known(),
    "closing": known(CLOSING),
    "failure": known(FAILURE),
    "call_off": known(CALL_OFF),
    "failure, then closing": known(FAILURE, CLOSING),
    "call_off, then failure": known(CALL_OFF, FAILURE),
}


@pytest.mark.parametrize(
    ("announced", "word", "code", "end"),
    [
        ("closing", Word.ABSENT, "ORDER_IS_CLOSED", Word.CLOSED),
        ("closing", Word.FAILED, "ORDER_IS_CLOSED", Word.CLOSED),
        ("closing", Word.CLOSED, "ORDER_IS_CLOSED", Word.CLOSED),
        ("failure", Word.ABSENT, "RISK_REJECT", Word.FAILED),
        ("failure", Word.FAILED, "RISK_REJECT", Word.FAILED),
        ("failure", Word.CLOSED, "CODE", Word.CLOSED),
        ("call_off", Word.ABSENT, "call_off_by_operator", Word.CLOSED),
        ("call_off", Word.FAILED, "CODE", Word.FAILED),
        ("call_off", Word.CLOSED, "CODE", Word.CLOSED),
        ("failure, then closing", Word.ABSENT, "ORDER_IS_CLOSED", Word.CLOSED),
        ("call_off, then failure", Word.ABSENT, "RISK_REJECT", Word.FAILED),
        ("nothing", Word.ABSENT, "CODE", Word.ABSENT),
        ("nothing", Word.FAILED, "CODE", Word.FAILED),
        ("nothing", Word.CLOSED, "CODE", Word.CLOSED),
    ],
)
def test_an_inquiry_turns_an_announced_end_into_an_end(
    announced: str, word: Word, code: str, end: Word
) -> None:
    evidence = confirmed(ANNOUNCED[announced], inquiry(word), is_quiet=True)

    assert (evidence.source, evidence.word, evidence.code) == (Source.INQUIRY, end, code)


@pytest.mark.parametrize("announced", ANNOUNCED)
@pytest.mark.parametrize("is_quiet", [True, False])
@pytest.mark.parametrize(
    "word", [Word.SUCCEEDED, Word.PROCESSING, Word.SUSPECT, Word.SILENT, Word.BLOCKED]
)
def test_what_confirms_no_end_is_returned_as_it_is(
    announced: str, word: Word, *, is_quiet: bool
) -> None:
    evidence = inquiry(word)

    assert confirmed(ANNOUNCED[announced], evidence, is_quiet=is_quiet) is evidence


@pytest.mark.parametrize("announced", ANNOUNCED)
def test_no_such_refund_confirms_nothing_while_a_call_may_be_in_flight(announced: str) -> None:
    assert confirmed(ANNOUNCED[announced], ABSENT, is_quiet=False) is ABSENT


@pytest.mark.parametrize(
    ("announced", "state"), [("closing", RefundState.CLOSED), ("failure", RefundState.FAILED)]
)
def test_a_named_failure_confirms_even_while_a_call_may_be_in_flight(
    announced: str, state: RefundState
) -> None:
    refund = ANNOUNCED[announced]

    ended = take(refund, confirmed(refund, inquiry(Word.FAILED), is_quiet=False))

    assert ended.state is state


@pytest.mark.parametrize(
    ("announced", "state"),
    [
        ("closing", RefundState.CLOSED),
        ("failure", RefundState.FAILED),
        ("call_off", RefundState.CLOSED),
    ],
)
def test_no_such_refund_names_none_and_still_ends_the_refund_it_was_asked_about(
    announced: str, state: RefundState
) -> None:
    refund = ANNOUNCED[announced]

    assert take(refund, confirmed(refund, ABSENT, is_quiet=True)).state is state


@pytest.mark.parametrize("announced", ["closing", "failure", "call_off"])
@pytest.mark.parametrize("word", [Word.FAILED, Word.CLOSED])
def test_an_inquiry_about_another_refund_confirms_nothing(announced: str, word: Word) -> None:
    refund = ANNOUNCED[announced]
    other = inquiry(word, refund_request_id="rf-2")

    evidence = confirmed(refund, other, is_quiet=True)

    assert evidence.refund_request_id == "rf-2"
    assert not take(refund, evidence).is_final


@pytest.mark.parametrize("announced", ["closing", "failure"])
def test_a_failure_that_names_no_refund_confirms_nothing(announced: str) -> None:
    refund = ANNOUNCED[announced]
    nameless = inquiry(Word.FAILED, refund_request_id=None)

    assert not take(refund, confirmed(refund, nameless, is_quiet=True)).is_final


@pytest.mark.parametrize(("announced", "by"), [("closing", CLOSING), ("failure", FAILURE)])
def test_a_confirmed_end_has_the_advice_of_the_announcement_and_both_messages(
    announced: str, by: Evidence
) -> None:
    evidence = confirmed(ANNOUNCED[announced], ABSENT, is_quiet=True)

    assert evidence.message == f"{by.code} was said; confirmed: REFUND_NOT_EXIST was said"
    assert (evidence.advice, evidence.needs_human) == (by.advice, by.needs_human)


@pytest.mark.parametrize(
    ("announced", "word", "is_awaited"),
    [
        ("nothing", Word.ABSENT, False),
        ("closing", Word.ABSENT, True),
        ("failure", Word.ABSENT, True),
        ("call_off", Word.ABSENT, True),
        ("closing", Word.SILENT, False),
        ("failure", Word.FAILED, False),
    ],
)
def test_only_an_unconfirmed_end_waits_for_quiet(
    announced: str, word: Word, *, is_awaited: bool
) -> None:
    assert awaits_quiet(ANNOUNCED[announced], inquiry(word)) is is_awaited
