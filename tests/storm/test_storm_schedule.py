"""The schedule is a pure function of shape and seed, and it is one that can be played."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation
from bench.storm.blows import Blow, BlowKind
from bench.storm.interference import ActKind
from bench.storm.schedule import Plan, drawn
from bench.storm.shape import LONG, SHAPES, SHORT, USUAL, Shape

MIXED_UP = Fault(kind=FaultKind.MIXED_UP_RESPONSE)
TRAFFIC = "REQUEST_TRAFFIC_EXCEED_LIMIT"
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
    limited = [each for each in plan.scripts if TRAFFIC in {fault.code for fault in each.faults}]
    assert {script.subject for script in limited} <= in_waves
    assert {script.operation for script in limited} <= {Operation.REFUND}


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_refunds_are_called_off_and_told_nonsense_while_they_run(shape: Shape, seed: int) -> None:
    plan = drawn(shape, seed)
    first = {ask.order.refund_request_id: ask.at for ask in reversed(plan.asks)}

    assert all(first[act.refund] <= act.at <= first[act.refund] + 1.5 for act in plan.acts)
    kinds = {act.kind for act in plan.acts}
    assert kinds & {ActKind.CALL_OFF, ActKind.CANCEL}
    assert kinds & {ActKind.MALFORMED_SIGNAL, ActKind.MALFORMED_UPDATE}


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_another_system_uses_ids_of_ours_for_other_payments_of_wallets(
    shape: Shape, seed: int
) -> None:
    plan = drawn(shape, seed)
    orders = {ask.order.refund_request_id: ask.order for ask in reversed(plan.asks)}
    payments = {payment.payment_id: payment for payment in plan.payments}

    assert plan.elsewhere
    for theirs in plan.elsewhere:
        ours = orders[str(theirs.refund_request_id)]
        assert theirs.payment_id != ours.payment_id
        assert theirs.amount == ours.amount
        assert not payments[theirs.payment_id].is_async


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_refund_meets_two_untrue_responses_that_agree(shape: Shape, seed: int) -> None:
    """A refusal meant for another call, and an inquiry that lags behind: nobody could tell."""
    plan = drawn(shape, seed)
    stopped = {act.refund for act in plan.acts if act.kind in {ActKind.CALL_OFF, ActKind.CANCEL}}
    mixed_up = {each.subject for each in plan.scripts if MIXED_UP in each.faults}
    well = {
        each.subject
        for each in plan.scripts
        if each.operation is Operation.INQUIRY and set(each.faults) == {WELL}
        if len(each.faults) > plan.weather.struck_max
    }

    assert mixed_up
    assert stopped | mixed_up <= well


@given(shape=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_some_refunds_hear_the_same_unusable_response_again_and_again(
    shape: Shape, seed: int
) -> None:
    plan = drawn(shape, seed)
    scripts = [each for each in plan.scripts if each.subject in plan.unusable]

    assert len(scripts) == 2 * len(plan.unusable)
    assert all(len(each.faults) == 4 and len(set(each.faults)) == 1 for each in scripts)


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
