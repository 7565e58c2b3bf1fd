"""The client on a real Temporal server: repeated requests are one refund; errors are clear."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState, Step
from antom_refunds.errors import (
    InstructionRejectedError,
    RefundConflictError,
    RefundNotFoundError,
    RefundTerminatedError,
)
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

OPS = Instruction(by="ops", reason="the buyer asks")
NOWHERE = "rf_that_never_was"


def notification(order: RefundOrder, kind: EvidenceKind = EvidenceKind.SUCCEEDED) -> Evidence:
    return Evidence(
        source=Source.NOTIFICATION,
        kind=kind,
        code="SUCCESS",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )


async def test_two_requests_with_the_same_fields_are_one_refund(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())

    again = await harness.refunds.start(order)
    outcome = await harness.wait_for_outcome(order)
    after_the_end = await harness.refunds.start(order)

    assert not again.is_new
    assert not after_the_end.is_new
    assert again == after_the_end
    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1


async def test_a_new_refund_returns_its_workflow_and_run(idle_harness: Harness) -> None:
    order = idle_harness.order()
    started = await idle_harness.refunds.start(order)
    idle_harness.started.append(order.refund_request_id)

    assert started.is_new
    assert started.workflow_id == f"refund/default/{order.refund_request_id}"
    assert started.run_id == (await idle_harness.view(order)).run_id
    assert idle_harness.refunds.namespace == "default"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": Money(currency="EUR", minor=1)}, ("amount",)),
        ({"amount": Money(currency="USD", minor=1250)}, ("amount",)),
        ({"payment_id": "pay_other"}, ("payment_id",)),
        ({"reason": "because"}, ("reason",)),
        ({"payment_id": "pay_other", "capture_id": "cap_1"}, ("payment_id", "capture_id")),
    ],
)
async def test_an_id_used_with_other_fields_names_exactly_those(
    idle_harness: Harness, changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    order = await idle_harness.start(idle_harness.order())

    with pytest.raises(RefundConflictError) as conflict:
        await idle_harness.refunds.start(order.model_copy(update=changes))

    assert conflict.value.fields == fields
    assert ", ".join(fields) in str(conflict.value)
    assert order.refund_request_id in str(conflict.value)


async def test_a_field_that_is_left_out_the_second_time_is_another_refund(
    idle_harness: Harness,
) -> None:
    order = await idle_harness.start(idle_harness.order(reason="because"))

    with pytest.raises(RefundConflictError) as conflict:
        await idle_harness.refunds.start(order.model_copy(update={"reason": None}))

    assert conflict.value.fields == ("reason",)


async def test_twenty_concurrent_callers_get_one_refund(harness: Harness) -> None:
    order = harness.payable_order()
    harness.started.append(order.refund_request_id)

    started = await asyncio.gather(*(harness.refunds.start(order) for _ in range(20)))
    await harness.wait_for_outcome(order)

    assert sum(each.is_new for each in started) == 1
    assert len({each.run_id for each in started}) == 1
    assert harness.calls(order, CallKind.REFUND) == 1
    assert harness.movements(order) == 1


async def test_each_merchant_has_its_own_ids(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())
    other = order.model_copy(update={"merchant": "other"})

    started = await idle_harness.refunds.start(other)

    assert started.is_new
    view = await idle_harness.refunds.describe(order.refund_request_id, merchant="other")
    assert view.merchant == "other"
    await idle_harness.temporal.get_workflow_handle(started.workflow_id).terminate()


async def test_a_refund_without_an_end_has_no_outcome(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())

    outcome = await idle_harness.refunds.outcome(
        order.refund_request_id, wait=timedelta(milliseconds=50)
    )

    assert outcome is None


async def test_a_refund_is_described_while_no_worker_runs(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())

    view = await idle_harness.view(order)

    assert view.refund_request_id == order.refund_request_id
    assert view.payment_id == order.payment_id
    assert view.amount == order.amount
    assert (view.state, view.result_code, view.needs_attention) == (
        RefundState.REQUESTED,
        "none",
        False,
    )
    assert view.is_running
    assert view.ended_at is None
    assert view.overdue_at
    patience = idle_harness.policy.scaled_overdue_after
    assert abs(view.overdue_at - view.started_at - patience) < timedelta(seconds=30)


async def test_refunds_are_listed_by_every_filter(harness: Harness) -> None:
    payment_id = harness.order().payment_id
    ended = harness.payable_order(payment_id=payment_id)
    await harness.wait_for_outcome(await harness.start(ended))
    waiting = harness.order(payment_id=payment_id)
    harness.add_payment(waiting, is_async=True)
    await harness.start(waiting)

    async def listed(**kind: Any) -> set[str]:
        found = harness.refunds.list(payment_id=payment_id, **kind)
        return {view.refund_request_id async for view in found}

    async with asyncio.timeout(30):
        while await listed(state=RefundState.PROCESSING) != {waiting.refund_request_id}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await listed() == {ended.refund_request_id, waiting.refund_request_id}
    assert await listed(state=RefundState.SUCCEEDED) == {ended.refund_request_id}
    assert await listed(needs_attention=True) == set()
    assert await listed(merchant="default", needs_attention=False) == await listed()
    assert await listed(merchant="somebody's") == set()
    assert len([view async for view in harness.refunds.list(payment_id=payment_id, limit=1)]) == 1


async def test_the_dossier_contains_all_evidence(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    dossier = await harness.refunds.dossier(order.refund_request_id)

    assert dossier.refund.order == order
    assert dossier.waits_for is Step.POLL
    assert dossier.attention_reason is None
    assert [entry.evidence.kind for entry in dossier.entries] == [EvidenceKind.PROCESSING]


async def test_a_terminated_refund_is_not_failed(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())
    await idle_harness.handle(order).terminate("by mistake")

    with pytest.raises(RefundTerminatedError, match=r"before Antom's final result"):
        await idle_harness.refunds.outcome(order.refund_request_id)

    view = await idle_harness.view(order)
    assert not view.is_running
    assert view.state is RefundState.REQUESTED


async def test_a_terminated_refund_rejects_instructions_and_says_that_it_was_stopped(
    idle_harness: Harness,
) -> None:
    order = idle_harness.order()
    await idle_harness.refunds.start(order)
    await idle_harness.handle(order).terminate("by mistake")

    with pytest.raises(RefundTerminatedError, match="find out its result at Antom"):
        await idle_harness.refunds.check_now(
            order.refund_request_id, Instruction(by="ops", reason="it hangs")
        )


async def test_requesting_a_terminated_refund_again_says_that_it_was_stopped(
    idle_harness: Harness,
) -> None:
    order = await idle_harness.start(idle_harness.order())
    await idle_harness.handle(order).terminate("by mistake")

    with pytest.raises(RefundTerminatedError, match=order.refund_request_id):
        await idle_harness.refunds.start(order)


async def test_requesting_an_id_that_was_started_without_an_order_says_so(
    idle_harness: Harness,
) -> None:
    order = idle_harness.order()
    await idle_harness.temporal.start_workflow(
        contract.WORKFLOW,
        {"refund_request_id": order.refund_request_id},
        id=contract.workflow_id(order.refund_request_id, merchant=order.merchant),
        task_queue=contract.REFUNDS_QUEUE,
    )
    idle_harness.started.append(order.refund_request_id)

    with pytest.raises(
        RefundTerminatedError, match=f"{order.refund_request_id}.*not a refund order"
    ):
        await idle_harness.refunds.start(order)


async def test_a_refund_that_was_never_started_is_not_found(idle_harness: Harness) -> None:
    refunds = idle_harness.refunds
    resolution = Resolution(by="ops", reason="x", proof="y", state="failed")

    for call in (
        refunds.outcome(NOWHERE),
        refunds.describe(NOWHERE),
        refunds.dossier(NOWHERE),
        refunds.check_now(NOWHERE, OPS),
        refunds.resolve(NOWHERE, resolution),
        refunds.call_off(NOWHERE, OPS),
    ):
        with pytest.raises(RefundNotFoundError, match=NOWHERE):
            await call


async def test_an_instruction_that_comes_too_late_says_so(harness: Harness) -> None:
    order = await harness.start(harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    with pytest.raises(InstructionRejectedError, match=f"{order.refund_request_id}: too late"):
        await harness.refunds.call_off(order.refund_request_id, OPS)


async def test_an_ended_refund_rejects_instructions_and_says_so(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)

    with pytest.raises(InstructionRejectedError, match="is already succeeded"):
        await harness.refunds.check_now(order.refund_request_id, OPS)


async def test_a_notification_is_durable_once_it_is_delivered(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())

    for _ in range(3):
        delivery = await idle_harness.notifications.deliver(
            order.refund_request_id, notification(order), delivery_id="one"
        )
        assert delivery is Delivery.DELIVERED
    assert await idle_harness.signals(order) == 1

    await idle_harness.notifications.deliver(
        order.refund_request_id, notification(order), delivery_id="two"
    )
    assert await idle_harness.signals(order) == 2


async def test_a_notification_after_the_end_agrees_or_contradicts(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)

    async def notify(kind: EvidenceKind) -> Delivery:
        return await harness.notifications.deliver(
            order.refund_request_id, notification(order, kind), delivery_id=kind.value
        )

    assert await notify(EvidenceKind.SUCCEEDED) is Delivery.ALREADY_TERMINAL
    assert await notify(EvidenceKind.FAILED) is Delivery.CONFLICTS


async def test_a_notification_of_an_unknown_refund_says_so(idle_harness: Harness) -> None:
    order = idle_harness.order()

    delivery = await idle_harness.notifications.deliver(
        order.refund_request_id, notification(order), delivery_id="one"
    )

    assert delivery is Delivery.UNKNOWN


async def test_a_notification_of_a_terminated_refund_says_so(idle_harness: Harness) -> None:
    order = await idle_harness.start(idle_harness.order())
    await idle_harness.handle(order).terminate("by mistake")

    delivery = await idle_harness.notifications.deliver(
        order.refund_request_id, notification(order), delivery_id="one"
    )

    assert delivery is Delivery.TERMINATED


async def test_an_unreachable_temporal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(TemporalUnavailableError, match=r"127\.0\.0\.1:1.*TEMPORAL_ADDRESS"):
        await RefundClient.connect()


async def test_a_client_connects_to_the_address_in_the_environment(
    idle_harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await idle_harness.start(idle_harness.order())
    monkeypatch.setenv("TEMPORAL_ADDRESS", idle_harness.temporal.service_client.config.target_host)

    refunds = await RefundClient.connect()

    assert (await refunds.describe(order.refund_request_id)).state is RefundState.REQUESTED


async def test_names_that_others_rely_on_stay_as_they_are() -> None:
    assert contract.WORKFLOW == "Refund"
    assert contract.workflow_id("rf_1", merchant="shop") == "refund/shop/rf_1"
