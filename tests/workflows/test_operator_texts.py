"""The operators' texts are complete and escape external text."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState, Step
from antom_refunds.domain.state_machine import apply
from workflows import operator_texts

ORDER = RefundOrder(
    refund_request_id="rf_1", payment_id="pay_1", amount=Money(currency="EUR", minor=1250)
)
OVERDUE_AT = datetime(2026, 9, 21, 8, 30, tzinfo=UTC)


def refund_after(
    *kinds: EvidenceKind, source: Source = Source.RESPONSE, message: str = "a message"
) -> Refund:
    refund = Refund(order=ORDER)
    for kind in kinds:
        piece = Evidence(
            source=source,
            kind=kind,
            code="CODE",
            message=message,
            refund_request_id=ORDER.refund_request_id,
            payment_id=ORDER.payment_id,
            amount=ORDER.amount,
        )
        refund = apply(refund, piece)
    return refund


@pytest.mark.parametrize("state", RefundState)
def test_every_state_is_explained(state: RefundState) -> None:
    text = operator_texts.details(Refund(order=ORDER, state=state), overdue_at=OVERDUE_AT)

    assert text.startswith(f"### {state}: ")
    assert "12.50 EUR" in text


@pytest.mark.parametrize("step", Step)
def test_every_step_has_a_short_label(step: Step) -> None:
    assert 0 < len(operator_texts.summary(step, Refund(order=ORDER)).encode()) <= 200


def test_the_text_about_sending_again_says_that_the_id_is_the_same() -> None:
    assert "same id" not in operator_texts.summary(Step.SEND, Refund(order=ORDER))
    assert "same id" in operator_texts.summary(Step.SEND, refund_after(EvidenceKind.DOUBT))


def test_the_text_about_polling_says_when_a_refund_is_overdue() -> None:
    refund = refund_after(EvidenceKind.PROCESSING)

    assert "overdue" not in operator_texts.summary(Step.POLL, refund)
    assert "overdue" in operator_texts.summary(Step.POLL, apply(refund, OVERDUE))


def test_the_text_about_confirming_a_closure_says_so() -> None:
    assert (
        operator_texts.summary(Step.INQUIRE, refund_after(EvidenceKind.CLOSED_UNCONFIRMED))
        == "confirm the result by an inquiry"
    )
    assert operator_texts.summary(Step.INQUIRE, refund_after(EvidenceKind.DOUBT)) == "inquire now"


def test_a_waiting_refund_shows_the_reason_the_next_attempt_and_the_allowed_instructions() -> None:
    text = operator_texts.details(refund_after(EvidenceKind.PROCESSING), overdue_at=OVERDUE_AT)

    assert "| waits for | a notification, or the next inquiry |" in text
    assert "| overdue from | 2026-09-21 08:30 UTC |" in text
    assert "| you may | `check_now`" in text


def test_an_ended_refund_waits_for_nothing() -> None:
    text = operator_texts.details(refund_after(EvidenceKind.SUCCEEDED), overdue_at=OVERDUE_AT)

    assert "waits for" not in text
    assert "overdue from" not in text
    assert "you may" not in text


def test_the_reason_for_attention_comes_first() -> None:
    refund = apply(refund_after(EvidenceKind.PROCESSING), OVERDUE)

    assert (
        operator_texts.details(refund, overdue_at=None)
        .splitlines()[1]
        .startswith("> **An operator must")
    )
    assert "An operator must" not in operator_texts.details(
        refund_after(EvidenceKind.PROCESSING), overdue_at=None
    )


def test_a_contradiction_is_shown() -> None:
    text = operator_texts.details(
        refund_after(EvidenceKind.SUCCEEDED, EvidenceKind.FAILED), overdue_at=None
    )

    assert "| contradicted by | a message |" in text


@given(st.text())
def test_external_text_can_neither_break_the_table_nor_inject_markup(text: str) -> None:
    shown = operator_texts.details(
        refund_after(EvidenceKind.DOUBT, message=text), overdue_at=OVERDUE_AT
    )
    plain = operator_texts.details(
        refund_after(EvidenceKind.DOUBT, message="a message"), overdue_at=OVERDUE_AT
    )

    lines = shown.split("\n")
    assert len(lines) == len(plain.split("\n"))
    assert len(lines) == len(shown.splitlines())
    row = next(line for line in lines if line.startswith("| latest evidence"))
    assert row.replace("\\|", "").count("|") == 3
    assert "<" not in shown
    assert "[" not in shown.replace("\\[", "")


OVERDUE = Evidence(source=Source.CLOCK, kind=EvidenceKind.OVERDUE, code="overdue")
