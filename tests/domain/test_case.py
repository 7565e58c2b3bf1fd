"""The pure functions of a case."""

from datetime import UTC, datetime, timedelta

import pytest

from antom_refunds.domain.case import (
    ADVICE,
    DIGESTS_MAX,
    LISTED_MAX,
    Case,
    CaseAction,
    CaseKind,
    CaseResult,
    CaseState,
    CaseSubject,
    Closure,
    Finding,
    assigned,
    closed,
    noted,
    opened,
    reported,
    snoozed,
    woken,
)
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money

NOON = datetime(2026, 9, 11, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
SUBJECT = CaseSubject(kind=CaseKind.CONTRADICTION, merchant="default", key="rf_1")
CLOSURE = Closure(at=NOON, by="ann", reason="checked", result=CaseResult.CONFIRMED)
EVIDENCE = Evidence(source=Source.INQUIRY, kind=EvidenceKind.FAILED, code="PROCESS_FAIL")


def case_with(*texts: str) -> Case:
    case = opened(SUBJECT, at=NOON)
    for text in texts:
        case = reported(case, Finding.of(text), at=NOON)
    return case


def action(name: str = "note") -> CaseAction:
    return CaseAction(at=NOON, by="ann", action=name, reason="checked")


@pytest.mark.parametrize("kind", CaseKind)
def test_each_kind_has_advice_and_a_due_date(kind: CaseKind) -> None:
    case = opened(SUBJECT.model_copy(update={"kind": kind}), at=NOON)

    assert ADVICE[kind]
    assert NOON < case.due_at <= NOON + timedelta(days=3)


def test_a_contradiction_is_due_after_a_day() -> None:
    assert case_with().due_at == NOON + timedelta(days=1)


def test_a_new_case_is_in_the_inbox_until_it_is_snoozed_or_closed() -> None:
    case = case_with("a")

    assert (case.state, case.is_in_inbox) == (CaseState.OPEN, True)
    with_ann = assigned(case, "ann", action())
    assert (with_ann.state, with_ann.is_in_inbox) == (CaseState.ASSIGNED, True)
    asleep = snoozed(with_ann, LATER, action())
    assert (asleep.state, asleep.is_in_inbox) == (CaseState.SNOOZED, False)
    assert woken(asleep).state is CaseState.ASSIGNED
    assert (closed(asleep, CLOSURE).state, closed(asleep, CLOSURE).is_in_inbox) == (
        CaseState.CLOSED,
        False,
    )


def test_a_known_finding_changes_nothing_whatever_the_state() -> None:
    case = case_with("a", "b")

    for each in (case, closed(case, CLOSURE), snoozed(case, LATER, action())):
        assert reported(each, Finding.of("a"), at=LATER) is each


def test_a_new_finding_opens_a_closed_case_with_a_new_age_and_due_date() -> None:
    again = reported(closed(case_with("a"), CLOSURE), Finding.of("b"), at=LATER)

    assert again.state is CaseState.OPEN
    assert (again.opened_at, again.due_at) == (LATER, LATER + timedelta(days=1))
    assert [each.finding.text for each in again.findings] == ["a", "b"]
    assert [each.action for each in again.actions] == ["close: confirmed"]


def test_a_new_finding_ends_a_snooze_and_keeps_the_due_date() -> None:
    awake = reported(snoozed(case_with("a"), LATER, action()), Finding.of("b"), at=LATER)

    assert (awake.state, awake.due_at) == (CaseState.OPEN, NOON + timedelta(days=1))


def test_findings_with_the_same_evidence_are_the_same_however_they_are_told() -> None:
    heard_again = EVIDENCE.model_copy(update={"is_repeated": True})
    other = EVIDENCE.model_copy(update={"code": "RISK_REJECT"})

    assert Finding.of("x", EVIDENCE).digest == Finding.of("y", heard_again).digest
    assert Finding.of("x", EVIDENCE).digest != Finding.of("x", other).digest
    assert Finding.of("x").digest != Finding.of("y").digest


def test_the_latest_finding_is_the_one_listed_last() -> None:
    assert case_with().latest is None
    assert case_with("a", "b").latest == Finding.of("b")


def test_the_lists_of_a_case_are_bounded() -> None:
    case = case_with(*(f"finding {number}" for number in range(DIGESTS_MAX + 1)))
    for number in range(LISTED_MAX + 1):
        case = noted(case, action(f"note {number}"))

    assert len(case.findings) == LISTED_MAX
    assert case.latest == Finding.of(f"finding {DIGESTS_MAX}")
    assert len(case.digests) == DIGESTS_MAX
    assert len(case.actions) == LISTED_MAX
    assert case.actions[-1].action == f"note {LISTED_MAX}"


def test_the_closure_is_also_an_action_with_its_reference() -> None:
    new = Closure(at=NOON, by="ann", reason="paid", result=CaseResult.NEW_REFUND, reference="rf_2")

    (done,) = closed(case_with("a"), new).actions

    assert (done.action, done.by, done.reason) == ("close: new_refund rf_2", "ann", "paid")


def test_unreadable_evidence_does_not_lose_a_finding() -> None:
    finding = Finding.model_validate(
        {"digest": "a", "text": "it happened", "evidence": {"source": "a newer one"}}
    )

    assert (finding.text, finding.evidence) == ("it happened", None)


def test_long_texts_of_evidence_are_truncated() -> None:
    evidence = EVIDENCE.model_copy(update={"code": "C" * 3000, "message": "m" * 3000})

    kept = Finding(digest="a", text="t", evidence=evidence).evidence

    assert kept is not None
    assert (len(kept.code), len(kept.message)) == (64, 500)


def test_the_first_evidence_that_names_the_payment_completes_the_subject() -> None:
    amount = Money(currency="EUR", minor=1250)
    named = EVIDENCE.model_copy(update={"payment_id": "pay_1", "amount": amount})
    other = EVIDENCE.model_copy(update={"payment_id": "pay_2"})

    case = reported(case_with("a"), Finding.of("b", named), at=NOON)
    again = reported(case, Finding.of("c", other), at=NOON)

    assert (again.subject.payment_id, again.subject.amount) == ("pay_1", amount)


def test_a_case_that_opens_again_is_nobodys() -> None:
    mine = closed(assigned(case_with("a"), "ann", action()), CLOSURE)

    assert reported(mine, Finding.of("b"), at=LATER).state is CaseState.OPEN
