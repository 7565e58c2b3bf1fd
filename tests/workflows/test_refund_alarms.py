"""No silent doubt: what a person could fix calls an operator soon, and the alarm goes with it."""

import asyncio

import httpx
import pytest

from antom_refunds.contract import Instruction
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

OPS = Instruction(by="ops", reason="fixed")


async def reason(stage: Stage, order: RefundOrder) -> str:
    return (await stage.refunds.dossier(order.refund_request_id)).human_reason or ""


@pytest.mark.parametrize(
    "fault", [FaultKind.UNSIGNED, FaultKind.WRONG_KEY, FaultKind.HTTP_500, FaultKind.GARBLED]
)
async def test_the_second_identical_unusable_response_calls_an_operator(
    stage: Stage, fault: FaultKind
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *[fault] * 3)
    stage.script(order, Operation.INQUIRY, *[fault] * 3)
    await stage.start(order)

    view = await stage.until(order, lambda view: view.needs_human)

    assert view.state is RefundState.IN_DOUBT
    assert stage.asked(order, CallKind.REFUND) <= 3
    outcome = await stage.end(order)
    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert stage.moved(order) == 1


async def test_different_unusable_responses_call_an_operator_at_the_third(stage: Stage) -> None:
    order = stage.paid()
    faults = (FaultKind.CUT_BEFORE, FaultKind.HTTP_500, FaultKind.GARBLED)
    stage.script(order, Operation.REFUND, *faults)
    stage.script(order, Operation.INQUIRY, *faults)

    await stage.start(order)
    await stage.until(order, lambda view: view.needs_human)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED


async def test_inquiries_that_keep_failing_while_processing_call_an_operator(
    stage: Stage,
) -> None:
    order = stage.paid(is_async=True)
    stage.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 4)
    await stage.start(order)

    view = await stage.until(order, lambda view: view.needs_human)
    assert view.state is RefundState.PROCESSING
    await stage.until(order, lambda view: not view.needs_human)

    stage.settle(order)
    assert (await stage.end(order)).needs_human is None


async def test_one_failed_inquiry_between_good_ones_calls_nobody(stage: Stage) -> None:
    order = stage.paid(is_async=True)
    faults = [FaultKind.HTTP_500, FaultKind.STALE] * 4
    stage.script(order, Operation.INQUIRY, *faults)
    await stage.start(order)
    await stage.until_asked(order, CallKind.INQUIRY, times=len(faults))

    stage.settle(order)
    await stage.end(order)

    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert dossier.refund.alarms_cleared == 0


async def test_a_gateway_that_cannot_be_reached_calls_an_operator(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.is_down = True
    await stage.start(order)

    view = await stage.until(order, lambda view: view.needs_human)

    assert view.state is RefundState.REQUESTED
    assert "network" in await reason(stage, order)
    stage.wire.is_down = False
    outcome = await stage.end(order)
    assert outcome.needs_human is None
    assert stage.moved(order) == 1


@pytest.mark.slow
async def test_an_alarm_that_comes_and_goes_cannot_grow_the_history_without_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antom_refunds.domain.fold.ALARMS_CLEARED_MAX", 2)
    order = stage.paid(is_async=True)
    stage.script(
        order, Operation.INQUIRY, *[FaultKind.HTTP_500, FaultKind.HTTP_500, FaultKind.STALE] * 5
    )
    await stage.start(order)
    await stage.until_asked(order, CallKind.INQUIRY, times=9)
    await stage.until(order, lambda view: view.needs_human)
    before = await stage.events(order)

    await stage.until_asked(order, CallKind.INQUIRY, times=14)

    assert await stage.events(order) == before
    stage.settle(order)
    assert (await stage.end(order)).needs_human is None


async def test_check_now_sends_an_inquiry_at_once_though_one_is_waiting(
    calm_stage: Stage,
) -> None:
    stage = calm_stage
    order = stage.paid()
    stage.script(order, Operation.REFUND, "ORDER_IS_CLOSED")
    stage.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    await stage.start(order)
    await stage.until_asked(order, CallKind.INQUIRY, times=1)
    await stage.until_at_rest(order)
    before = stage.asked(order, CallKind.INQUIRY)

    await stage.refunds.check_now(order.refund_request_id, OPS)

    async with asyncio.timeout(4):
        await stage.until_asked(order, CallKind.INQUIRY, times=before + 1)


async def test_a_broken_certificate_is_not_taken_for_a_failure(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.error = httpx.ConnectError("certificate verify failed")
    await stage.start(order)
    await stage.until(order, lambda view: view.needs_human)

    stage.wire.error = None

    assert (await stage.end(order)).state is RefundState.SUCCEEDED
