"""A refund started without our library behaves as one that our client started."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from antom_refunds import RefundConflictError, RefundView, contract
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.requests import CallKind
from tests.harness import TEST_TIMEOUT, Harness
from tests.interop.callers import Caller, CallFailedError

OTHER_AMOUNT = Money(currency="EUR", minor=1300)
BY_OPS = json.dumps({"by": "ops", "reason": "the buyer asks"})


def workflow_id_of(order: RefundOrder) -> str:
    return contract.workflow_id(order.refund_request_id, merchant=order.merchant)


async def started(harness: Harness, caller: Caller, order: RefundOrder) -> RefundOrder:
    await caller.start(workflow_id_of(order), order.model_dump_json(exclude_none=True))
    harness.started.append(order.refund_request_id)
    return order


async def listed(harness: Harness, order: RefundOrder, state: RefundState) -> RefundView:
    """Wait until the list, which may lag and has no event, shows the refund."""
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while True:
            found = harness.refunds.list(payment_id=order.payment_id, state=state)
            async for view in found:
                return view
            await asyncio.sleep(0.02)


async def test_a_refund_that_another_caller_started_succeeds_and_moves_money_once(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order())

    outcome = await harness.wait_for_outcome(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_another_caller_reads_the_result(harness: Harness, caller: Caller) -> None:
    order = await started(harness, caller, harness.payable_order())

    result = await caller.result(workflow_id_of(order))

    assert contract.RefundOutcome.model_validate(result) == await harness.wait_for_outcome(order)


async def test_operators_see_every_field_of_a_refund_that_another_caller_started(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order())
    await harness.wait_for_outcome(order)

    view = await harness.view(order)

    assert view.payment_id == order.payment_id
    assert view.merchant == order.merchant
    assert view.amount == order.amount
    assert view.state is RefundState.SUCCEEDED
    assert view.overdue_at is not None
    assert view.overdue_at > view.started_at


async def test_the_list_shows_every_field_of_a_refund_that_another_caller_started(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order(is_async=True))

    view = await listed(harness, order, RefundState.PROCESSING)

    assert view.refund_request_id == order.refund_request_id
    assert view.merchant == order.merchant
    assert view.amount == order.amount
    assert view.overdue_at is not None


async def test_our_client_joins_a_refund_that_another_caller_started(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order(reason="returned goods"))

    again = await harness.refunds.start(order)

    assert not again.is_new
    assert again.workflow_id == workflow_id_of(order)
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_fields_left_out_and_fields_at_their_default_are_the_same_refund(
    harness: Harness, caller: Caller
) -> None:
    order = harness.payable_order()
    await caller.start(workflow_id_of(order), order.model_dump_json())
    harness.started.append(order.refund_request_id)

    again = await harness.refunds.start(order)

    assert not again.is_new


async def test_other_fields_under_an_id_of_another_caller_are_rejected(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order())

    with pytest.raises(RefundConflictError, match="another amount"):
        await harness.refunds.start(order.model_copy(update={"amount": OTHER_AMOUNT}))


async def test_another_caller_cannot_start_a_refund_twice(harness: Harness, caller: Caller) -> None:
    order = await started(harness, caller, harness.payable_order())
    await harness.wait_for_outcome(order)

    with pytest.raises(CallFailedError, match="already"):
        await started(harness, caller, order)

    assert harness.movements(order) == 1


async def test_a_caller_that_allows_duplicates_still_moves_money_once(harness: Harness) -> None:
    order = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)

    again = await harness.temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=workflow_id_of(order),
        task_queue=contract.REFUNDS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        result_type=contract.RefundOutcome,
    )

    assert (await again.result()).state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_another_caller_sends_check_now_and_reads_the_dossier(
    harness: Harness, caller: Caller
) -> None:
    order = await started(harness, caller, harness.payable_order(is_async=True))
    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)

    reply = await caller.update(workflow_id_of(order), contract.UPDATE_CHECK_NOW, BY_OPS)
    dossier = await caller.query(workflow_id_of(order), contract.QUERY_DOSSIER)

    assert reply
    assert RefundOrder.model_validate(dossier["refund"]["order"]) == order


@pytest.fixture
async def wrong_id(harness: Harness) -> AsyncIterator[str]:
    """A workflow id for a start that must fail; terminated if it did not."""
    workflow_id = workflow_id_of(harness.order())
    yield workflow_id
    handle = harness.temporal.get_workflow_handle(workflow_id)
    if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        await handle.terminate("the test is over")


async def complaint_about(harness: Harness, workflow_id: str) -> str:
    """The error of the failed run; fails the test if the run continues."""
    handle = harness.temporal.get_workflow_handle(workflow_id)
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), timedelta(seconds=15).total_seconds())
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.message


def order_json(workflow_id: str, **changes: object) -> str:
    """The order that belongs to the id; a field that is changed to None is left out."""
    fields = {
        "refund_request_id": workflow_id.rsplit("/", maxsplit=1)[-1],
        "payment_id": "pay_wrong_input",
        "amount": {"currency": "EUR", "minor": 1250},
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payment_id": None}, "payment_id"),
        ({"amount": None}, "amount"),
        ({"colour": "red"}, "colour"),
        ({"amount": {"currency": "EUR", "minor": "12.50"}}, "amount.minor"),
        ({"amount": {"currency": "EUR", "minor": 0}}, "amount"),
        ({"reason": "x" * 257}, "reason"),
    ],
    ids=["missing field", "no amount", "unknown field", "text", "nothing", "too long"],
)
async def test_an_invalid_order_fails_immediately_and_names_the_field(
    harness: Harness, caller: Caller, wrong_id: str, changes: dict[str, object], field: str
) -> None:
    await caller.start(wrong_id, order_json(wrong_id, **changes))

    error = await complaint_about(harness, wrong_id)

    assert f"{field}: " in error
    assert "\n" not in error


@pytest.mark.parametrize("wrong", ["two", "none", "null", "text", "list"])
async def test_any_other_input_fails_immediately_with_a_message(
    harness: Harness, caller: Caller, wrong_id: str, wrong: str
) -> None:
    order = order_json(wrong_id)
    arguments = {
        "two": [order, order],
        "none": [],
        "null": ["null"],
        "text": ['"refund it"'],
        "list": [f"[{order}]"],
    }
    await caller.start(wrong_id, *arguments[wrong])

    error = await complaint_about(harness, wrong_id)

    assert "order" in error
    assert "\n" not in error


async def test_an_order_of_another_id_fails_immediately_and_names_the_right_id(
    harness: Harness, caller: Caller, wrong_id: str
) -> None:
    order = harness.payable_order()
    await caller.start(wrong_id, order.model_dump_json())

    error = await complaint_about(harness, wrong_id)

    assert workflow_id_of(order) in error
    assert harness.calls(order, CallKind.REFUND) == 0


async def test_an_order_of_another_merchant_fails_immediately_and_names_the_right_id(
    harness: Harness, caller: Caller, wrong_id: str
) -> None:
    await caller.start(wrong_id, order_json(wrong_id, merchant="kiosk"))

    error = await complaint_about(harness, wrong_id)

    assert wrong_id.replace("/default/", "/kiosk/") in error
