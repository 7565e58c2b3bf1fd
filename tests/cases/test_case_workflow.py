"""What operators do with a case, and what a case does with findings, on a real Temporal server."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from antom_refunds import case_contract, contract
from antom_refunds.case_contract import Assignment, CaseInput, Closing, Snooze, case_id
from antom_refunds.case_start import report_case
from antom_refunds.cases import CaseClient
from antom_refunds.contract import Instruction
from antom_refunds.domain import policy
from antom_refunds.domain.case import (
    CaseKind,
    CaseResult,
    CaseState,
    Finding,
)
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.errors import CaseNotFoundError, InstructionRejectedError
from tests.cases.inbox import until_inbox
from tests.harness import Harness

OPS: Any = {"by": "ops", "reason": "the buyer called"}
CLOSING = Closing(result=CaseResult.WRITTEN_OFF, **OPS)


def finding(text: str = "it happened") -> Finding:
    return Finding.of(text)


def case_input(order: RefundOrder, *findings: Finding) -> CaseInput:
    return CaseInput(
        subject=case_contract.subject_of_order(CaseKind.CONTRADICTION, order),
        findings=findings or (finding(),),
    )


class OpenCase:
    """An open case, and what operators do with it."""

    def __init__(self, harness: Harness, order: RefundOrder) -> None:
        self.order = order
        self.id = case_id(case_input(order).subject)
        self.client = CaseClient(harness.temporal)
        self.handle = harness.temporal.get_workflow_handle(self.id)


@pytest.fixture
async def opened(harness: Harness) -> OpenCase:
    order = harness.order()
    harness.cases.append(order.refund_request_id)
    assert await report_case(harness.temporal, case_input(order))
    return OpenCase(harness, order)


async def test_a_case_is_assigned_noted_and_closed_with_a_reason(
    harness: Harness, opened: OpenCase
) -> None:
    await opened.client.assign(opened.id, Assignment(to="ann", **OPS))
    await opened.client.note(opened.id, Instruction(by="ann", reason="asked Antom"))
    await until_inbox(harness, opened.order, {opened.id})

    reply = await opened.client.close(opened.id, CLOSING)
    case = await opened.client.show(opened.id)

    assert reply == "the case is closed: written_off; findings: 1"
    assert (case.state, case.assignee) == (CaseState.CLOSED, "ann")
    assert [each.action for each in case.actions] == ["assign to ann", "note", "close: written_off"]
    assert case.closure is not None
    assert (case.closure.by, case.closure.reason) == ("ops", "the buyer called")
    await until_inbox(harness, opened.order, set())


async def test_a_case_that_is_closed_twice_says_who_closed_it(opened: OpenCase) -> None:
    await opened.client.close(opened.id, CLOSING)

    with pytest.raises(InstructionRejectedError, match="is closed: written_off, by ops"):
        await opened.client.close(opened.id, CLOSING)


async def test_the_same_finding_does_not_open_a_closed_case_again(
    harness: Harness, opened: OpenCase
) -> None:
    await opened.client.close(opened.id, CLOSING)

    assert not await report_case(harness.temporal, case_input(opened.order))
    assert (await opened.client.show(opened.id)).state is CaseState.CLOSED


async def test_a_new_finding_opens_a_closed_case_again_with_all_that_was_known(
    harness: Harness, opened: OpenCase
) -> None:
    await opened.client.close(opened.id, CLOSING)

    assert await report_case(harness.temporal, case_input(opened.order, finding("once more")))
    case = await opened.client.show(opened.id)

    assert case.state is CaseState.OPEN
    assert [each.finding.text for each in case.findings] == ["it happened", "once more"]
    assert [each.action for each in case.actions] == ["close: written_off"]
    await until_inbox(harness, opened.order, {opened.id})


async def test_a_finding_known_from_an_earlier_closing_does_not_open_it_a_third_time(
    harness: Harness, opened: OpenCase
) -> None:
    await opened.client.close(opened.id, CLOSING)
    await report_case(harness.temporal, case_input(opened.order, finding("once more")))
    await opened.client.close(opened.id, CLOSING)

    assert not await report_case(harness.temporal, case_input(opened.order))


async def test_a_finding_in_the_task_that_closes_the_case_keeps_it_open(
    idle_harness: Harness,
) -> None:
    order = idle_harness.order()
    idle_harness.cases.append(order.refund_request_id)
    case = OpenCase(idle_harness, order)
    await report_case(idle_harness.temporal, case_input(order))
    closing = asyncio.create_task(case.client.close(case.id, CLOSING))
    await report_case(idle_harness.temporal, case_input(order, finding("meanwhile")))

    async with idle_harness.running_worker():
        await asyncio.gather(closing, return_exceptions=True)
        shown = await case.client.show(case.id)

    assert (shown.state, len(shown.findings)) == (CaseState.OPEN, 2)


async def test_a_snoozed_case_leaves_the_inbox_and_comes_back(
    time_skipping_harness: Harness,
) -> None:
    harness = time_skipping_harness
    order = harness.order()
    harness.cases.append(order.refund_request_id)
    await report_case(harness.temporal, case_input(order))
    case = OpenCase(harness, order)
    until = await harness.env.get_current_time() + timedelta(days=3)

    await case.client.snooze(case.id, Snooze(until=until, **OPS))
    snoozed = await case.client.show(case.id)
    await harness.env.sleep(timedelta(days=3, seconds=1))
    woken = await harness.until_case(
        order, CaseKind.CONTRADICTION, lambda each: each.state is CaseState.OPEN
    )

    assert (snoozed.state, snoozed.snoozed_until) == (CaseState.SNOOZED, until)
    assert await harness.env.get_current_time() >= until
    assert woken.is_in_inbox


async def test_a_new_finding_ends_a_snooze(harness: Harness, opened: OpenCase) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    await opened.client.snooze(opened.id, Snooze(until=until, **OPS))
    await until_inbox(harness, opened.order, set())

    await report_case(harness.temporal, case_input(opened.order, finding("once more")))

    await until_inbox(harness, opened.order, {opened.id})


@pytest.mark.parametrize("after", [timedelta(seconds=-1), timedelta(days=91)])
async def test_a_snooze_ends_within_90_days(opened: OpenCase, after: timedelta) -> None:
    with pytest.raises(InstructionRejectedError, match=r"until: must be after .* at most 90 days"):
        await opened.client.snooze(opened.id, Snooze(until=datetime.now(UTC) + after, **OPS))


async def test_a_case_cannot_be_closed_over_a_finding_that_was_not_seen(
    harness: Harness, opened: OpenCase
) -> None:
    await report_case(harness.temporal, case_input(opened.order, finding("meanwhile")))
    seen_one = CLOSING.model_copy(update={"findings": 1})

    with pytest.raises(InstructionRejectedError, match="has 2 findings, and you have seen 1"):
        await opened.client.close(opened.id, seen_one)

    assert (await opened.client.show(opened.id)).is_in_inbox


async def test_a_case_with_a_wrong_clock_or_long_texts_works(harness: Harness) -> None:
    order = harness.order()
    harness.cases.append(order.refund_request_id)
    long = Evidence(source=Source.INQUIRY, kind=EvidenceKind.FAILED, code="C" * 3000)
    given = case_input(order, Finding(digest="a", text="it happened")).model_dump(mode="json")
    given["opened_at"] = "9999-12-31T00:00:00Z"
    given["findings"][0]["evidence"] = long.model_dump(mode="json")
    case = OpenCase(harness, order)
    await harness.temporal.start_workflow(
        case_contract.CASE_WORKFLOW, given, id=case.id, task_queue=contract.REFUNDS_QUEUE
    )

    shown = await case.client.show(case.id)

    assert abs(shown.opened_at - datetime.now(UTC)) < timedelta(hours=1)
    await until_inbox(harness, order, {case.id})


async def test_closing_for_a_new_refund_requires_its_id(opened: OpenCase) -> None:
    with pytest.raises(InstructionRejectedError, match="reference: is required"):
        await opened.client.close(opened.id, Closing(result=CaseResult.NEW_REFUND, **OPS))


@pytest.mark.slow
@pytest.mark.parametrize("update", ["assign", "note", "snooze", "close"])
@pytest.mark.parametrize("arguments", [[], [None], [{"by": ""}], [1, 2]])
async def test_malformed_instructions_are_refused_with_a_sentence(
    opened: OpenCase, update: str, arguments: list[object]
) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await opened.handle.execute_update(update, args=arguments)

    assert str(refused.value.cause).startswith("refused: ")
    assert (await opened.client.show(opened.id)).state is CaseState.OPEN


@pytest.mark.parametrize("arguments", [[], [None], [{"digest": "x"}], ["much"]])
async def test_a_malformed_signal_changes_nothing(
    opened: OpenCase, arguments: list[object]
) -> None:
    before = await opened.client.show(opened.id)

    await opened.handle.signal(case_contract.SIGNAL_REPORT, args=arguments)

    assert await opened.client.show(opened.id) == before


async def test_cancelling_the_workflow_does_not_close_the_case(
    harness: Harness, opened: OpenCase
) -> None:
    await opened.handle.cancel()
    await opened.client.note(opened.id, Instruction(**OPS))

    assert (await opened.client.show(opened.id)).state is CaseState.OPEN
    await until_inbox(harness, opened.order, {opened.id})


@pytest.mark.parametrize(
    ("workflow_id", "argument", "reason"),
    [
        ("case/default/contradiction/rf_1", {"subject": "much"}, "the case: "),
        ("case/default/contradiction/another", None, "belongs to workflow id"),
    ],
)
async def test_a_start_that_is_no_case_fails_at_once_with_a_sentence(
    harness: Harness, workflow_id: str, argument: object, reason: str
) -> None:
    handle = await harness.temporal.start_workflow(
        case_contract.CASE_WORKFLOW,
        argument or case_input(harness.order()),
        id=workflow_id,
        task_queue=contract.REFUNDS_QUEUE,
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()

    assert reason in str(failed.value.cause)


@pytest.mark.slow
async def test_a_case_continues_as_new_long_before_temporals_limits(
    monkeypatch: pytest.MonkeyPatch, harness: Harness, opened: OpenCase
) -> None:
    monkeypatch.setattr(policy, "HISTORY_EVENTS_MAX", 30)
    first = (await opened.handle.describe()).run_id

    for number in range(12):
        await report_case(harness.temporal, case_input(opened.order, finding(f"number {number}")))
        await opened.client.note(opened.id, Instruction(**OPS))
    case = await opened.client.show(opened.id)

    assert (await opened.handle.describe()).run_id != first
    assert (len(case.findings), len(case.actions)) == (13, 12)
    await until_inbox(harness, opened.order, {opened.id})


async def test_an_unknown_case_is_reported_with_the_command_that_lists_cases(
    harness: Harness,
) -> None:
    with pytest.raises(CaseNotFoundError, match="cases list"):
        await CaseClient(harness.temporal).close("case/default/contradiction/nobody", CLOSING)
