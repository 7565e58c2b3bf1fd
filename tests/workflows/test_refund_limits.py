"""What automation sends by the thousand locks neither an operator nor a notification out."""

import asyncio
from uuid import uuid4

import pytest
from temporalio.client import WorkflowExecutionStatus

from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain import policy
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import NOTIFY_URL, Stage

OPS = Instruction(by="automation", reason="every second")
PROOF = Resolution(by="ops", reason="ticket", proof="ticket 4", state="succeeded")


@pytest.fixture
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run hands over after few events."""
    monkeypatch.setattr(policy, "HISTORY_EVENTS_MAX", 60)


async def run_ids(stage: Stage, workflow_id: str) -> set[str]:
    runs = stage.temporal.list_workflows(f"WorkflowId = '{workflow_id}'")
    return {run.run_id async for run in runs}


async def test_a_long_history_goes_on_in_a_new_run_with_everything_known(
    stage: Stage, short_histories: None
) -> None:
    order = await stage.start(stage.paid(is_async=True, notify_url=NOTIFY_URL))
    first = (await stage.until(order, lambda view: view.state is RefundState.PROCESSING)).run_id
    for _ in range(40):
        await stage.refunds.check_now(order.refund_request_id, OPS)

    view = await stage.until(order, lambda view: view.run_id != first)
    stage.settle(order)
    outcome = await stage.end(order)

    assert view.state is RefundState.PROCESSING
    assert view.payment_id == order.payment_id
    assert view.due_at
    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.REFUND) == 1
    assert not (await stage.refunds.start(order)).is_new
    dossier = await stage.refunds.dossier(order.refund_request_id)
    assert len(dossier.entries) >= 2


async def test_doubt_goes_on_in_a_new_run_with_the_same_bytes(
    stage: Stage, short_histories: None
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *[FaultKind.HTTP_500] * 3)
    stage.script(order, Operation.INQUIRY, *[FaultKind.HTTP_500] * 40)
    await stage.start(order)
    await stage.until(order, lambda view: view.state is RefundState.IN_DOUBT)

    for _ in range(15):
        await stage.refunds.check_now(order.refund_request_id, OPS)
    outcome = await stage.end(order)

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.payloads(order) == 1
    assert stage.moved(order) == 1


async def test_an_operator_can_resolve_after_thousands_of_signals_and_updates(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "HISTORY_EVENTS_MAX", 300)
    order = await stage.start(stage.paid(is_async=True))
    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    handle = stage.handle(order)
    for _ in range(20):
        await asyncio.gather(*(handle.signal("notify", uuid4().hex) for _ in range(50)))

    said = await stage.refunds.resolve(order.refund_request_id, PROOF)

    assert "succeeded" in said
    assert (await stage.end(order)).state is RefundState.SUCCEEDED
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
