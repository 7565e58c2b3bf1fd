"""The loop of the other engines: the product's decisions, with waits that are added up."""

from datetime import timedelta

import pytest

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, RefundState, Step
from bench.peers.antom_calls import PollingState

POLICY = Policy.at_speedup(1)
ORDER = RefundOrder(
    refund_request_id="pursued", payment_id="pay", amount=Money(currency="EUR", minor=5)
)
NEW = PollingState(Refund(order=ORDER))


def evidence(evidence_kind: EvidenceKind, source: Source = Source.RESPONSE) -> Evidence:
    return Evidence(
        source=source,
        kind=evidence_kind,
        code="code",
        refund_request_id=ORDER.refund_request_id,
        payment_id=ORDER.payment_id if source is Source.RESPONSE else None,
        amount=ORDER.amount,
    )


ACCEPTED = NEW.after(evidence(EvidenceKind.PROCESSING))


def call_times(state: PollingState, evidence: Evidence, *, number: int) -> list[timedelta]:
    """When it calls, counted from now, if every call says the same."""
    found, passed = [], timedelta()
    for _ in range(number):
        wait = state.wait(POLICY)
        passed += wait
        found.append(passed)
        state = state.after(evidence, waited=wait)
    return found


def test_a_new_refund_is_sent_immediately() -> None:
    assert (NEW.step, NEW.wait(POLICY)) == (Step.SEND, timedelta())


def test_a_refund_in_doubt_is_sent_again_when_the_products_schedule_says_so() -> None:
    doubted = NEW.after(evidence(EvidenceKind.DOUBT))

    called = call_times(doubted, evidence(EvidenceKind.DOUBT), number=5)

    assert doubted.step is Step.SEND
    assert called == [timedelta(minutes=each) for each in (2, 12, 22, 82, 142)]


def test_an_accepted_refund_is_inquired_about_when_the_products_schedule_says_so() -> None:
    called = call_times(ACCEPTED, evidence(EvidenceKind.PROCESSING, Source.INQUIRY), number=6)

    assert ACCEPTED.step is Step.POLL
    assert called == [timedelta(seconds=each) for each in (5, 20, 50, 110, 230, 530)]


def test_a_change_starts_the_schedule_again() -> None:
    doubted = NEW.after(evidence(EvidenceKind.DOUBT)).after(
        evidence(EvidenceKind.DOUBT), waited=timedelta(minutes=2)
    )

    accepted = doubted.after(evidence(EvidenceKind.PROCESSING), waited=timedelta(minutes=10))

    assert accepted.refund.state is RefundState.PROCESSING
    assert (accepted.step, accepted.wait(POLICY)) == (Step.POLL, timedelta(seconds=5))


def test_an_unknown_refund_is_sent_immediately() -> None:
    doubted = NEW.after(evidence(EvidenceKind.DOUBT))

    absent = doubted.after(
        evidence(EvidenceKind.NOT_FOUND, Source.INQUIRY), waited=timedelta(minutes=2)
    )

    assert (absent.step, absent.wait(POLICY)) == (Step.SEND, timedelta())
    assert absent.after(evidence(EvidenceKind.DOUBT)).wait(POLICY) == timedelta(minutes=2)


def test_an_accepted_refund_that_antom_does_not_know_is_sent_immediately() -> None:
    absent = ACCEPTED.after(
        evidence(EvidenceKind.NOT_FOUND, Source.INQUIRY), waited=timedelta(seconds=5)
    )

    now_accepted = absent.after(evidence(EvidenceKind.PROCESSING))

    assert (absent.step, absent.wait(POLICY)) == (Step.SEND, timedelta())
    assert (now_accepted.step, now_accepted.wait(POLICY)) == (Step.POLL, timedelta(seconds=15))


def test_what_was_never_sent_is_sent_soon() -> None:
    unsent = NEW.after(evidence(EvidenceKind.UNSENT))

    assert unsent.refund.state is RefundState.REQUESTED
    assert call_times(unsent, evidence(EvidenceKind.UNSENT), number=3) == [
        timedelta(seconds=each) for each in (1, 3, 7)
    ]


def test_a_mismatched_notification_causes_one_immediate_inquiry() -> None:
    suspected = ACCEPTED.after(evidence(EvidenceKind.MISMATCH, Source.NOTIFICATION))

    failed = suspected.after(evidence(EvidenceKind.NO_INFORMATION, Source.INQUIRY))

    assert (suspected.step, suspected.wait(POLICY)) == (Step.INQUIRE, timedelta())
    assert (failed.step, failed.wait(POLICY)) == (Step.INQUIRE, timedelta(seconds=5))


@pytest.mark.parametrize("source", [Source.RESPONSE, Source.INQUIRY, Source.NOTIFICATION])
def test_antoms_final_result_ends_it(source: Source) -> None:
    assert ACCEPTED.after(evidence(EvidenceKind.SUCCEEDED, source)).step is None
