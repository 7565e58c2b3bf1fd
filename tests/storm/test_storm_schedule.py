"""The schedule is a pure function of shape and seed, and it is one that can be played."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import Operation
from bench.storm.blows import Blow, BlowKind
from bench.storm.schedule import Plan, drawn
from bench.storm.shape import LONG, SHAPES, SHORT, USUAL, Shape

SEEDS = st.integers(min_value=0, max_value=10**9)
SMALL = st.sampled_from((SHORT, USUAL))


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_same_seed_is_the_same_schedule(shape: Shape, seed: int) -> None:
    assert drawn(shape, seed) == drawn(shape, seed)


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_schedule_survives_being_written_down(shape: Shape, seed: int) -> None:
    plan = drawn(shape, seed)

    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_another_seed_is_another_schedule(seed: int) -> None:
    assert drawn(SHORT, seed).blows != drawn(SHORT, seed + 1).blows


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_process_is_struck_while_it_is_down(shape: Shape, seed: int) -> None:
    for blows in _by_target(drawn(shape, seed)).values():
        assert all(earlier.until < later.at for earlier, later in pairwise(blows))


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_nothing_is_struck_before_the_storm_or_after_the_striking(shape: Shape, seed: int) -> None:
    assert all(0 < blow.at <= shape.striking for blow in drawn(shape, seed).blows)


@pytest.mark.parametrize("shape", [USUAL, LONG])
def test_every_kind_of_blow_falls(shape: Shape) -> None:
    assert {blow.kind for blow in drawn(shape, 1).blows} == set(BlowKind)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_short_storm_deals_most_kinds_of_blows(seed: int) -> None:
    assert len({blow.kind for blow in drawn(SHORT, seed).blows}) >= len(BlowKind) - 3


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_several_callers_ask_for_the_same_refund_at_the_same_moment(
    shape: Shape, seed: int
) -> None:
    asks = [(ask.at, ask.order) for ask in drawn(shape, seed).asks]

    assert len(set(asks)) < len(asks)


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_refunds_are_asked_for_at_a_steady_rate(shape: Shape, seed: int) -> None:
    plan = drawn(shape, seed)
    first = {ask.order.refund_request_id: ask.at for ask in reversed(plan.asks)}

    assert sorted(first.values()) == [n / shape.per_second for n in range(shape.refunds)]


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_antom_limits_traffic_in_waves(shape: Shape, seed: int) -> None:
    plan = drawn(shape, seed)
    in_waves = {
        ask.order.refund_request_id
        for ask in plan.asks
        if any(since <= ask.at < until for since, until in plan.waves)
    }

    assert all(earlier[1] < later[0] for earlier, later in pairwise(plan.waves))
    assert {script.subject for script in plan.scripts} <= in_waves
    assert {script.operation for script in plan.scripts} == {Operation.REFUND}


def test_a_pause_outlives_the_time_that_the_engine_grants() -> None:
    assert SHORT.pause > 10
    assert min(USUAL.pause, LONG.pause) > 30


def test_shapes_go_by_their_names() -> None:
    assert list(SHAPES) == ["short", "usual", "long"]


def _by_target(plan: Plan) -> dict[str, list[Blow]]:
    found: dict[str, list[Blow]] = {}
    for blow in sorted(plan.blows, key=lambda blow: blow.at):
        for target in blow.targets:
            found.setdefault(target, []).append(blow)
    return found
