"""Minutes, days and months, on a server that skips what lies between."""

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
from tests.engine import Stage

_YEAR = timedelta(days=365)
OPS = Instruction(by="ops", reason="the wrong order")


def _minutes_between_calls(stage: Stage) -> list[int]:
    gaps = (later - earlier for earlier, later in pairwise(stage.wire.moments))
    return [round(gap / timedelta(minutes=1)) for gap in gaps]


async def test_doubt_asks_again_after_2_and_10_and_10_minutes_and_then_hourly(
    long_stage: Stage,
) -> None:
    order = long_stage.paid()
    long_stage.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 6)

    outcome = await long_stage.end(await long_stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    # Before each call but the first an inquiry asks whether it is needed.
    assert _minutes_between_calls(long_stage) == [2, 0, 10, 0, 10, 0, 60, 0, 60, 0, 60, 0]
    assert long_stage.asked(order, CallKind.REFUND) == 7
    # The second identical response costs one call more, since an operator is told of it.
    assert await long_stage.events(order) <= 28
    assert long_stage.payloads(order) == 1
    assert long_stage.moved(order) == 1


async def test_a_blocked_refund_is_tried_every_quarter_of_an_hour(long_stage: Stage) -> None:
    order = long_stage.paid()
    long_stage.script(order, Operation.REFUND, *["ACCESS_DENIED"] * 5)

    outcome = await long_stage.end(await long_stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert _minutes_between_calls(long_stage) == [1, 4, 10, 15, 15]


async def test_two_hundred_inquiries_cost_no_more_history_than_one(long_stage: Stage) -> None:
    order = long_stage.paid(is_async=True)
    long_stage.refunds = RefundClient(long_stage.temporal, policy=Policy(overdue_after=_YEAR))
    await long_stage.start(order)
    async with long_stage.flowing():
        await long_stage.until_asked(order, CallKind.INQUIRY, times=200)

    long_stage.settle(order)
    outcome = await long_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert long_stage.asked(order, CallKind.REFUND) == 1
    assert await long_stage.events(order) <= 20


async def test_an_overdue_refund_calls_a_person_once_and_is_watched_on(long_stage: Stage) -> None:
    order = long_stage.paid(is_async=True)
    await long_stage.start(order)
    async with long_stage.flowing():
        view = await long_stage.until(order, lambda view: view.needs_human)
    assert view.state is RefundState.PROCESSING
    assert view.due_at
    assert view.due_at <= await long_stage.env.get_current_time()
    before = await long_stage.events(order)
    asked = long_stage.asked(order, CallKind.INQUIRY)

    async with long_stage.flowing():
        await long_stage.until_asked(order, CallKind.INQUIRY, times=asked + 200)

    assert await long_stage.events(order) == before
    long_stage.settle(order)
    outcome = await long_stage.end(order)
    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert not (await long_stage.view(order)).needs_human


async def test_a_refund_that_was_never_answered_becomes_overdue_too(long_stage: Stage) -> None:
    order = long_stage.paid()
    long_stage.script(order, Operation.REFUND, *[FaultKind.CUT_BEFORE] * 400)
    long_stage.script(order, Operation.INQUIRY, *[FaultKind.CUT_BEFORE] * 400)
    await long_stage.start(order)

    async with long_stage.flowing():
        await long_stage.until_overdue(order)

    view = await long_stage.view(order)
    assert view.state is RefundState.IN_DOUBT
    assert view.is_running
    assert view.needs_human


async def test_a_refund_that_is_only_inquired_about_becomes_overdue_too(long_stage: Stage) -> None:
    order = long_stage.paid()
    long_stage.script(order, Operation.REFUND, "ORDER_IS_CLOSED")
    long_stage.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    await long_stage.start(order)

    async with long_stage.flowing():
        await long_stage.until_overdue(order)

    assert (await long_stage.view(order)).needs_human


async def test_a_called_off_refund_that_nothing_confirms_becomes_overdue_too(
    long_stage: Stage,
) -> None:
    order = long_stage.paid()
    long_stage.wire.hold()
    await long_stage.start(order)
    await long_stage.wire.arrived.wait()
    await long_stage.refunds.call_off(order.refund_request_id, OPS)
    long_stage.script(order, Operation.REFUND, FaultKind.CUT_BEFORE)
    long_stage.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    long_stage.wire.let_go()

    async with long_stage.flowing():
        await long_stage.until_overdue(order)

    assert (await long_stage.view(order)).needs_human
    assert long_stage.asked(order, CallKind.REFUND) == 1


async def test_a_refund_that_no_worker_calls_for_becomes_overdue(
    idle_stage: Stage,
) -> None:
    stage = idle_stage
    stage.refunds = RefundClient(stage.temporal, policy=Policy(overdue_after=timedelta(seconds=2)))

    async with stage.deciding():
        order = await stage.start(stage.paid())
        view = await stage.until(order, lambda view: view.needs_human)

    assert view.state is RefundState.REQUESTED


async def test_a_refund_whose_call_an_operator_paused_becomes_overdue(calm_stage: Stage) -> None:
    stage = calm_stage
    stage.refunds = RefundClient(stage.temporal, policy=Policy(overdue_after=timedelta(seconds=3)))
    order = await stage.start(stage.paid(is_async=True))
    await stage.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    await stage.temporal.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=stage.temporal.namespace,
            execution=WorkflowExecution(workflow_id=stage.handle(order).id),
            type=contract.ACTIVITY_AWAIT_RESULT,
        )
    )

    view = await stage.until(order, lambda view: view.needs_human)

    assert view.state is RefundState.PROCESSING


async def test_overdue_is_counted_by_the_servers_clock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Ahead":
            return super().now(tz) + timedelta(days=300)

    monkeypatch.setattr("antom_refunds.client.datetime", Ahead)
    order = await stage.start(stage.paid(is_async=True))

    view = await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    assert view.due_at
    assert view.due_at - view.started_at < timedelta(days=1)
    stage.settle(order)
    await stage.end(order)
