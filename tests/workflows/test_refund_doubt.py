"""No answer, a strange answer, a lost worker: doubt is worked off and money moves once."""

from datetime import timedelta

import pytest

from antom_refunds import contract
from antom_refunds.domain import policy
from antom_refunds.domain.refund import RefundState, Step
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import NOTIFY_URL, KeyFiles, Stage, known_by


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that is lost between two workers is missed soon."""
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
async def test_doubt_is_worked_off_with_the_same_id_and_the_same_bytes(
    stage: Stage, fault: FaultKind | str
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, fault)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert stage.asked(order, CallKind.REFUND) == 2
    assert stage.payloads(order) == 1
    assert stage.moved(order) == 1


@pytest.mark.parametrize(
    "fault",
    [FaultKind.CUT_AFTER, FaultKind.UNSIGNED, FaultKind.WRONG_KEY, FaultKind.GARBLED],
)
async def test_doubt_about_a_refund_that_antom_made_is_settled_by_inquiries(
    stage: Stage, fault: FaultKind
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, fault)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert stage.asked(order, CallKind.REFUND) == 1
    assert stage.moved(order) == 1


async def test_doubt_can_be_filtered_by(calm_stage: Stage) -> None:
    stage = calm_stage
    order = stage.paid()
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER)
    await stage.start(order)

    view = await stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    assert view.result_code == "no_answer"
    assert view.is_running
    assert not view.needs_human
    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert dossier.waits_for is Step.ASK


async def test_what_was_never_sent_is_no_doubt(stage: Stage) -> None:
    order = stage.paid()
    stage.wire.is_down = True
    await stage.start(order)
    await stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "no connection")

    assert (await stage.view(order)).state is RefundState.REQUESTED
    stage.wire.is_down = False

    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 1


async def test_a_blocked_refund_goes_on_by_itself_once_the_key_is_mended(
    stage: Stage, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    order = stage.paid()
    stage.simulator.register(known_by(antom_keys[1]))
    await stage.start(order)

    view = await stage.until(order, lambda view: view.state is RefundState.BLOCKED)
    assert view.result_code == "INVALID_SIGNATURE"
    assert view.needs_human
    stage.simulator.register(known_by(merchant_keys[1]))
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.needs_human is None
    assert not (await stage.view(order)).needs_human
    assert stage.moved(order) == 1


async def test_a_merchant_that_the_worker_does_not_serve_blocks_the_refund(
    idle_stage: Stage, short_calls: None
) -> None:
    order = await idle_stage.start(idle_stage.paid())

    async with idle_stage.deciding():
        async with idle_stage.calling({}):
            view = await idle_stage.until(order, lambda view: view.state is RefundState.BLOCKED)
            await idle_stage.until_pending(order, contract.ACTIVITY_REQUEST_REFUND, "next in")
        assert view.result_code == "merchant_not_configured"
        async with idle_stage.calling({"default": idle_stage.antom}):
            outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_stage.moved(order) == 1


async def test_a_refusal_at_the_gate_never_lowers_doubt(
    stage: Stage, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *[FaultKind.CUT_AFTER] * 4)
    stage.script(order, Operation.INQUIRY, *[FaultKind.CUT_AFTER] * 4)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    stage.simulator.register(known_by(antom_keys[1]))
    view = await stage.until(order, lambda view: view.needs_human)
    assert view.state is RefundState.IN_DOUBT
    stage.simulator.register(known_by(merchant_keys[1]))
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1
    assert stage.payloads(order) == 1


async def test_a_refund_that_an_inquiry_does_not_know_is_asked_for_again(stage: Stage) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, "REFUND_IN_PROCESS")

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.INQUIRY) == 1
    assert stage.asked(order, CallKind.REFUND) == 2
    assert stage.payloads(order) == 1
    assert stage.moved(order) == 1


async def test_a_failed_inquiry_says_nothing_of_the_refund(stage: Stage) -> None:
    order = stage.paid(is_async=True)
    stage.script(order, Operation.INQUIRY, "PROCESS_FAIL", FaultKind.HTTP_500, FaultKind.STALE)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    await stage.until_asked(order, CallKind.INQUIRY, times=2)

    stage.settle(order)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 1


async def test_an_attempt_lost_with_its_worker_is_doubt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "CALL_TIMEOUT", timedelta(seconds=1))
    order = stage.paid()
    stage.wire.hold()
    await stage.start(order)

    view = await stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)
    assert view.result_code == "worker_lost"
    stage.wire.let_go()
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.payloads(order) == 1
    assert stage.moved(order) == 1


async def test_a_worker_that_stops_with_a_call_in_the_air_reports_doubt(
    idle_stage: Stage,
) -> None:
    order = await idle_stage.start(idle_stage.paid())
    idle_stage.wire.hold()

    async with idle_stage.deciding():
        async with idle_stage.calling({"default": idle_stage.antom}, grace=timedelta()):
            await idle_stage.wire.arrived.wait()
        view = await idle_stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)
        assert view.result_code == "no_answer"
        idle_stage.wire.let_go()
        async with idle_stage.calling({"default": idle_stage.antom}):
            outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_stage.moved(order) == 1
    assert idle_stage.payloads(order) == 1


async def test_another_worker_takes_over_a_refund_in_process(
    idle_stage: Stage, short_calls: None
) -> None:
    order = await idle_stage.start(idle_stage.paid(is_async=True))
    async with idle_stage.working():
        await idle_stage.until_asked(order, CallKind.INQUIRY, times=6)
        await idle_stage.until_at_rest(order)
    idle_stage.settle(order)

    async with idle_stage.working():
        outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert idle_stage.asked(order, CallKind.REFUND) == 1


async def test_a_worker_that_forgets_each_refund_brings_it_to_the_same_end(
    idle_stage: Stage,
) -> None:
    at_once, doubtful = idle_stage.paid(), idle_stage.paid()
    closed, notified = idle_stage.paid(), idle_stage.paid(is_async=True, notify_url=NOTIFY_URL)
    idle_stage.script(doubtful, Operation.REFUND, FaultKind.CUT_AFTER)
    idle_stage.script(closed, Operation.REFUND, "ORDER_IS_CLOSED")

    async with idle_stage.working(cached_workflows_max=0):
        for order in (at_once, doubtful, closed, notified):
            await idle_stage.start(order)
        await idle_stage.until(notified, lambda view: view.state is RefundState.PROCESSING)
        idle_stage.settle(notified)
        ends = [await idle_stage.end(order) for order in (at_once, doubtful, closed, notified)]

    assert [end.state for end in ends] == [
        RefundState.SUCCEEDED,
        RefundState.SUCCEEDED,
        RefundState.CLOSED,
        RefundState.SUCCEEDED,
    ]
    assert [idle_stage.moved(order) for order in (at_once, doubtful, closed, notified)] == [
        1,
        1,
        0,
        1,
    ]
