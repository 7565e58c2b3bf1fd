"""Whatever meets in one workflow task, in whatever order: an outcome is returned, no word is lost.

The Python SDK runs the jobs of a task in two batches today, and will run them in one: both are
tested.
"""

import asyncio

import pytest
import temporalio.worker._workflow as sdk
from temporalio.api.enums.v1 import EventType
from temporalio.worker._workflow_instance import _WorkflowLogicFlag as Flag

from antom_refunds.contract import Instruction, Resolution
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

OPS = Instruction(by="ops", reason="the wrong order")
FAILED = Resolution(by="ops", reason="ticket", proof="ticket 7", state="failed")


@pytest.fixture(params=["two_batches", "single_batch"], autouse=True)
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "single_batch":
        flags = frozenset({Flag.PROCESS_WORKFLOW_ACTIVATION_JOBS_AS_SINGLE_BATCH})
        monkeypatch.setattr(sdk, "_DEFAULT_ENABLED_WORKFLOW_LOGIC_FLAGS", flags)


def notice(order: RefundOrder, word: Word) -> Evidence:
    return Evidence(
        source=Source.NOTICE,
        word=word,
        code="SUCCESS" if word is Word.SUCCEEDED else "PROCESS_FAIL",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )


async def kinds(stage: Stage, order: RefundOrder) -> list[EventType.ValueType]:
    return [event.event_type for event in (await stage.history(order)).events]


async def until_event(stage: Stage, order: RefundOrder, kind: EventType.ValueType) -> None:
    async with asyncio.timeout(20):
        while kind not in await kinds(stage, order):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def instruct(stage: Stage, order: RefundOrder, how: str) -> asyncio.Task[str] | None:
    """Returns once the server has it; an update that no worker has taken yet leaves no event."""
    if how == "cancel":
        await stage.handle(order).cancel()
        return None
    own = order.refund_request_id
    call = (
        stage.refunds.call_off(own, OPS)
        if how == "call_off"
        else stage.refunds.resolve(own, FAILED)
    )
    task = asyncio.create_task(call)
    await asyncio.sleep(0.3)
    return task


@pytest.mark.parametrize("how", ["cancel", "call_off"])
@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_what_stops_a_refund_meets_antoms_answer(
    idle_stage: Stage, how: str, *, is_answered_first: bool
) -> None:
    stage = idle_stage
    order = stage.paid()
    stage.wire.hold()
    said = None
    async with stage.calling({"default": stage.antom}):
        async with stage.deciding(cached_workflows_max=0):
            await stage.start(order)
            await stage.wire.arrived.wait()
        if not is_answered_first:
            said = await instruct(stage, order, how)
        stage.wire.let_go()
        await until_event(stage, order, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        if is_answered_first:
            said = await instruct(stage, order, how)

    async with stage.working():
        outcome = await stage.end(order)
        if said is not None:
            await asyncio.gather(said, return_exceptions=True)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in await kinds(stage, order)


async def test_cancellations_with_live_workers_always_end_in_an_outcome(stage: Stage) -> None:
    for turn in range(12):
        order = stage.paid()
        stage.wire.arrived.clear()
        stage.wire.hold()
        await stage.start(order)
        await stage.wire.arrived.wait()
        stage.wire.let_go()
        await asyncio.sleep(turn % 6 * 0.003)
        await stage.handle(order).cancel()

        assert (await stage.end(order)).state is RefundState.SUCCEEDED


async def test_two_opposite_final_results_in_one_task_are_both_kept(idle_stage: Stage) -> None:
    stage = idle_stage
    order = stage.paid()
    stage.wire.hold()
    async with stage.calling({"default": stage.antom}):
        async with stage.deciding(cached_workflows_max=0):
            await stage.start(order)
            await stage.wire.arrived.wait()
        stage.wire.let_go()
        await until_event(stage, order, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
    own = order.refund_request_id
    await stage.notifications.deliver(own, notice(order, Word.FAILED), delivery_id="x")

    async with stage.working():
        outcome = await stage.end(order)

    assert outcome.is_contradicted
    assert outcome.needs_human


async def test_an_operators_end_and_antoms_answer_in_one_task_are_both_kept(
    idle_stage: Stage,
) -> None:
    stage = idle_stage
    order = stage.paid()
    stage.wire.hold()
    async with stage.calling({"default": stage.antom}):
        async with stage.deciding(cached_workflows_max=0):
            await stage.start(order)
            await stage.wire.arrived.wait()
        stage.wire.let_go()
        await until_event(stage, order, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
    said = await instruct(stage, order, "resolve")

    async with stage.working():
        outcome = await stage.end(order)
        assert said is not None
        await asyncio.gather(said, return_exceptions=True)

    assert outcome.state is RefundState.SUCCEEDED or outcome.is_contradicted


async def test_a_call_sent_again_while_processing_is_waited_for_at_the_end(stage: Stage) -> None:
    order = stage.paid(is_async=True)
    stage.script(order, Operation.INQUIRY, FaultKind.NOT_FOUND)
    stage.wire.hold()
    await stage.start(order)
    for _ in ("the refund call", "the inquiry"):
        await stage.wire.arrived.wait()
        stage.wire.arrived.clear()
        stage.wire.let_go()
        stage.wire.hold()
    await stage.wire.arrived.wait()

    delivery = await stage.notifications.deliver(
        order.refund_request_id, notice(order, Word.SUCCEEDED), delivery_id="x"
    )
    await until_event(stage, order, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert delivery is Delivery.DELIVERED
    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 2
    assert (await kinds(stage, order)).count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 3


async def test_a_call_in_flight_at_the_end_is_waited_for_and_taken(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()

    await stage.refunds.resolve(order.refund_request_id, FAILED)
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.FAILED
    assert outcome.is_contradicted
    assert (await stage.view(order)).needs_human
    assert stage.moved(order) == 1


async def test_a_notified_success_that_the_answer_denies_is_shown(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, "REFUND_AMOUNT_EXCEED")
    stage.wire.hold()
    await stage.start(order)
    await stage.wire.arrived.wait()

    own = order.refund_request_id
    await stage.notifications.deliver(own, notice(order, Word.SUCCEEDED), delivery_id="x")
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.is_contradicted
    assert (await stage.view(order)).needs_human
    assert stage.asked(order, CallKind.INQUIRY) >= 1
