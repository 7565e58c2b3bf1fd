"""The loop that the other engines run: the product's decisions, with waits it counts itself."""

from datetime import timedelta

import pytest

from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, RefundState, Step
from bench.peers.common.pursuit import Pursuit

POLICY = Policy.at_pace(1)
ORDER = RefundOrder(
    refund_request_id="pursued", payment_id="pay", amount=Money(currency="EUR", minor=5)
)
BEGUN = Pursuit(Refund(order=ORDER))


def said(word: Word, source: Source = Source.ANSWER) -> Evidence:
    return Evidence(
        source=source,
        word=word,
        code="code",
        refund_request_id=ORDER.refund_request_id,
        payment_id=ORDER.payment_id if source is Source.ANSWER else None,
        amount=ORDER.amount,
    )


ACCEPTED = BEGUN.heard(said(Word.PROCESSING))


def moments(pursuit: Pursuit, evidence: Evidence, *, number: int) -> list[timedelta]:
    """When it calls, counted from now, if every call says the same."""
    found, passed = [], timedelta()
    for _ in range(number):
        wait = pursuit.wait(POLICY)
        passed += wait
        found.append(passed)
        pursuit = pursuit.heard(evidence, waited=wait)
    return found


def test_a_new_refund_is_asked_for_at_once() -> None:
    assert (BEGUN.step, BEGUN.wait(POLICY)) == (Step.ASK, timedelta())


def test_doubt_is_asked_again_when_the_products_schedule_says_so() -> None:
    doubted = BEGUN.heard(said(Word.DOUBT))

    called = moments(doubted, said(Word.DOUBT), number=5)

    assert doubted.step is Step.ASK
    assert called == [timedelta(minutes=each) for each in (2, 12, 22, 82, 142)]


def test_an_accepted_refund_is_inquired_about_when_the_products_schedule_says_so() -> None:
    called = moments(ACCEPTED, said(Word.PROCESSING, Source.INQUIRY), number=6)

    assert ACCEPTED.step is Step.WATCH
    assert called == [timedelta(seconds=each) for each in (5, 20, 50, 110, 230, 530)]


def test_news_begins_the_rhythm_anew() -> None:
    doubted = BEGUN.heard(said(Word.DOUBT)).heard(said(Word.DOUBT), waited=timedelta(minutes=2))

    accepted = doubted.heard(said(Word.PROCESSING), waited=timedelta(minutes=10))

    assert accepted.refund.state is RefundState.PROCESSING
    assert (accepted.step, accepted.wait(POLICY)) == (Step.WATCH, timedelta(seconds=5))


def test_a_refund_that_antom_does_not_know_is_asked_for_at_once() -> None:
    doubted = BEGUN.heard(said(Word.DOUBT))

    absent = doubted.heard(said(Word.ABSENT, Source.INQUIRY), waited=timedelta(minutes=2))

    assert (absent.step, absent.wait(POLICY)) == (Step.ASK, timedelta())
    assert absent.heard(said(Word.DOUBT)).wait(POLICY) == timedelta(minutes=2)


def test_an_accepted_refund_that_antom_does_not_know_is_asked_for_at_once() -> None:
    absent = ACCEPTED.heard(said(Word.ABSENT, Source.INQUIRY), waited=timedelta(seconds=5))

    asked = absent.heard(said(Word.PROCESSING))

    assert (absent.step, absent.wait(POLICY)) == (Step.ASK, timedelta())
    assert (asked.step, asked.wait(POLICY)) == (Step.WATCH, timedelta(seconds=15))


def test_what_was_never_sent_is_sent_soon() -> None:
    unsent = BEGUN.heard(said(Word.UNSENT))

    assert unsent.refund.state is RefundState.REQUESTED
    assert moments(unsent, said(Word.UNSENT), number=3) == [
        timedelta(seconds=each) for each in (1, 3, 7)
    ]


def test_a_suspect_notification_brings_one_inquiry_at_once() -> None:
    suspected = ACCEPTED.heard(said(Word.SUSPECT, Source.NOTICE))

    failed = suspected.heard(said(Word.SILENT, Source.INQUIRY))

    assert (suspected.step, suspected.wait(POLICY)) == (Step.INQUIRE, timedelta())
    assert (failed.step, failed.wait(POLICY)) == (Step.INQUIRE, timedelta(seconds=5))


@pytest.mark.parametrize("source", [Source.ANSWER, Source.INQUIRY, Source.NOTICE])
def test_antoms_last_word_ends_it(source: Source) -> None:
    assert ACCEPTED.heard(said(Word.SUCCEEDED, source)).step is None
