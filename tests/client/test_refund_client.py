"""The client on a real engine: one refund however often it is asked for, and plain errors."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.delivery import Delivery
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState, Step
from antom_refunds.errors import (
    InstructionRefusedError,
    RefundAbandonedError,
    RefundConflictError,
    RefundNotFoundError,
)
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage

OPS = Instruction(by="ops", reason="the buyer asks")
NOWHERE = "rf_that_never_was"


def notice(order: RefundOrder, word: Word = Word.SUCCEEDED) -> Evidence:
    return Evidence(
        source=Source.NOTICE,
        word=word,
        code="SUCCESS",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )


async def test_asking_twice_with_the_same_fields_is_one_refund(stage: Stage) -> None:
    order = await stage.start(stage.paid())

    again = await stage.refunds.start(order)
    outcome = await stage.end(order)
    after_the_end = await stage.refunds.start(order)

    assert not again.is_new
    assert not after_the_end.is_new
    assert again == after_the_end
    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 1


async def test_a_new_refund_says_where_it_runs(idle_stage: Stage) -> None:
    order = idle_stage.order()
    started = await idle_stage.refunds.start(order)
    idle_stage.started.append(order.refund_request_id)

    assert started.is_new
    assert started.workflow_id == f"refund/default/{order.refund_request_id}"
    assert started.run_id == (await idle_stage.view(order)).run_id
    assert idle_stage.refunds.namespace == "default"


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
async def test_an_id_taken_by_other_fields_names_exactly_those(
    idle_stage: Stage, changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    order = await idle_stage.start(idle_stage.order())

    with pytest.raises(RefundConflictError) as conflict:
        await idle_stage.refunds.start(order.model_copy(update=changes))

    assert conflict.value.fields == fields
    assert ", ".join(fields) in str(conflict.value)
    assert order.refund_request_id in str(conflict.value)


async def test_a_field_that_is_left_out_the_second_time_is_another_refund(
    idle_stage: Stage,
) -> None:
    order = await idle_stage.start(idle_stage.order(reason="because"))

    with pytest.raises(RefundConflictError) as conflict:
        await idle_stage.refunds.start(order.model_copy(update={"reason": None}))

    assert conflict.value.fields == ("reason",)


async def test_twenty_callers_at_once_get_one_refund(stage: Stage) -> None:
    order = stage.paid()
    stage.started.append(order.refund_request_id)

    started = await asyncio.gather(*(stage.refunds.start(order) for _ in range(20)))
    await stage.end(order)

    assert sum(each.is_new for each in started) == 1
    assert len({each.run_id for each in started}) == 1
    assert stage.asked(order, CallKind.REFUND) == 1
    assert stage.moved(order) == 1


async def test_merchants_have_ids_of_their_own(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())
    other = order.model_copy(update={"merchant": "other"})

    started = await idle_stage.refunds.start(other)

    assert started.is_new
    view = await idle_stage.refunds.describe(order.refund_request_id, merchant="other")
    assert view.merchant == "other"
    await idle_stage.temporal.get_workflow_handle(started.workflow_id).terminate()


async def test_a_refund_without_an_end_has_no_outcome(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())

    outcome = await idle_stage.refunds.outcome(
        order.refund_request_id, wait=timedelta(milliseconds=50)
    )

    assert outcome is None


async def test_a_refund_is_described_while_no_worker_runs(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())

    view = await idle_stage.view(order)

    assert view.refund_request_id == order.refund_request_id
    assert view.payment_id == order.payment_id
    assert view.amount == order.amount
    assert (view.state, view.result_code, view.needs_human) == (
        RefundState.REQUESTED,
        "none",
        False,
    )
    assert view.is_running
    assert view.ended_at is None
    assert view.due_at
    patience = idle_stage.policy.patience
    assert abs(view.due_at - view.started_at - patience) < timedelta(seconds=30)


async def test_refunds_are_listed_by_what_operators_ask_for(stage: Stage) -> None:
    payment_id = stage.order().payment_id
    ended = stage.paid(payment_id=payment_id)
    await stage.end(await stage.start(ended))
    waiting = stage.order(payment_id=payment_id)
    stage.pay(waiting, is_async=True)
    await stage.start(waiting)

    async def listed(**kind: Any) -> set[str]:
        found = stage.refunds.list(payment_id=payment_id, **kind)
        return {view.refund_request_id async for view in found}

    async with asyncio.timeout(30):
        while await listed(state=RefundState.PROCESSING) != {waiting.refund_request_id}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await listed() == {ended.refund_request_id, waiting.refund_request_id}
    assert await listed(state=RefundState.SUCCEEDED) == {ended.refund_request_id}
    assert await listed(needs_human=True) == set()
    assert await listed(merchant="default", needs_human=False) == await listed()
    assert await listed(merchant="somebody's") == set()
    assert len([view async for view in stage.refunds.list(payment_id=payment_id, limit=1)]) == 1


async def test_the_dossier_tells_the_whole_story(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    dossier = await stage.refunds.dossier(order.refund_request_id)

    assert dossier.refund.order == order
    assert dossier.waits_for is Step.WATCH
    assert dossier.human_reason is None
    assert [entry.evidence.word for entry in dossier.entries] == [Word.PROCESSING]


async def test_a_terminated_refund_is_abandoned_and_not_failed(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())
    await idle_stage.handle(order).terminate("by mistake")

    with pytest.raises(RefundAbandonedError, match=r"before Antom's last word"):
        await idle_stage.refunds.outcome(order.refund_request_id)

    view = await idle_stage.view(order)
    assert not view.is_running
    assert view.state is RefundState.REQUESTED


async def test_a_terminated_refund_takes_no_instructions_and_says_that_it_was_stopped(
    idle_stage: Stage,
) -> None:
    order = idle_stage.order()
    await idle_stage.refunds.start(order)
    await idle_stage.handle(order).terminate("by mistake")

    with pytest.raises(RefundAbandonedError, match="ask Antom"):
        await idle_stage.refunds.check_now(
            order.refund_request_id, Instruction(by="ops", reason="it hangs")
        )


async def test_asking_again_for_a_terminated_refund_says_that_it_was_stopped(
    idle_stage: Stage,
) -> None:
    order = await idle_stage.start(idle_stage.order())
    await idle_stage.handle(order).terminate("by mistake")

    with pytest.raises(RefundAbandonedError, match=order.refund_request_id):
        await idle_stage.refunds.start(order)


async def test_asking_for_an_id_that_was_started_with_no_order_says_so(idle_stage: Stage) -> None:
    order = idle_stage.order()
    await idle_stage.temporal.start_workflow(
        contract.WORKFLOW,
        {"refund_request_id": order.refund_request_id},
        id=contract.workflow_id(order.refund_request_id, merchant=order.merchant),
        task_queue=contract.REFUNDS_QUEUE,
    )
    idle_stage.started.append(order.refund_request_id)

    with pytest.raises(RefundAbandonedError, match=f"{order.refund_request_id}.*no refund order"):
        await idle_stage.refunds.start(order)


async def test_what_was_never_started_is_not_found(idle_stage: Stage) -> None:
    refunds = idle_stage.refunds
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


async def test_an_instruction_that_comes_too_late_says_so(stage: Stage) -> None:
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)

    with pytest.raises(InstructionRefusedError, match=f"{order.refund_request_id}: too late"):
        await stage.refunds.call_off(order.refund_request_id, OPS)


async def test_an_ended_refund_takes_no_instructions_and_says_so(stage: Stage) -> None:
    order = await stage.start(stage.paid())
    await stage.end(order)

    with pytest.raises(InstructionRefusedError, match="has ended: it is succeeded"):
        await stage.refunds.check_now(order.refund_request_id, OPS)


async def test_a_notification_is_durable_once_it_is_delivered(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())

    for _ in range(3):
        delivery = await idle_stage.notifications.deliver(
            order.refund_request_id, notice(order), delivery_id="one"
        )
        assert delivery is Delivery.DELIVERED
    assert await idle_stage.signals(order) == 1

    await idle_stage.notifications.deliver(
        order.refund_request_id, notice(order), delivery_id="two"
    )
    assert await idle_stage.signals(order) == 2


async def test_a_notification_after_the_end_agrees_or_contradicts(stage: Stage) -> None:
    order = await stage.start(stage.paid())
    await stage.end(order)

    async def told(word: Word) -> Delivery:
        return await stage.notifications.deliver(
            order.refund_request_id, notice(order, word), delivery_id=word.value
        )

    assert await told(Word.SUCCEEDED) is Delivery.ENDED
    assert await told(Word.FAILED) is Delivery.CONTRADICTS


async def test_a_notification_of_an_unknown_refund_says_so(idle_stage: Stage) -> None:
    order = idle_stage.order()

    delivery = await idle_stage.notifications.deliver(
        order.refund_request_id, notice(order), delivery_id="one"
    )

    assert delivery is Delivery.UNKNOWN


async def test_a_notification_of_an_abandoned_refund_says_so(idle_stage: Stage) -> None:
    order = await idle_stage.start(idle_stage.order())
    await idle_stage.handle(order).terminate("by mistake")

    delivery = await idle_stage.notifications.deliver(
        order.refund_request_id, notice(order), delivery_id="one"
    )

    assert delivery is Delivery.ABANDONED


async def test_an_unreachable_temporal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(TemporalUnavailableError, match=r"127\.0\.0\.1:1.*TEMPORAL_ADDRESS"):
        await RefundClient.connect()


async def test_a_client_connects_where_the_environment_says(
    idle_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await idle_stage.start(idle_stage.order())
    monkeypatch.setenv("TEMPORAL_ADDRESS", idle_stage.temporal.service_client.config.target_host)

    refunds = await RefundClient.connect()

    assert (await refunds.describe(order.refund_request_id)).state is RefundState.REQUESTED


async def test_names_that_others_rely_on_stay_as_they_are() -> None:
    assert contract.WORKFLOW == "Refund"
    assert contract.workflow_id("rf_1", merchant="shop") == "refund/shop/rf_1"
