"""A refund whose workflow was stopped accepts no notification; the log reports it as an error."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from antom_refunds import contract, late_evidence, webhook
from antom_refunds.domain.order import RefundOrder
from antom_refunds.errors import RefundTerminatedError
from tests.harness import TEST_TIMEOUT, WEBHOOK_PATH, Harness, KeyFiles
from tests.webhook.notifications import ACKNOWLEDGED, headers, notification_body


@workflow.defn(name="Stoppable", sandboxed=False)
class Stoppable:
    """A workflow that, unlike a refund, can be stopped in every way that Temporal has."""

    @workflow.run
    async def run(self, ends_by: str) -> None:
        if ends_by == "failure":
            raise ApplicationError("broken")
        await workflow.wait_condition(lambda: False)


async def _terminated(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.terminate("an operator's mistake")


async def _canceled(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.cancel()


async def _by_itself(_: WorkflowHandle[Any, Any]) -> None:
    return


STOPS: dict[str, Callable[[WorkflowHandle[Any, Any]], Awaitable[None]]] = {
    "terminated": _terminated,
    "canceled": _canceled,
    "failure": _by_itself,
    "timed out": _by_itself,
}


@pytest.fixture(params=STOPS)
async def stopped(
    request: pytest.FixtureRequest, idle_harness: Harness
) -> AsyncIterator[RefundOrder]:
    """A refund whose workflow was stopped without an outcome."""
    order, queue = idle_harness.order(), f"stoppable-{uuid4().hex[:8]}"
    worker = Worker(
        idle_harness.temporal,
        task_queue=queue,
        workflows=[Stoppable],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        handle = await idle_harness.temporal.start_workflow(
            "Stoppable",
            request.param,
            id=contract.workflow_id(order.refund_request_id, merchant="default"),
            task_queue=queue,
            execution_timeout=timedelta(seconds=1)
            if request.param == "timed out"
            else TEST_TIMEOUT,
        )
        await STOPS[request.param](handle)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        yield order


async def test_its_notification_is_acknowledged_logged_and_reported(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    stopped: RefundOrder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = notification_body(stopped)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert idle_harness.outcomes.outcomes == ["terminated"]
    by_name = {record.name: record for record in caplog.records}
    kept, late = by_name[webhook.__name__], by_name[late_evidence.__name__]
    assert (kept.levelno, kept.message) == (logging.ERROR, "notification.terminated")
    assert kept.__dict__["notification"] == body.decode()
    assert (late.levelno, late.message) == (logging.ERROR, "late_evidence.workflow_stopped")


async def test_requesting_it_again_says_that_it_was_stopped(
    idle_harness: Harness, stopped: RefundOrder
) -> None:
    with pytest.raises(RefundTerminatedError):
        await idle_harness.refunds.start(stopped)
