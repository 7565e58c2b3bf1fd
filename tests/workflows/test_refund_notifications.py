"""Late, repeated and contradicting notifications: the first final result wins."""

from antom_refunds.delivery import Delivery
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import FaultKind, Operation
from tests.harness import NOTIFY_URL, Harness


def notification(order: RefundOrder, kind: EvidenceKind, **changes: object) -> Evidence:
    return Evidence(
        source=Source.NOTIFICATION,
        kind=kind,
        code="SUCCESS" if kind is EvidenceKind.SUCCEEDED else "PROCESS_FAIL",
        message=f"notified: {kind}",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    ).model_copy(update=changes)


async def test_a_repeated_notification_is_stored_once(harness: Harness) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    harness.script(order, Operation.NOTIFY, FaultKind.REPEATED)
    harness.script(order, Operation.INQUIRY, *[FaultKind.STALE] * 100)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    harness.settle(order)
    outcome = await harness.wait_for_outcome(order)
    await harness.outcomes.until(2)

    assert outcome.state is RefundState.SUCCEEDED
    assert not outcome.is_contradicted
    assert await harness.signals(order) == 1


async def test_a_notification_after_the_end_changes_nothing(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())
    before = await harness.wait_for_outcome(order)
    events = await harness.events(order)

    delivery = await harness.notifications.deliver(
        order.refund_request_id, notification(order, EvidenceKind.SUCCEEDED), delivery_id="late"
    )

    assert delivery is Delivery.ALREADY_TERMINAL
    assert await harness.wait_for_outcome(order) == before
    assert await harness.events(order) == events


async def test_the_first_final_result_wins_and_an_operator_is_alerted(
    idle_harness: Harness,
) -> None:
    order = await idle_harness.start(idle_harness.payable_order(is_async=True))
    async with idle_harness.running_worker(cached_workflows_max=0):
        await idle_harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    for kind in (EvidenceKind.SUCCEEDED, EvidenceKind.FAILED):
        delivery = await idle_harness.notifications.deliver(
            order.refund_request_id, notification(order, kind), delivery_id=kind.value
        )
        assert delivery is Delivery.DELIVERED

    async with idle_harness.running_worker():
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.is_contradicted
    assert outcome.attention_reason
    assert (await idle_harness.view(order)).state is RefundState.SUCCEEDED
    async with idle_harness.running_worker():
        assert (await idle_harness.until_case(order, CaseKind.CONTRADICTION)).is_in_inbox


async def test_a_second_refund_id_is_a_contradiction(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.payable_order(is_async=True))
    async with idle_harness.running_worker(cached_workflows_max=0):
        await idle_harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    for refund_id in ("2026_1", "2026_2"):
        await idle_harness.notifications.deliver(
            order.refund_request_id,
            notification(order, EvidenceKind.SUCCEEDED, refund_id=refund_id),
            delivery_id=refund_id,
        )

    async with idle_harness.running_worker():
        outcome = await idle_harness.wait_for_outcome(order)

    assert outcome.refund_id == "2026_1"
    assert outcome.is_contradicted


async def test_a_notification_of_closure_is_confirmed_by_inquiry(harness: Harness) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    harness.settle(order, SettlementOutcome.CLOSED)
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.CLOSED
    assert outcome.attention_reason
    assert harness.movements(order) == 0


async def test_a_forged_notification_is_never_applied(harness: Harness) -> None:
    order = harness.payable_order(is_async=True, notify_url=NOTIFY_URL)
    harness.script(order, Operation.NOTIFY, FaultKind.FORGED)
    await harness.start(order)
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    harness.settle(order)
    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert (await harness.outcomes.until(1))[0] == "wrong_signature"
    assert not outcome.is_contradicted
