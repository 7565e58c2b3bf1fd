"""Scripts and seeds: the same plan makes the same day, whatever the order of arrival."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation, may_strike
from antom_refunds.simulator.plans import Chance, Faults, Script, Weather, drawn
from tests.simulator.stage import a_script

CUT = Fault(kind=FaultKind.CUT_AFTER)
UNSIGNED = Fault(kind=FaultKind.UNSIGNED)


def _weather(seed: int, *, cut: float = 0.3, unsigned: float = 0.2) -> Weather:
    chances = (
        Chance(operation=Operation.REFUND, fault=CUT, probability=cut),
        Chance(operation=Operation.REFUND, fault=UNSIGNED, probability=unsigned),
        Chance(operation=Operation.INQUIRY, fault=UNSIGNED, probability=0.5),
    )
    return Weather(seed=seed, chances=chances)


def _schedule(weather: Weather, order: Sequence[str]) -> dict[str, list[Fault]]:
    faults, seen = Faults(weather), dict[str, list[Fault]]()
    for subject in order:
        seen.setdefault(subject, []).append(faults.next(subject, Operation.REFUND))
    return seen


@given(st.integers(), st.randoms(use_true_random=False))
def test_a_seed_makes_the_same_schedule_in_any_order_of_arrival(
    seed: int, shuffle: random.Random
) -> None:
    order = [f"rf_{number}" for number in range(10)] * 4
    shuffled = [*order]
    shuffle.shuffle(shuffled)

    assert _schedule(_weather(seed), order) == _schedule(_weather(seed), shuffled)


def test_probabilities_hold_over_many_calls() -> None:
    weather = _weather(7)

    faults = [drawn(weather, f"rf_{number}", Operation.REFUND, 1) for number in range(2000)]

    assert 500 < faults.count(CUT) < 700
    assert 300 < faults.count(UNSIGNED) < 500
    assert faults.count(WELL) > 850


def test_different_seeds_and_operations_have_different_schedules() -> None:
    order = [f"rf_{number}" for number in range(50)]

    assert _schedule(_weather(1), order) != _schedule(_weather(2), order)
    assert drawn(_weather(1), "rf_1", Operation.PAYMENT, 1) == WELL


def test_only_the_first_calls_are_in_danger_so_every_storm_ends() -> None:
    weather = _weather(1, cut=1.0, unsigned=0.0)

    drawings = [drawn(weather, "rf_1", Operation.REFUND, number) for number in range(1, 13)]

    assert drawings == [CUT] * 10 + [WELL] * 2


def test_a_script_is_played_call_after_call_and_only_for_its_own_id() -> None:
    faults = Faults(Weather())
    faults.follow(a_script(Operation.REFUND, CUT))
    faults.follow(a_script(Operation.REFUND, WELL, UNSIGNED))

    played = [faults.next("rf_1", Operation.REFUND) for _ in range(4)]

    assert played == [CUT, WELL, UNSIGNED, WELL]
    assert faults.next("rf_2", Operation.REFUND) == WELL


def test_after_the_script_comes_the_weather() -> None:
    faults = Faults(_weather(1, cut=1.0, unsigned=0.0))
    faults.follow(a_script(Operation.REFUND, UNSIGNED))

    assert [faults.next("rf_1", Operation.REFUND) for _ in range(2)] == [UNSIGNED, CUT]


def test_a_fault_must_be_able_to_strike_its_operation() -> None:
    with pytest.raises(ValidationError, match="stale cannot strike refund"):
        a_script(Operation.REFUND, FaultKind.STALE)
    with pytest.raises(ValidationError, match="cut_after cannot strike notify"):
        Chance(operation=Operation.NOTIFY, fault=CUT, probability=0.1)


def test_every_kind_of_fault_can_strike_something() -> None:
    for kind in FaultKind:
        assert any(may_strike(kind, operation) for operation in Operation)
    assert not may_strike(FaultKind.LOST, Operation.REFUND)
    assert may_strike(FaultKind.NONE, Operation.NOTIFY)


def test_chances_of_one_operation_add_up_to_one_at_most() -> None:
    with pytest.raises(ValidationError, match="the chances of refund add up"):
        _weather(1, cut=0.6, unsigned=0.6)


def test_a_fault_that_answers_a_code_has_one() -> None:
    with pytest.raises(ValidationError, match="answer_code needs a code"):
        Fault(kind=FaultKind.ANSWER_CODE)


def test_a_script_without_faults_is_none() -> None:
    with pytest.raises(ValidationError):
        Script(subject="rf_1", operation=Operation.REFUND, faults=())
