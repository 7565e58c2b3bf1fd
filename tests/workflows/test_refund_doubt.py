"""No response, an unusable one, a lost worker: doubt is resolved and money moves once."""

from datetime import timedelta

import pytest

from antom_refunds import contract
from antom_refunds.domain import policy
from antom_refunds.domain.refund import RefundState, Step
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import NOTIFY_URL, Harness, KeyFiles, simulated_merchant


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short activity timeout, so that a lost attempt is noticed soon."""
    monkeypatch.setattr(policy, "CALL_TIMEOUT", timedelta(seconds=3))


@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.CUT_BEFORE,
        FaultKind.HTTP_500,
        "UNKNOWN_EXCEPTION",
        "REQUEST_TRAFFIC_EXCEED_LIMIT",
    ],
)
async def test_doubt_is_resolved_with_the_same_id_and_the_same_bytes(
    harness: Harness, fault: FaultKind | str
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, fault)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert harness.calls(order, CallKind.REFUND) == 2
    assert harness.payloads(order) == 1
    assert harness.movements(order) == 1


@pytest.mark.parametrize(
    "fault",
    [FaultKind.CUT_AFTER, FaultKind.UNSIGNED, FaultKind.WRONG_KEY, FaultKind.GARBLED],
)
async def test_doubt_about_an_executed_refund_is_resolved_by_inquiries(
    harness: Harness, fault: FaultKind
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, fault)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert harness.calls(order, CallKind.REFUND) == 1
    assert harness.movements(order) == 1


async def test_refunds_in_doubt_can_be_listed(unscaled_harness: Harness) -> None:
    harness = unscaled_harness
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    await harness.start(order)

    view = await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    assert view.result_code == "no_response"
    assert view.is_running
    assert not view.needs_attention
    dossier = await harness.refunds.dossier(order.refund_request_id)
    assert dossier.waits_for is Step.SEND


async def test_a_refund_that_was_not_sent_is_not_in_doubt(harness: Harness) -> None:
    order = harness.payable_order()
    harness.transport.is_down = True
    await harness.start(order)
    await harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    assert (await harness.view(order)).state is RefundState.REQUESTED
    harness.transport.is_down = False

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1


async def test_a_blocked_refund_continues_automatically_once_the_key_is_fixed(
    harness: Harness, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    order = harness.payable_order()
    harness.simulator.register(simulated_merchant(antom_keys[1]))
    await harness.start(order)

    view = await harness.until(order, lambda view: view.state is RefundState.BLOCKED)
    assert view.result_code == "INVALID_SIGNATURE"
    assert view.needs_attention
    harness.simulator.register(simulated_merchant(merchant_keys[1]))
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is None
    assert not (await harness.view(order)).needs_attention
    assert harness.movements(order) == 1


async def test_a_merchant_that_the_worker_does_not_serve_blocks_the_refund(
    idle_harness: Harness, short_calls: None
) -> None:
    order = await idle_harness.start(idle_harness.payable_order())

    async with idle_harness.workflow_worker():
        async with idle_harness.activity_worker({}):
            view = await idle_harness.until(order, lambda view: view.state is RefundState.BLOCKED)
            await idle_harness.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "next in")
        assert view.result_code == "merchant_not_configured"
        async with idle_harness.activity_worker({"default": idle_harness.antom}):
            outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_harness.movements(order) == 1


@pytest.mark.slow
async def test_a_gate_refusal_never_removes_doubt(
    harness: Harness, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *[FaultKind.CUT_AFTER] * 4)
    harness.script(order, Operation.INQUIRY, *[FaultKind.CUT_AFTER] * 4)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    harness.simulator.register(simulated_merchant(antom_keys[1]))
    view = await harness.until(order, lambda view: view.needs_attention)
    assert view.state is RefundState.IN_DOUBT
    harness.simulator.register(simulated_merchant(merchant_keys[1]))
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1
    assert harness.payloads(order) == 1


async def test_a_refund_that_an_inquiry_does_not_find_is_sent_again(harness: Harness) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, "REFUND_IN_PROCESS")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.INQUIRY) == 1
    assert harness.calls(order, CallKind.REFUND) == 2
    assert harness.payloads(order) == 1
    assert harness.movements(order) == 1


async def test_a_failed_inquiry_does_not_change_the_refund(harness: Harness) -> None:
    order = harness.payable_order(is_async=True)
    harness.script(order, Operation.INQUIRY, "PROCESS_FAIL", FaultKind.HTTP_500, FaultKind.STALE)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    await harness.until_called(order, CallKind.INQUIRY, times=2)

    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1


async def test_an_attempt_lost_with_its_worker_is_doubt(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "CALL_TIMEOUT", timedelta(seconds=1))
    order = harness.payable_order()
    harness.transport.hold()
    await harness.start(order)

    view = await harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)
    assert view.result_code == "worker_lost"
    lost = (await harness.refunds.dossier(order.refund_request_id)).entries[0].evidence
    assert "the worker was lost" in lost.message
    assert "an inquiry follows" in lost.advice
    harness.transport.release()
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.payloads(order) == 1
    assert harness.movements(order) == 1


async def test_a_worker_that_stops_with_a_call_in_flight_reports_doubt(
    idle_harness: Harness,
) -> None:
    order = await idle_harness.start(idle_harness.payable_order())
    idle_harness.transport.hold()

    async with idle_harness.workflow_worker():
        async with idle_harness.activity_worker({"default": idle_harness.antom}, grace=timedelta()):
            await idle_harness.transport.arrived.wait()
        view = await idle_harness.until(order, lambda view: view.state is RefundState.IN_DOUBT)
        assert view.result_code == "no_response"
        idle_harness.transport.release()
        async with idle_harness.activity_worker({"default": idle_harness.antom}):
            outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_harness.movements(order) == 1
    assert idle_harness.payloads(order) == 1


async def test_another_worker_takes_over_a_refund_in_process(
    idle_harness: Harness, short_calls: None
) -> None:
    order = await idle_harness.start(idle_harness.payable_order(is_async=True))
    async with idle_harness.running_worker():
        await idle_harness.until_called(order, CallKind.INQUIRY, times=6)
        await idle_harness.until_waiting(order)
    idle_harness.settle(order)

    async with idle_harness.running_worker():
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_harness.calls(order, CallKind.REFUND) == 1


async def test_a_worker_without_a_cache_reaches_the_same_terminal_state(
    idle_harness: Harness,
) -> None:
    immediate, in_doubt = idle_harness.payable_order(), idle_harness.payable_order()
    closed, notified = (
        idle_harness.payable_order(),
        idle_harness.payable_order(is_async=True, notify_url=NOTIFY_URL),
    )
    idle_harness.script(in_doubt, Operation.REFUND, FaultKind.CUT_AFTER)
    idle_harness.script(closed, Operation.REFUND, "ORDER_IS_CLOSED")

    async with idle_harness.running_worker(cached_workflows_max=0):
        for order in (immediate, in_doubt, closed, notified):
            await idle_harness.start(order)
        await idle_harness.until(notified, lambda view: view.state is RefundState.PROCESSING)
        idle_harness.settle(notified)
        ends = [
            await idle_harness.wait_for_outcome(order)
            for order in (immediate, in_doubt, closed, notified)
        ]

    assert [end.state for end in ends] == [
        RefundState.SUCCEEDED,
        RefundState.SUCCEEDED,
        RefundState.CLOSED,
        RefundState.SUCCEEDED,
    ]
    assert [idle_harness.movements(order) for order in (immediate, in_doubt, closed, notified)] == [
        1,
        1,
        0,
        1,
    ]
