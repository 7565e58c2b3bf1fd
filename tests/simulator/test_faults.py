"""Scripted and random faults: a seed gives every call the same fault in any order of calls."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antom_refunds.simulator.faults import (
    NO_FAULT,
    Fault,
    FaultKind,
    FaultPlan,
    FaultProbability,
    FaultScript,
    Operation,
    RandomFaults,
    applies_to,
    draw,
)
from tests.simulator.harness import a_script

CUT = Fault(kind=FaultKind.CUT_AFTER)
UNSIGNED = Fault(kind=FaultKind.UNSIGNED)


def _random_faults(seed: int, *, cut: float = 0.3, unsigned: float = 0.2) -> RandomFaults:
    probabilities = (
        FaultProbability(operation=Operation.REFUND, fault=CUT, probability=cut),
        FaultProbability(operation=Operation.REFUND, fault=UNSIGNED, probability=unsigned),
        FaultProbability(operation=Operation.INQUIRY, fault=UNSIGNED, probability=0.5),
    )
    return RandomFaults(seed=seed, probabilities=probabilities)


def _faults_of(random_faults: RandomFaults, order: Sequence[str]) -> dict[str, list[Fault]]:
    faults, seen = FaultPlan(random_faults), dict[str, list[Fault]]()
    for subject in order:
        seen.setdefault(subject, []).append(faults.next(subject, Operation.REFUND))
    return seen


@given(st.integers(), st.randoms(use_true_random=False))
def test_a_seed_gives_the_same_faults_in_any_order_of_calls(
    seed: int, shuffle: random.Random
) -> None:
    order = [f"rf_{number}" for number in range(10)] * 4
    shuffled = [*order]
    shuffle.shuffle(shuffled)

    assert _faults_of(_random_faults(seed), order) == _faults_of(_random_faults(seed), shuffled)


def test_probabilities_hold_over_many_calls() -> None:
    random_faults = _random_faults(7)

    faults = [draw(random_faults, f"rf_{number}", Operation.REFUND, 1) for number in range(2000)]

    assert 500 < faults.count(CUT) < 700
    assert 300 < faults.count(UNSIGNED) < 500
    assert faults.count(NO_FAULT) > 850


def test_different_seeds_and_operations_have_different_faults() -> None:
    order = [f"rf_{number}" for number in range(50)]

    assert _faults_of(_random_faults(1), order) != _faults_of(_random_faults(2), order)
    assert draw(_random_faults(1), "rf_1", Operation.PAYMENT, 1) == NO_FAULT


def test_only_the_first_calls_have_random_faults_so_that_every_refund_ends() -> None:
    random_faults = _random_faults(1, cut=1.0, unsigned=0.0)

    drawn = [draw(random_faults, "rf_1", Operation.REFUND, number) for number in range(1, 13)]

    assert drawn == [CUT] * 10 + [NO_FAULT] * 2


def test_a_script_applies_call_by_call_and_only_to_its_own_id() -> None:
    faults = FaultPlan(RandomFaults())
    faults.add(a_script(Operation.REFUND, CUT))
    faults.add(a_script(Operation.REFUND, NO_FAULT, UNSIGNED))

    scripted = [faults.next("rf_1", Operation.REFUND) for _ in range(4)]

    assert scripted == [CUT, NO_FAULT, UNSIGNED, NO_FAULT]
    assert faults.next("rf_2", Operation.REFUND) == NO_FAULT


def test_random_faults_follow_the_script() -> None:
    faults = FaultPlan(_random_faults(1, cut=1.0, unsigned=0.0))
    faults.add(a_script(Operation.REFUND, UNSIGNED))

    assert [faults.next("rf_1", Operation.REFUND) for _ in range(2)] == [UNSIGNED, CUT]


def test_a_fault_must_apply_to_its_operation() -> None:
    with pytest.raises(ValidationError, match="stale does not apply to refund"):
        a_script(Operation.REFUND, FaultKind.STALE)
    with pytest.raises(ValidationError, match="cut_after does not apply to notify"):
        FaultProbability(operation=Operation.NOTIFY, fault=CUT, probability=0.1)


def test_every_kind_of_fault_applies_to_some_operation() -> None:
    for kind in FaultKind:
        assert any(applies_to(kind, operation) for operation in Operation)
    assert not applies_to(FaultKind.NOT_SENT, Operation.REFUND)
    assert applies_to(FaultKind.NONE, Operation.NOTIFY)


def test_probabilities_of_one_operation_add_up_to_one_at_most() -> None:
    with pytest.raises(ValidationError, match="the probabilities of refund add up"):
        _random_faults(1, cut=0.6, unsigned=0.6)


def test_a_result_code_fault_has_a_code() -> None:
    with pytest.raises(ValidationError, match="result_code needs a code"):
        Fault(kind=FaultKind.RESULT_CODE)


def test_a_script_without_faults_is_rejected() -> None:
    with pytest.raises(ValidationError):
        FaultScript(subject="rf_1", operation=Operation.REFUND, faults=())
