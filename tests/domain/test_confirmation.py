"""An announced result is final only if a later inquiry confirms it."""

from typing import Any, Final

import pytest

from antom_refunds.domain.confirmation import (
    awaits_quiet,
    confirm_by_inquiry,
    confirms_outdated_result,
    is_outdated,
)
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.domain.state_machine import apply

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)


def evidence_of(source: Source, kind: EvidenceKind, code: str, **fields: Any) -> Evidence:
    return Evidence(source=source, kind=kind, code=code, message=f"{code} was said", **fields)


def inquiry(kind: EvidenceKind, code: str = "CODE", **fields: Any) -> Evidence:
    named = {"refund_request_id": ORDER.refund_request_id, "amount": ORDER.amount}
    return evidence_of(Source.INQUIRY, kind, code, **{**named, **fields})


CLOSING: Final = evidence_of(
    Source.RESPONSE, EvidenceKind.CLOSED_UNCONFIRMED, "ORDER_IS_CLOSED", advice="use a new id"
)
FAILURE: Final = evidence_of(
    Source.RESPONSE,
    EvidenceKind.FAILED_UNCONFIRMED,
    "RISK_REJECT",
    advice="ask Antom",
    needs_attention=True,
)
CALL_OFF: Final = evidence_of(Source.OPERATOR, EvidenceKind.CALL_OFF, "call_off_by_operator")
ABSENT: Final = evidence_of(Source.INQUIRY, EvidenceKind.NOT_FOUND, "REFUND_NOT_EXIST")


def known(*evidence: Evidence) -> Refund:
    refund = Refund(order=ORDER)
    for each in evidence:
        refund = apply(refund, each)
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
    ("announced", "kind", "code", "end"),
    [
        ("closing", EvidenceKind.NOT_FOUND, "ORDER_IS_CLOSED", EvidenceKind.CLOSED),
        ("closing", EvidenceKind.FAILED, "ORDER_IS_CLOSED", EvidenceKind.CLOSED),
        ("closing", EvidenceKind.CLOSED, "ORDER_IS_CLOSED", EvidenceKind.CLOSED),
        ("failure", EvidenceKind.NOT_FOUND, "RISK_REJECT", EvidenceKind.FAILED),
        ("failure", EvidenceKind.FAILED, "RISK_REJECT", EvidenceKind.FAILED),
        ("failure", EvidenceKind.CLOSED, "CODE", EvidenceKind.CLOSED),
        ("call_off", EvidenceKind.NOT_FOUND, "call_off_by_operator", EvidenceKind.CLOSED),
        ("call_off", EvidenceKind.FAILED, "CODE", EvidenceKind.FAILED),
        ("call_off", EvidenceKind.CLOSED, "CODE", EvidenceKind.CLOSED),
        ("failure, then closing", EvidenceKind.NOT_FOUND, "ORDER_IS_CLOSED", EvidenceKind.CLOSED),
        ("call_off, then failure", EvidenceKind.NOT_FOUND, "RISK_REJECT", EvidenceKind.FAILED),
        ("nothing", EvidenceKind.NOT_FOUND, "CODE", EvidenceKind.NOT_FOUND),
        ("nothing", EvidenceKind.FAILED, "CODE", EvidenceKind.FAILED),
        ("nothing", EvidenceKind.CLOSED, "CODE", EvidenceKind.CLOSED),
    ],
)
def test_an_inquiry_confirms_an_announced_result(
    announced: str, kind: EvidenceKind, code: str, end: EvidenceKind
) -> None:
    evidence = confirm_by_inquiry(ANNOUNCED[announced], inquiry(kind), is_quiet=True)

    assert (evidence.source, evidence.kind, evidence.code) == (Source.INQUIRY, end, code)


@pytest.mark.parametrize("announced", ANNOUNCED)
@pytest.mark.parametrize("is_quiet", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        EvidenceKind.SUCCEEDED,
        EvidenceKind.PROCESSING,
        EvidenceKind.MISMATCH,
        EvidenceKind.NO_INFORMATION,
        EvidenceKind.BLOCKED,
    ],
)
def test_evidence_that_confirms_nothing_is_returned_unchanged(
    announced: str, kind: EvidenceKind, *, is_quiet: bool
) -> None:
    evidence = inquiry(kind)

    assert confirm_by_inquiry(ANNOUNCED[announced], evidence, is_quiet=is_quiet) is evidence


@pytest.mark.parametrize("announced", ANNOUNCED)
def test_not_found_confirms_nothing_while_a_call_may_be_in_flight(announced: str) -> None:
    assert confirm_by_inquiry(ANNOUNCED[announced], ABSENT, is_quiet=False) is ABSENT


@pytest.mark.parametrize(
    ("announced", "state"), [("closing", RefundState.CLOSED), ("failure", RefundState.FAILED)]
)
def test_a_named_failure_confirms_even_while_a_call_may_be_in_flight(
    announced: str, state: RefundState
) -> None:
    refund = ANNOUNCED[announced]

    ended = apply(refund, confirm_by_inquiry(refund, inquiry(EvidenceKind.FAILED), is_quiet=False))

    assert ended.state is state


@pytest.mark.parametrize(
    ("announced", "state"),
    [
        ("closing", RefundState.CLOSED),
        ("failure", RefundState.FAILED),
        ("call_off", RefundState.CLOSED),
    ],
)
def test_not_found_contains_no_id_and_still_ends_the_refund(
    announced: str, state: RefundState
) -> None:
    refund = ANNOUNCED[announced]

    assert apply(refund, confirm_by_inquiry(refund, ABSENT, is_quiet=True)).state is state


@pytest.mark.parametrize("announced", ["closing", "failure", "call_off"])
@pytest.mark.parametrize("kind", [EvidenceKind.FAILED, EvidenceKind.CLOSED])
def test_an_inquiry_about_another_refund_confirms_nothing(
    announced: str, kind: EvidenceKind
) -> None:
    refund = ANNOUNCED[announced]
    other = inquiry(kind, refund_request_id="rf-2")

    evidence = confirm_by_inquiry(refund, other, is_quiet=True)

    assert evidence.refund_request_id == "rf-2"
    assert not apply(refund, evidence).is_terminal


@pytest.mark.parametrize("announced", ["closing", "failure"])
def test_a_failure_without_a_refund_id_confirms_nothing(announced: str) -> None:
    refund = ANNOUNCED[announced]
    nameless = inquiry(EvidenceKind.FAILED, refund_request_id=None)

    assert not apply(refund, confirm_by_inquiry(refund, nameless, is_quiet=True)).is_terminal


@pytest.mark.parametrize(("announced", "by"), [("closing", CLOSING), ("failure", FAILURE)])
def test_a_confirmed_end_has_the_advice_of_the_announcement_and_both_messages(
    announced: str, by: Evidence
) -> None:
    evidence = confirm_by_inquiry(ANNOUNCED[announced], ABSENT, is_quiet=True)

    assert evidence.message == f"{by.code} was said; confirmed: REFUND_NOT_EXIST was said"
    assert (evidence.advice, evidence.needs_attention) == (by.advice, by.needs_attention)


@pytest.mark.parametrize(
    ("announced", "kind", "is_awaited"),
    [
        ("nothing", EvidenceKind.NOT_FOUND, False),
        ("closing", EvidenceKind.NOT_FOUND, True),
        ("failure", EvidenceKind.NOT_FOUND, True),
        ("call_off", EvidenceKind.NOT_FOUND, True),
        ("closing", EvidenceKind.NO_INFORMATION, False),
        ("failure", EvidenceKind.FAILED, False),
    ],
)
def test_only_an_unconfirmed_result_waits_for_the_quiet_period(
    announced: str, kind: EvidenceKind, *, is_awaited: bool
) -> None:
    assert awaits_quiet(ANNOUNCED[announced], inquiry(kind)) is is_awaited


@pytest.mark.parametrize("kind", [EvidenceKind.FAILED, EvidenceKind.CLOSED])
def test_a_confirmation_counts_only_while_the_refund_awaits_what_it_confirms(
    kind: EvidenceKind,
) -> None:
    sent_with = ANNOUNCED["failure"]
    evidence = inquiry(kind)

    assert not confirms_outdated_result(evidence, sent_with, sent_with)
    assert confirms_outdated_result(evidence, sent_with, ANNOUNCED["nothing"])
    assert confirms_outdated_result(evidence, sent_with, ANNOUNCED["call_off"])


@pytest.mark.parametrize("kind", [EvidenceKind.SUCCEEDED, EvidenceKind.PROCESSING])
def test_a_success_counts_whenever_the_inquiry_was_started(kind: EvidenceKind) -> None:
    evidence = inquiry(kind)

    assert not confirms_outdated_result(evidence, ANNOUNCED["failure"], ANNOUNCED["nothing"])


def test_a_failure_that_antom_reports_without_an_announcement_is_no_confirmation() -> None:
    evidence = inquiry(EvidenceKind.FAILED)

    assert not confirms_outdated_result(evidence, ANNOUNCED["nothing"], ANNOUNCED["failure"])


@pytest.mark.parametrize("announced", ["failure", "closing", "call_off"])
def test_an_inquiry_is_outdated_once_a_result_was_announced_or_refuted(announced: str) -> None:
    assert is_outdated(ANNOUNCED["nothing"], ANNOUNCED[announced])
    assert is_outdated(ANNOUNCED[announced], ANNOUNCED["nothing"])
    assert not is_outdated(ANNOUNCED[announced], ANNOUNCED[announced])


def test_a_check_and_the_overdue_mark_make_no_inquiry_outdated() -> None:
    refund = ANNOUNCED["nothing"]
    changed = refund.model_copy(update={"is_inquiry_due": True, "is_overdue": True})

    assert not is_outdated(refund, changed)
