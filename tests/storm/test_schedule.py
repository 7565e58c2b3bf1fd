"""The schedule is a pure function of size and seed, and it can be carried out."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, Operation
from proofs.storm.plan import (
    LONG,
    SHORT,
    SIZES,
    USUAL,
    InterventionKind,
    Plan,
    ProcessFaultKind,
    StormSize,
)
from proofs.storm.schedule import draw_plan

MIXED_UP = Fault(kind=FaultKind.MIXED_UP_RESPONSE)
TRAFFIC = "REQUEST_TRAFFIC_EXCEED_LIMIT"
SEEDS = st.integers(min_value=0, max_value=10**9)
STOPS = {InterventionKind.CALL_OFF, InterventionKind.CANCEL}


def for_any_plan(test: Callable[[Plan], None]) -> Callable[[], None]:
    """Runs this test with plans of both smaller sizes and many seeds."""
    plans = st.builds(draw_plan, st.sampled_from((SHORT, USUAL)), SEEDS)
    return settings(max_examples=20, deadline=None)(given(plan=plans)(test))


def first_requests(plan: Plan) -> dict[str, float]:
    return {each.order.refund_request_id: each.at for each in reversed(plan.requests)}


@for_any_plan
def test_the_same_seed_is_the_same_schedule(plan: Plan) -> None:
    assert draw_plan(plan.size, plan.seed) == plan


@for_any_plan
def test_a_schedule_survives_being_stored(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_another_seed_is_another_schedule(seed: int) -> None:
    assert draw_plan(SHORT, seed).process_faults != draw_plan(SHORT, seed + 1).process_faults


@for_any_plan
def test_no_process_fails_while_it_is_down(plan: Plan) -> None:
    faults = sorted(plan.process_faults, key=lambda fault: fault.at)
    for target in {target for fault in faults for target in fault.targets}:
        its = [fault for fault in faults if target in fault.targets]
        assert all(earlier.until < later.at for earlier, later in pairwise(its))


@for_any_plan
def test_all_process_faults_are_within_their_time(plan: Plan) -> None:
    assert all(0 < fault.at <= plan.size.fault_seconds for fault in plan.process_faults)


@pytest.mark.parametrize("size", [USUAL, LONG])
def test_every_kind_of_process_fault_occurs(size: StormSize) -> None:
    assert {fault.kind for fault in draw_plan(size, 1).process_faults} == set(ProcessFaultKind)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_short_storm_has_most_kinds_of_process_faults(seed: int) -> None:
    kinds = {fault.kind for fault in draw_plan(SHORT, seed).process_faults}

    assert len(kinds) >= len(ProcessFaultKind) - 3


@for_any_plan
def test_several_callers_request_the_same_refund_at_the_same_time(plan: Plan) -> None:
    requests = [(each.at, each.order) for each in plan.requests]

    assert len(set(requests)) < len(requests)


@for_any_plan
def test_refunds_are_requested_at_a_steady_rate(plan: Plan) -> None:
    expected = [number / plan.size.per_second for number in range(plan.size.refunds)]

    assert sorted(first_requests(plan).values()) == expected


@for_any_plan
def test_antom_limits_traffic_in_windows(plan: Plan) -> None:
    windows = plan.rate_limit_windows
    limited = [each for each in plan.scripts if TRAFFIC in {fault.code for fault in each.faults}]
    in_windows = {
        each
        for each, at in first_requests(plan).items()
        if any(since <= at < until for since, until in windows)
    }

    assert all(earlier[1] < later[0] for earlier, later in pairwise(windows))
    assert {script.subject for script in limited} <= in_windows
    assert {script.operation for script in limited} <= {Operation.REFUND}


@for_any_plan
def test_running_refunds_are_called_off_and_receive_malformed_messages(plan: Plan) -> None:
    first = first_requests(plan)
    kinds = {act.kind for act in plan.interventions}

    assert all(first[act.refund] <= act.at <= first[act.refund] + 1.5 for act in plan.interventions)
    assert kinds & STOPS
    assert kinds - STOPS


@for_any_plan
def test_another_system_uses_ids_of_ours_for_other_payments_of_wallets(plan: Plan) -> None:
    orders = {each.order.refund_request_id: each.order for each in reversed(plan.requests)}
    payments = {payment.payment_id: payment for payment in plan.payments}

    assert plan.refunds_elsewhere
    for theirs in plan.refunds_elsewhere:
        ours = orders[str(theirs.refund_request_id)]
        assert theirs.payment_id != ours.payment_id
        assert theirs.amount == ours.amount
        assert not payments[theirs.payment_id].is_async


@for_any_plan
def test_no_refund_meets_two_untrue_responses_that_agree(plan: Plan) -> None:
    """A refusal meant for another call, and a stale inquiry: no client could tell."""
    stopped = {act.refund for act in plan.interventions if act.kind in STOPS}
    mixed_up = {each.subject for each in plan.scripts if MIXED_UP in each.faults}
    answered_correctly = {
        each.subject
        for each in plan.scripts
        if each.operation is Operation.INQUIRY and set(each.faults) == {NO_FAULT}
        if len(each.faults) > plan.random_faults.faults_max
    }

    assert mixed_up
    assert stopped | mixed_up <= answered_correctly


@for_any_plan
def test_some_refunds_get_the_same_unusable_response_repeatedly(plan: Plan) -> None:
    scripts = [each for each in plan.scripts if each.subject in plan.unusable]

    assert len(scripts) == 2 * len(plan.unusable)
    assert all(len(each.faults) == 4 and len(set(each.faults)) == 1 for each in scripts)


def test_a_pause_is_longer_than_temporals_timeouts() -> None:
    assert SHORT.pause_seconds > 10
    assert min(USUAL.pause_seconds, LONG.pause_seconds) > 30
    assert list(SIZES) == ["short", "usual", "long"]
