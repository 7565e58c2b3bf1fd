"""A cause that an operator can fix alerts one soon; the alarm is cleared with its cause."""

import asyncio

import httpx
import pytest

from antom_refunds.contract import Instruction
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="fixed")


async def reason(harness: Harness, order: RefundOrder) -> str:
    return (await harness.refunds.dossier(order.refund_request_id)).attention_reason or ""


@pytest.mark.parametrize(
    "fault", [FaultKind.UNSIGNED, FaultKind.WRONG_KEY, FaultKind.HTTP_500, FaultKind.GARBLED]
)
async def test_the_second_identical_unusable_response_alerts_an_operator(
    harness: Harness, fault: FaultKind
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *[fault] * 3)
    harness.script(order, Operation.INQUIRY, *[fault] * 3)
    await harness.start(order)

    view = await harness.until(order, lambda view: view.needs_attention)

    assert view.state is RefundState.IN_DOUBT
    assert harness.calls(order, CallKind.REFUND) <= 3
    outcome = await harness.wait_for_outcome(order)
    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert harness.movements(order) == 1


async def test_the_third_different_unusable_response_alerts_an_operator(harness: Harness) -> None:
    order = harness.payable_order()
    faults = (FaultKind.CUT_BEFORE, FaultKind.HTTP_500, FaultKind.GARBLED)
    harness.script(order, Operation.REFUND, *faults)
    harness.script(order, Operation.INQUIRY, *faults)

    await harness.start(order)
    await harness.until(order, lambda view: view.needs_attention)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


async def test_repeatedly_failing_inquiries_while_processing_alert_an_operator(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    harness.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 4)
    await harness.start(order)

    view = await harness.until(order, lambda view: view.needs_attention)
    assert view.state is RefundState.PROCESSING
    await harness.until(order, lambda view: not view.needs_attention)

    harness.settle(order)
    assert (await harness.wait_for_outcome(order)).attention_reason is None


@pytest.mark.slow
async def test_one_failed_inquiry_between_successful_ones_alerts_no_operator(
    harness: Harness,
) -> None:
    order = harness.payable_order(is_async=True)
    faults = [FaultKind.HTTP_500, FaultKind.STALE] * 4
    harness.script(order, Operation.INQUIRY, *faults)
    await harness.start(order)
    await harness.until_called(order, CallKind.INQUIRY, times=len(faults))

    harness.settle(order)
    await harness.wait_for_outcome(order)

    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert dossier.refund.alarms_cleared == 0


async def test_an_unreachable_gateway_alerts_an_operator(harness: Harness) -> None:
    order = harness.payable_order()
    harness.transport.is_down = True
    await harness.start(order)

    view = await harness.until(order, lambda view: view.needs_attention)

    assert view.state is RefundState.REQUESTED
    assert "network" in await reason(harness, order)
    harness.transport.is_down = False
    outcome = await harness.wait_for_outcome(order)
    assert outcome.attention_reason is None
    assert harness.movements(order) == 1


@pytest.mark.slow
async def test_an_alternating_alarm_does_not_grow_the_history_without_limit(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antom_refunds.domain.state_machine.ALARMS_CLEARED_MAX", 2)
    order = harness.payable_order(is_async=True)
    harness.script(
        order, Operation.INQUIRY, *[FaultKind.HTTP_500, FaultKind.HTTP_500, FaultKind.STALE] * 5
    )
    await harness.start(order)
    await harness.until_called(order, CallKind.INQUIRY, times=9)
    await harness.until(order, lambda view: view.needs_attention)
    before = await harness.events(order)

    await harness.until_called(order, CallKind.INQUIRY, times=14)

    assert await harness.events(order) == before
    harness.settle(order)
    assert (await harness.wait_for_outcome(order)).attention_reason is None


async def test_check_now_sends_an_inquiry_immediately_although_one_is_waiting(
    unscaled_harness: Harness,
) -> None:
    harness = unscaled_harness
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "ORDER_IS_CLOSED")
    harness.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 900)
    await harness.start(order)
    await harness.until_called(order, CallKind.INQUIRY, times=1)
    await harness.until_waiting(order)
    before = harness.calls(order, CallKind.INQUIRY)

    await harness.refunds.check_now(order.refund_request_id, OPS)

    async with asyncio.timeout(4):
        await harness.until_called(order, CallKind.INQUIRY, times=before + 1)


async def test_an_invalid_certificate_is_not_a_failure_of_the_refund(harness: Harness) -> None:
    order = harness.payable_order()
    harness.transport.error = httpx.ConnectError("certificate verify failed")
    await harness.start(order)
    await harness.until(order, lambda view: view.needs_attention)

    harness.transport.error = None

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
