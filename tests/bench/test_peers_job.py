"""The job of all engines is a pure function of size and seed, with the documented shares."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import FaultKind, Operation
from bench.peers.job import SPEEDUP, SettlementKind, draw_job, warm_up_job
from bench.peers.runs import KILLED, PER_SECOND, draw_kills

SEEDS = st.integers(min_value=0, max_value=10**9)
SIZES = st.sampled_from((10, 40, 200))


@given(size=SIZES, seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_same_seed_is_the_same_job(size: int, seed: int) -> None:
    assert draw_job(size, seed) == draw_job(size, seed)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_another_seed_is_another_job(seed: int) -> None:
    assert draw_job(40, seed).orders != draw_job(40, seed + 1).orders


@given(size=SIZES, seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_kinds_have_their_shares(size: int, seed: int) -> None:
    counts = Counter(refund.kind for refund in draw_job(size, seed).refunds)

    assert counts == {
        SettlementKind.IMMEDIATE: size * 5 // 10,
        SettlementKind.NOTIFIED: size * 2 // 10,
        SettlementKind.POLLED: size * 2 // 10,
        SettlementKind.RESPONSE_LOST: size // 10,
    }


def test_only_banks_keep_refunds_waiting() -> None:
    refunds = draw_job(40, 1).refunds
    settles = [wait / SPEEDUP for each in refunds if (wait := each.payment.settle_after)]

    assert {e.kind for e in refunds if e.payment.is_async} == {
        SettlementKind.NOTIFIED,
        SettlementKind.POLLED,
    }
    assert timedelta(seconds=0.3) <= min(settles) < max(settles) <= timedelta(seconds=1.5)


def test_polled_refunds_are_never_notified_and_a_response_is_lost_once() -> None:
    job = draw_job(40, 1)
    faults = {script.subject: script for each in job.refunds for script in each.scripts}

    assert set(faults) == job.ids(SettlementKind.POLLED, SettlementKind.RESPONSE_LOST)
    for each in job.ids(SettlementKind.POLLED):
        assert faults[each].operation is Operation.NOTIFY
        assert {fault.kind for fault in faults[each].faults} == {FaultKind.NOT_SENT}
    for each in job.ids(SettlementKind.RESPONSE_LOST):
        assert [fault.kind for fault in faults[each].faults] == [FaultKind.CUT_AFTER]


def test_the_warm_up_shares_no_id_with_the_job() -> None:
    assert not warm_up_job().ids() & draw_job(200, 1).ids()


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_kills_are_the_same_for_all_engines_and_within_the_requests(seed: int) -> None:
    job = draw_job(150, 1)
    kills = draw_kills(job, seed)

    assert kills == draw_kills(job, seed)
    assert sorted(kill.process for kill in kills) == sorted(KILLED)
    assert [kill.at for kill in kills] == sorted(kill.at for kill in kills)
    assert all(0 <= kill.at <= len(job.refunds) / PER_SECOND for kill in kills)


@pytest.mark.parametrize("size", [0, 7])
def test_any_size_is_a_job(size: int) -> None:
    assert len(draw_job(size, 1).orders) == size
