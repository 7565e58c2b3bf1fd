"""Notifications late, twice, contradicting: the first last word stands, and a person is called."""

from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import FaultKind, Operation
from tests.engine import NOTIFY_URL, Stage


def notice(order: RefundOrder, word: Word, **changes: object) -> Evidence:
    return Evidence(
        source=Source.NOTICE,
        word=word,
        code="SUCCESS" if word is Word.SUCCEEDED else "PROCESS_FAIL",
        message=f"notified: {word}",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    ).model_copy(update=changes)


async def test_a_repeated_notification_is_stored_once(stage: Stage) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    stage.script(order, Operation.NOTIFY, FaultKind.REPEATED)
    stage.script(order, Operation.INQUIRY, *[FaultKind.STALE] * 100)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order)
    outcome = await stage.end(order)
    await stage.tally.until(2)

    assert outcome.state is RefundState.SUCCEEDED
    assert not outcome.is_contradicted
    assert await stage.signals(order) == 1


async def test_a_notification_after_the_end_changes_nothing(stage: Stage) -> None:
    order = await stage.start(stage.paid())
    before = await stage.end(order)
    events = await stage.events(order)

    delivery = await stage.notifications.deliver(
        order.refund_request_id, notice(order, Word.SUCCEEDED), delivery_id="late"
    )

    assert delivery is Delivery.ENDED
    assert await stage.end(order) == before
    assert await stage.events(order) == events


async def test_of_two_last_words_the_first_stands_and_a_person_is_called(
    idle_stage: Stage,
) -> None:
    order = await idle_stage.start(idle_stage.paid(is_async=True))
    async with idle_stage.working(cached_workflows_max=0):
        await idle_stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    for word in (Word.SUCCEEDED, Word.FAILED):
        delivery = await idle_stage.notifications.deliver(
            order.refund_request_id, notice(order, word), delivery_id=word.value
        )
        assert delivery is Delivery.DELIVERED

    async with idle_stage.working():
        outcome = await idle_stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.is_contradicted
    assert outcome.needs_human
    view = await idle_stage.view(order)
    assert (view.state, view.needs_human) == (RefundState.SUCCEEDED, True)


async def test_a_second_refund_id_is_a_contradiction(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.paid(is_async=True))
    async with idle_stage.working(cached_workflows_max=0):
        await idle_stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    for refund_id in ("2026_1", "2026_2"):
        await idle_stage.notifications.deliver(
            order.refund_request_id,
            notice(order, Word.SUCCEEDED, refund_id=refund_id),
            delivery_id=refund_id,
        )

    async with idle_stage.working():
        outcome = await idle_stage.end(order)

    assert outcome.refund_id == "2026_1"
    assert outcome.is_contradicted


async def test_a_notification_of_closure_is_confirmed_by_inquiry(stage: Stage) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order, SettlementOutcome.CLOSED)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.CLOSED
    assert outcome.needs_human
    assert stage.moved(order) == 0


async def test_a_forged_notification_is_never_heard(stage: Stage) -> None:
    order = stage.paid(is_async=True, notify_url=NOTIFY_URL)
    stage.script(order, Operation.NOTIFY, FaultKind.FORGED)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    stage.settle(order)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert (await stage.tally.until(1))[0] == "wrong_signature"
    assert not outcome.is_contradicted
