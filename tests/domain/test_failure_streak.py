"""The number of consecutive failed calls that alerts an operator."""

from typing import Final

import pytest

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.failure_streak import FailureStreak


def unusable(code: str, kind: EvidenceKind = EvidenceKind.DOUBT, *, claimed: str = "") -> Evidence:
    return Evidence(source=Source.RESPONSE, kind=kind, code=code, claimed_code=claimed)


TIMEOUT: Final = unusable("no_response")
UNSENT: Final = unusable("not_sent", EvidenceKind.UNSENT)


def after(*responses: Evidence) -> FailureStreak:
    streak = FailureStreak()
    for each in responses:
        streak = streak.after(each)
    return streak


def test_a_streak_without_failures_is_not_alarming() -> None:
    assert not FailureStreak().is_alarming


@pytest.mark.parametrize(
    ("responses", "is_alarming"),
    [
        ((TIMEOUT,), False),
        ((TIMEOUT, TIMEOUT), True),
        ((TIMEOUT, unusable("http_500")), False),
        ((TIMEOUT, unusable("http_500"), unusable("http_502")), True),
        ((TIMEOUT, unusable("http_500"), unusable("http_500")), True),
        ((unusable("http_500"), TIMEOUT, unusable("http_500")), True),
        # The same code with another claimed code is a different failure.
        ((unusable("unverified"), unusable("unverified", claimed="ACCESS_DENIED")), False),
    ],
)
def test_two_identical_or_three_different_failures_are_alarming(
    responses: tuple[Evidence, ...], *, is_alarming: bool
) -> None:
    assert after(*responses).is_alarming is is_alarming


@pytest.mark.parametrize(
    ("number", "is_alarming"), [(1, False), (2, False), (9, False), (10, True)]
)
def test_ten_calls_without_a_connection_are_alarming(number: int, *, is_alarming: bool) -> None:
    assert after(*[UNSENT] * number).is_alarming is is_alarming


def test_sent_and_unsent_calls_are_counted_together() -> None:
    assert after(UNSENT, UNSENT, TIMEOUT).is_alarming


def test_a_streak_starts_with_the_known_evidence() -> None:
    assert FailureStreak.starting_with(None) == FailureStreak()
    assert FailureStreak.starting_with(TIMEOUT) == after(TIMEOUT)
    assert FailureStreak.starting_with(TIMEOUT).after(TIMEOUT).is_alarming


def test_a_streak_stored_by_a_newer_worker_is_read_by_an_older_one() -> None:
    stored = {**after(TIMEOUT).model_dump(mode="json"), "from_the_future": 1}

    assert FailureStreak.model_validate(stored) == after(TIMEOUT)
