"""What opens a case: a refund that ends in need of it, late evidence, a stopped workflow."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from antom_refunds import attributes, contract
from antom_refunds.case_watch import CaseWatch
from antom_refunds.cases import CaseClient
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import CaseKind, CaseState, ExternalRefunds
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import CaseNotFoundError
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.faults import Operation
from antom_refunds.webhook.notification import RefundEvidence, parse_notification
from tests.cases.inbox import until_inbox
from tests.harness import TEST_TIMEOUT, WEBHOOK_PATH, Harness
from tests.webhook.notifications import ACKNOWLEDGED, headers, notification_body

FAILURE = {"result": {"resultCode": "PROCESS_FAIL", "resultStatus": "F"}, "refundStatus": "FAIL"}


async def ended_with(harness: Harness, code: str) -> RefundOrder:
    """A refund that Antom refused with this code, and an inquiry confirmed it."""
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, code)
    await harness.start(order)
    assert (await harness.wait_for_outcome(order)).state is RefundState.FAILED
    return order


async def notify(
    harness: Harness, antom_keys: tuple[Path, Path], order: RefundOrder, **changes: object
) -> None:
    body = notification_body(order, **changes)
    response = await harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)
    assert response.content == ACKNOWLEDGED


async def test_a_refund_that_ends_in_need_of_attention_is_handed_over_to_a_case(
    harness: Harness,
) -> None:
    order = await ended_with(harness, "RISK_REJECT")

    case = await harness.until_case(order, CaseKind.NEEDS_ATTENTION)
    described = await harness.case_handle(
        CaseKind.NEEDS_ATTENTION, order.refund_request_id
    ).describe()

    assert (case.subject.payment_id, case.subject.amount) == (order.payment_id, order.amount)
    assert case.latest is not None
    assert case.latest.evidence is not None
    assert case.latest.evidence.code == "RISK_REJECT"
    assert "the refund is failed" in case.latest.text
    assert described.parent_id == f"refund/default/{order.refund_request_id}"
    await until_inbox(harness, order, {case_id(order, CaseKind.NEEDS_ATTENTION)})


async def test_a_refund_that_ends_well_opens_no_case(harness: Harness) -> None:
    order = await ended_with(harness, "REFUND_AMOUNT_EXCEED")

    with pytest.raises(CaseNotFoundError):
        await CaseClient(harness.temporal).show(case_id(order, CaseKind.NEEDS_ATTENTION))


async def test_a_contradiction_after_the_end_opens_a_case_and_its_repetition_joins_it(
    harness: Harness, antom_keys: tuple[Path, Path]
) -> None:
    order = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)

    for _ in range(3):
        await notify(harness, antom_keys, order, **FAILURE)
    case = await harness.until_case(order, CaseKind.CONTRADICTION)

    assert len(case.findings) == 1
    assert "the refund is succeeded, but the notification says" in case.findings[0].finding.text
    await until_inbox(harness, order, {case_id(order, CaseKind.CONTRADICTION)})


async def test_a_notification_of_an_unknown_refund_opens_a_case(
    harness: Harness, antom_keys: tuple[Path, Path]
) -> None:
    order = harness.order()
    harness.cases.append(order.refund_request_id)

    await notify(harness, antom_keys, order)
    case = await harness.until_case(order, CaseKind.EXTERNAL_REFUND)

    assert case.subject.amount == order.amount
    assert case.latest is not None
    assert "does not run here" in case.latest.text


@pytest.mark.parametrize(
    ("external_refunds", "state"),
    [(ExternalRefunds.RECORD, CaseState.CLOSED), (ExternalRefunds.IGNORE, None)],
)
async def test_the_settings_may_record_or_ignore_external_refunds(
    harness: Harness, external_refunds: ExternalRefunds, state: CaseState | None
) -> None:
    order = harness.order()
    delivery = NotificationDelivery(
        harness.temporal, external_refunds={"default": external_refunds}
    )
    parsed = parse_notification(notification_body(order))
    assert isinstance(parsed, RefundEvidence)

    await delivery.deliver(order.refund_request_id, parsed.evidence, delivery_id="a" * 64)

    if state is None:
        with pytest.raises(CaseNotFoundError):
            await CaseClient(harness.temporal).show(case_id(order, CaseKind.EXTERNAL_REFUND))
    else:
        case = await harness.until_case(order, CaseKind.EXTERNAL_REFUND)
        assert (case.state, case.is_in_inbox) == (state, False)


@pytest.mark.parametrize("how", ["terminated", "failed"])
async def test_a_stopped_refund_opens_a_case_once(harness: Harness, how: str) -> None:
    order = await stopped(harness, how)
    await harness.until(order, lambda view: view.is_stopped)
    meter = Runtime(telemetry=TelemetryConfig(metrics=MetricBuffer(100))).metric_meter

    for _ in range(2):
        await look_until_seen(CaseWatch(harness.temporal, meter), harness, order)
    case = await harness.until_case(order, CaseKind.STOPPED)

    assert len(case.findings) == 1
    assert f"the workflow was {how}" in case.findings[0].finding.text


async def test_a_foreign_workflow_id_does_not_hide_other_stopped_refunds(harness: Harness) -> None:
    foreign = f"refund/Shop A/{'x' * 300}"
    await harness.temporal.start_workflow(
        "Refund", {"amount": "much"}, id=foreign, task_queue=contract.REFUNDS_QUEUE
    )
    order = await stopped(harness, "terminated")
    await harness.until(order, lambda view: view.is_stopped)
    meter = Runtime(telemetry=TelemetryConfig(metrics=MetricBuffer(100))).metric_meter

    await look_until_seen(CaseWatch(harness.temporal, meter), harness, order)

    assert (await harness.until_case(order, CaseKind.STOPPED)).is_in_inbox


async def test_a_terminated_case_comes_back_with_its_findings(harness: Harness) -> None:
    order = await ended_with(harness, "RISK_REJECT")
    await harness.until_case(order, CaseKind.NEEDS_ATTENTION)
    handle = harness.case_handle(CaseKind.NEEDS_ATTENTION, order.refund_request_id)
    await handle.terminate("by mistake")
    meter = Runtime(telemetry=TelemetryConfig(metrics=MetricBuffer(100))).metric_meter
    watch = CaseWatch(harness.temporal, meter)

    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            await watch.look()
    case = await harness.until_case(order, CaseKind.NEEDS_ATTENTION, lambda it: len(it.digests) > 1)

    assert "RISK_REJECT" in case.findings[0].finding.text
    assert "the case was stopped in Temporal" in case.findings[-1].finding.text


@workflow.defn(name="Refund", sandboxed=False)
class Unreached:
    """A refund that ended in need of attention and could not reach its case."""

    @workflow.run
    async def run(self, order: RefundOrder) -> RefundOutcome:
        workflow.upsert_search_attributes([attributes.NEEDS_ATTENTION.value_set(value=True)])
        return RefundOutcome(
            **order.model_dump(include={"refund_request_id", "payment_id", "merchant"}),
            amount=order.amount,
            state=RefundState.FAILED,
            result_code="RISK_REJECT",
            attention_reason="RISK_REJECT: ask Antom",
        )


async def test_a_refund_that_could_not_reach_its_case_gets_one(harness: Harness) -> None:
    order, queue = harness.order(), f"unreached-{uuid4().hex[:8]}"
    harness.cases.append(order.refund_request_id)
    async with Worker(
        harness.temporal,
        task_queue=queue,
        workflows=[Unreached],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        own = f"refund/default/{order.refund_request_id}"
        await harness.temporal.execute_workflow("Refund", order, id=own, task_queue=queue)
    meter = Runtime(telemetry=TelemetryConfig(metrics=MetricBuffer(100))).metric_meter

    await look_until_seen(CaseWatch(harness.temporal, meter), harness, order)
    case = await harness.until_case(order, CaseKind.NEEDS_ATTENTION)

    assert case.findings[0].finding.text == "the refund is failed: RISK_REJECT: ask Antom"


async def stopped(harness: Harness, how: str) -> RefundOrder:
    if how == "terminated":
        order = await harness.start(harness.payable_order(is_async=True))
        await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
        await harness.handle(order).terminate("an operator's mistake")
        return order
    order = harness.order()
    await harness.temporal.start_workflow(
        "Refund", {"amount": "much"}, id=f"refund/default/{order.refund_request_id}",
        task_queue=contract.REFUNDS_QUEUE,
    )  # fmt: skip
    harness.started.append(order.refund_request_id)
    return order


async def look_until_seen(watch: CaseWatch, harness: Harness, order: RefundOrder) -> None:
    """Look until the visibility store lists the stopped refund."""
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while (await harness.view(order)).run_id not in watch.reported:
            await watch.look()


def case_id(order: RefundOrder, kind: CaseKind) -> str:
    return f"case/default/{kind}/{order.refund_request_id}"
