from datetime import timedelta
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from antom_refunds.domain.policy import (
    POLL,
    RETRY_BLOCKED,
    RETRY_IN_DOUBT,
    RETRY_UNSENT,
    Interval,
    Policy,
    Schedule,
)

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
ELAPSED: Final = st.timedeltas(min_value=-HOUR, max_value=timedelta(days=3650))
SCHEDULES: Final = st.sampled_from([RETRY_IN_DOUBT, RETRY_BLOCKED, RETRY_UNSENT, POLL])


def _due_times(schedule: Schedule, count: int) -> list[timedelta]:
    due_times, now = [], timedelta()
    for _ in range(count):
        now += schedule.next_wait(now)
        due_times.append(now)
    return due_times


@pytest.mark.parametrize(
    ("schedule", "unit", "due_times"),
    [
        (RETRY_IN_DOUBT, MINUTE, [2, 12, 22, 82, 142, 202, 262]),
        (RETRY_BLOCKED, MINUTE, [1, 5, 15, 30, 45, 60, 75]),
        (RETRY_UNSENT, SECOND, [1, 3, 7, 15, 30, 60, 120, 180, 240]),
        (
            POLL,
            SECOND,
            # doubling, then every 15 minutes, up to one hour
            [5, 20, 50, 110, 230, 530, 1430, 2330, 3230]
            # hourly, up to one day
            + [3600 * hour for hour in range(1, 25)]
            # then every six hours
            + [3600 * hour for hour in (30, 36, 42, 48, 54)],
        ),
    ],
)
def test_a_schedule_has_exactly_these_due_times(
    schedule: Schedule, unit: timedelta, due_times: list[int]
) -> None:
    assert _due_times(schedule, len(due_times)) == [due_time * unit for due_time in due_times]


def test_a_missed_due_time_is_skipped() -> None:
    assert RETRY_IN_DOUBT.next_wait(30 * MINUTE) == 52 * MINUTE


@given(SCHEDULES, ELAPSED)
def test_the_wait_is_always_positive(schedule: Schedule, elapsed: timedelta) -> None:
    assert schedule.next_wait(elapsed) > timedelta()


@given(SCHEDULES, ELAPSED)
def test_within_a_wait_the_due_time_stays_the_same(schedule: Schedule, elapsed: timedelta) -> None:
    wait = schedule.next_wait(elapsed)

    assert schedule.next_wait(elapsed + wait / 2) == wait - wait / 2


def test_a_schedule_continues_with_its_last_interval() -> None:
    schedule = Schedule(
        initial_waits=(MINUTE,), intervals=(Interval(every=MINUTE, until=3 * MINUTE),)
    )

    assert _due_times(schedule, 5) == [due_time * MINUTE for due_time in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    "fields",
    [
        {"initial_waits": [], "intervals": []},
        {"initial_waits": [], "intervals": [{"every": timedelta()}]},
        {"initial_waits": [], "intervals": [{"every": -MINUTE}]},
    ],
)
def test_a_schedule_without_an_interval_is_rejected(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Schedule.model_validate(fields)


def test_the_speedup_divides_every_wait_and_the_overdue_limit() -> None:
    policy = Policy.at_speedup(60)

    assert policy.next_wait(policy.retry_in_doubt, timedelta()) == 2 * SECOND
    assert policy.next_wait(policy.retry_in_doubt, 2 * SECOND) == 10 * SECOND
    assert policy.scaled_overdue_after == timedelta(days=10) / 60


def test_the_default_speedup_is_real_time() -> None:
    policy = Policy()

    assert policy.next_wait(policy.poll, timedelta()) == 5 * SECOND
    assert policy.scaled_overdue_after == timedelta(days=10)


def test_a_speedup_can_have_its_own_overdue_limit() -> None:
    assert Policy.at_speedup(2, overdue_after=HOUR).scaled_overdue_after == 30 * MINUTE


@given(
    SCHEDULES,
    st.timedeltas(min_value=timedelta(), max_value=timedelta(days=30)),
    st.floats(min_value=0.01, max_value=10_000),
)
@example(RETRY_IN_DOUBT, timedelta(microseconds=17_142_857), 7.0)
def test_no_speedup_makes_a_wait_zero(
    schedule: Schedule, elapsed: timedelta, speedup: float
) -> None:
    assert Policy(speedup=speedup).next_wait(schedule, elapsed) > timedelta()


@pytest.mark.parametrize("speedup", [0, -1])
def test_a_speedup_is_positive(speedup: float) -> None:
    with pytest.raises(ValidationError):
        Policy.at_speedup(speedup)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (RETRY_IN_DOUBT.intervals[0], "every"),
        (RETRY_IN_DOUBT, "initial_waits"),
        (Policy(), "speedup"),
    ],
)
def test_a_policy_is_immutable(model: BaseModel, name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, name, getattr(model, name))
