"""The peers' job is a pure function of size and seed, with the shares that it promises."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import FaultKind, Operation
from bench.peers.script import PACE, Manner, drawn, warm_up
from bench.peers.struck import PARTS, PER_SECOND, drawn_blows

SEEDS = st.integers(min_value=0, max_value=10**9)
SIZES = st.sampled_from((10, 40, 200))


@given(size=SIZES, seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_same_seed_is_the_same_job(size: int, seed: int) -> None:
    assert drawn(size, seed) == drawn(size, seed)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_another_seed_is_another_job(seed: int) -> None:
    assert drawn(40, seed).orders != drawn(40, seed + 1).orders


@given(size=SIZES, seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_manners_have_their_shares(size: int, seed: int) -> None:
    counts = Counter(errand.manner for errand in drawn(size, seed).errands)

    assert counts == {
        Manner.AT_ONCE: size * 5 // 10,
        Manner.NOTIFIED: size * 2 // 10,
        Manner.POLLED: size * 2 // 10,
        Manner.ANSWER_LOST: size // 10,
    }


def test_only_banks_keep_refunds_waiting() -> None:
    errands = drawn(40, 1).errands
    settles = [wait / PACE for each in errands if (wait := each.payment.settle_after)]

    assert {e.manner for e in errands if e.payment.is_async} == {Manner.NOTIFIED, Manner.POLLED}
    assert timedelta(seconds=0.3) <= min(settles) < max(settles) <= timedelta(seconds=1.5)


def test_what_is_polled_is_never_notified_and_a_lost_answer_is_lost_once() -> None:
    job = drawn(40, 1)
    faults = {script.subject: script for script in job.scripts}

    assert set(faults) == job.ids(Manner.POLLED, Manner.ANSWER_LOST)
    for each in job.ids(Manner.POLLED):
        assert faults[each].operation is Operation.NOTIFY
        assert {fault.kind for fault in faults[each].faults} == {FaultKind.LOST}
    for each in job.ids(Manner.ANSWER_LOST):
        assert [fault.kind for fault in faults[each].faults] == [FaultKind.CUT_AFTER]


def test_the_least_wait_is_that_of_a_lost_answer() -> None:
    waits = {errand.manner: errand.wait_least.total_seconds() for errand in drawn(40, 1).errands}

    assert waits[Manner.AT_ONCE] == 0
    assert waits[Manner.ANSWER_LOST] == 2


def test_the_warm_up_shares_no_id_with_the_job() -> None:
    assert not warm_up().ids() & drawn(200, 1).ids()


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_blows_are_the_same_for_all_and_fall_while_refunds_are_asked_for(seed: int) -> None:
    job = drawn(150, 1)
    blows = drawn_blows(job, seed)

    assert blows == drawn_blows(job, seed)
    assert sorted(blow.part for blow in blows) == sorted(PARTS)
    assert [blow.at for blow in blows] == sorted(blow.at for blow in blows)
    assert all(0 <= blow.at <= len(job.errands) / PER_SECOND for blow in blows)


@pytest.mark.parametrize("size", [0, 7])
def test_any_size_is_a_job(size: int) -> None:
    assert len(drawn(size, 1).orders) == size
