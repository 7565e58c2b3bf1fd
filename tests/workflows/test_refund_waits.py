"""Waits of minutes, days and months, on a server that skips time."""

from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.contract import Instruction
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

_YEAR = timedelta(days=365)
OPS = Instruction(by="ops", reason="the wrong order")


def _minutes_between_calls(harness: Harness) -> list[int]:
    gaps = (later - earlier for earlier, later in pairwise(harness.transport.call_times))
    return [round(gap / timedelta(minutes=1)) for gap in gaps]


async def test_in_doubt_the_call_is_sent_again_after_2_10_and_10_minutes_and_then_hourly(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    time_skipping_harness.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 6)

    outcome = await time_skipping_harness.wait_for_outcome(await time_skipping_harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    # Before each call except the first an inquiry checks whether it is needed.
    assert _minutes_between_calls(time_skipping_harness) == [
        2,
        0,
        10,
        0,
        10,
        0,
        60,
        0,
        60,
        0,
        60,
        0,
    ]
    assert time_skipping_harness.calls(order, CallKind.REFUND) == 7
    # The second identical response costs one more call, because it alerts an operator.
    assert await time_skipping_harness.events(order) <= 28
    assert time_skipping_harness.payloads(order) == 1
    assert time_skipping_harness.movements(order) == 1


async def test_a_blocked_refund_is_sent_every_15_minutes(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    time_skipping_harness.script(order, Operation.REFUND, *["ACCESS_DENIED"] * 5)

    outcome = await time_skipping_harness.wait_for_outcome(await time_skipping_harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert _minutes_between_calls(time_skipping_harness) == [1, 4, 10, 15, 15]


async def test_two_hundred_inquiries_cost_no_more_history_than_one(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order(is_async=True)
    time_skipping_harness.refunds = RefundClient(
        time_skipping_harness.temporal, policy=Policy(overdue_after=_YEAR)
    )
    await time_skipping_harness.start(order)
    async with time_skipping_harness.time_skipping():
        await time_skipping_harness.until_called(order, CallKind.INQUIRY, times=200)

    time_skipping_harness.settle(order)
    outcome = await time_skipping_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert time_skipping_harness.calls(order, CallKind.REFUND) == 1
    assert await time_skipping_harness.events(order) <= 20


async def test_an_overdue_refund_alerts_an_operator_once_and_is_polled_further(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order(is_async=True)
    await time_skipping_harness.start(order)
    async with time_skipping_harness.time_skipping():
        view = await time_skipping_harness.until(order, lambda view: view.needs_attention)
    assert view.state is RefundState.PROCESSING
    assert view.overdue_at
    assert view.overdue_at <= await time_skipping_harness.env.get_current_time()
    before = await time_skipping_harness.events(order)
    calls_before = time_skipping_harness.calls(order, CallKind.INQUIRY)

    async with time_skipping_harness.time_skipping():
        await time_skipping_harness.until_called(order, CallKind.INQUIRY, times=calls_before + 200)

    assert await time_skipping_harness.events(order) == before
    time_skipping_harness.settle(order)
    outcome = await time_skipping_harness.wait_for_outcome(order)
    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert not (await time_skipping_harness.view(order)).needs_attention


async def test_a_refund_without_a_response_becomes_overdue_too(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    time_skipping_harness.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 400)
    time_skipping_harness.script(order, Operation.INQUIRY, *[FaultKind.CUT_BEFORE] * 400)
    await time_skipping_harness.start(order)

    async with time_skipping_harness.time_skipping():
        await time_skipping_harness.until_overdue(order)

    view = await time_skipping_harness.view(order)
    assert view.state is RefundState.IN_DOUBT
    assert view.is_running
    assert view.needs_attention


async def test_a_refund_that_is_only_inquired_about_becomes_overdue_too(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    time_skipping_harness.script(order, Operation.REFUND, "ORDER_IS_CLOSED")
    time_skipping_harness.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    await time_skipping_harness.start(order)

    async with time_skipping_harness.time_skipping():
        await time_skipping_harness.until_overdue(order)

    assert (await time_skipping_harness.view(order)).needs_attention


async def test_a_called_off_refund_that_nothing_confirms_becomes_overdue_too(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    await time_skipping_harness.start_in_flight(order)
    await time_skipping_harness.refunds.call_off(order.refund_request_id, OPS)
    time_skipping_harness.script(order, Operation.REFUND, FaultKind.CUT_BEFORE)
    time_skipping_harness.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    time_skipping_harness.transport.release()

    async with time_skipping_harness.time_skipping():
        await time_skipping_harness.until_overdue(order)

    assert (await time_skipping_harness.view(order)).needs_attention
    assert time_skipping_harness.calls(order, CallKind.REFUND) == 1


async def test_a_refund_without_an_activity_worker_becomes_overdue(
    idle_harness: Harness,
) -> None:
    harness = idle_harness
    harness.refunds = RefundClient(
        harness.temporal, policy=Policy(overdue_after=timedelta(seconds=2))
    )

    async with harness.workflow_worker():
        order = await harness.start(harness.payable_order())
        view = await harness.until(order, lambda view: view.needs_attention)

    assert view.state is RefundState.REQUESTED


async def test_a_refund_whose_call_an_operator_paused_becomes_overdue(
    unscaled_harness: Harness,
) -> None:
    harness = unscaled_harness
    harness.refunds = RefundClient(
        harness.temporal, policy=Policy(overdue_after=timedelta(seconds=3))
    )
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    await harness.temporal.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=harness.temporal.namespace,
            execution=WorkflowExecution(workflow_id=harness.handle(order).id),
            type=contract.ACTIVITY_AWAIT_RESULT,
        )
    )

    view = await harness.until(order, lambda view: view.needs_attention)

    assert view.state is RefundState.PROCESSING


async def test_overdue_is_counted_by_the_servers_clock(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Ahead":
            return super().now(tz) + timedelta(days=300)

    monkeypatch.setattr("antom_refunds.workflow_start.datetime", Ahead)
    order = await harness.start(harness.payable_order(is_async=True))

    view = await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.overdue_at
    assert view.overdue_at - view.started_at < timedelta(days=1)
    harness.settle(order)
    await harness.wait_for_outcome(order)
