"""The schedule is a pure function of size and seed, and it can be carried out."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation
from proofs.storm.interventions import InterventionKind
from proofs.storm.process_faults import ProcessFault, ProcessFaultKind
from proofs.storm.schedule import Plan, draw_plan
from proofs.storm.sizes import LONG, SHORT, SIZES, USUAL, StormSize

MIXED_UP = Fault(kind=FaultKind.MIXED_UP_RESPONSE)
TRAFFIC = "REQUEST_TRAFFIC_EXCEED_LIMIT"
SEEDS = st.integers(min_value=0, max_value=10**9)
SMALL = st.sampled_from((SHORT, USUAL))


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_same_seed_is_the_same_schedule(size: StormSize, seed: int) -> None:
    assert draw_plan(size, seed) == draw_plan(size, seed)


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_schedule_survives_being_written_down(size: StormSize, seed: int) -> None:
    plan = draw_plan(size, seed)

    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_another_seed_is_another_schedule(seed: int) -> None:
    assert draw_plan(SHORT, seed).process_faults != draw_plan(SHORT, seed + 1).process_faults


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_process_fails_while_it_is_down(size: StormSize, seed: int) -> None:
    for process_faults in _by_target(draw_plan(size, seed)).values():
        assert all(earlier.until < later.at for earlier, later in pairwise(process_faults))


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_all_process_faults_are_within_their_time(size: StormSize, seed: int) -> None:
    assert all(0 < fault.at <= size.fault_seconds for fault in draw_plan(size, seed).process_faults)


@pytest.mark.parametrize("size", [USUAL, LONG])
def test_every_kind_of_process_fault_occurs(size: StormSize) -> None:
    assert {fault.kind for fault in draw_plan(size, 1).process_faults} == set(ProcessFaultKind)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_short_storm_has_most_kinds_of_process_faults(seed: int) -> None:
    assert (
        len({fault.kind for fault in draw_plan(SHORT, seed).process_faults})
        >= len(ProcessFaultKind) - 3
    )


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_several_callers_request_the_same_refund_at_the_same_time(
    size: StormSize, seed: int
) -> None:
    requests = [(request.at, request.order) for request in draw_plan(size, seed).requests]

    assert len(set(requests)) < len(requests)


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_refunds_are_requested_at_a_steady_rate(size: StormSize, seed: int) -> None:
    plan = draw_plan(size, seed)
    first = {request.order.refund_request_id: request.at for request in reversed(plan.requests)}

    assert sorted(first.values()) == [n / size.per_second for n in range(size.refunds)]


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_antom_limits_traffic_in_windows(size: StormSize, seed: int) -> None:
    plan = draw_plan(size, seed)
    in_windows = {
        request.order.refund_request_id
        for request in plan.requests
        if any(since <= request.at < until for since, until in plan.rate_limit_windows)
    }

    assert all(earlier[1] < later[0] for earlier, later in pairwise(plan.rate_limit_windows))
    limited = [each for each in plan.scripts if TRAFFIC in {fault.code for fault in each.faults}]
    assert {script.subject for script in limited} <= in_windows
    assert {script.operation for script in limited} <= {Operation.REFUND}


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_running_refunds_are_called_off_and_receive_malformed_messages(
    size: StormSize, seed: int
) -> None:
    plan = draw_plan(size, seed)
    first = {request.order.refund_request_id: request.at for request in reversed(plan.requests)}

    assert all(first[act.refund] <= act.at <= first[act.refund] + 1.5 for act in plan.interventions)
    kinds = {act.kind for act in plan.interventions}
    assert kinds & {InterventionKind.CALL_OFF, InterventionKind.CANCEL}
    assert kinds & {InterventionKind.MALFORMED_SIGNAL, InterventionKind.MALFORMED_UPDATE}


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_another_system_uses_ids_of_ours_for_other_payments_of_wallets(
    size: StormSize, seed: int
) -> None:
    plan = draw_plan(size, seed)
    orders = {request.order.refund_request_id: request.order for request in reversed(plan.requests)}
    payments = {payment.payment_id: payment for payment in plan.payments}

    assert plan.refunds_elsewhere
    for theirs in plan.refunds_elsewhere:
        ours = orders[str(theirs.refund_request_id)]
        assert theirs.payment_id != ours.payment_id
        assert theirs.amount == ours.amount
        assert not payments[theirs.payment_id].is_async


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_refund_meets_two_untrue_responses_that_agree(size: StormSize, seed: int) -> None:
    """A refusal meant for another call, and a stale inquiry: no client could tell."""
    plan = draw_plan(size, seed)
    stopped = {
        act.refund
        for act in plan.interventions
        if act.kind in {InterventionKind.CALL_OFF, InterventionKind.CANCEL}
    }
    mixed_up = {each.subject for each in plan.scripts if MIXED_UP in each.faults}
    well = {
        each.subject
        for each in plan.scripts
        if each.operation is Operation.INQUIRY and set(each.faults) == {WELL}
        if len(each.faults) > plan.random_faults.struck_max
    }

    assert mixed_up
    assert stopped | mixed_up <= well


@given(size=SMALL, seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_some_refunds_get_the_same_unusable_response_repeatedly(size: StormSize, seed: int) -> None:
    plan = draw_plan(size, seed)
    scripts = [each for each in plan.scripts if each.subject in plan.unusable]

    assert len(scripts) == 2 * len(plan.unusable)
    assert all(len(each.faults) == 4 and len(set(each.faults)) == 1 for each in scripts)


def test_a_pause_is_longer_than_temporals_timeouts() -> None:
    assert SHORT.pause_seconds > 10
    assert min(USUAL.pause_seconds, LONG.pause_seconds) > 30


def test_sizes_are_known_by_their_names() -> None:
    assert list(SIZES) == ["short", "usual", "long"]


def _by_target(plan: Plan) -> dict[str, list[ProcessFault]]:
    found: dict[str, list[ProcessFault]] = {}
    for fault in sorted(plan.process_faults, key=lambda fault: fault.at):
        for target in fault.targets:
            found.setdefault(target, []).append(fault)
    return found
