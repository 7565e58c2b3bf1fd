"""A signed refusal contains no refund id: it is final only if a later inquiry confirms it."""

import pytest

from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.call_errors import GateRefusedError
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness

# A child is started and confirmed, the task that continues then, and the flag that is cleared.
EVENTS_OF_A_CASE = 6


@pytest.mark.parametrize(
    "code",
    ["TOO_MANY_REQUESTS", "INVALID_MERCHANT_STATUS", "INVALID_CONTRACT", "SYSTEM_ERROR"],
)
async def test_a_refused_repetition_after_a_lost_response_is_no_failure(
    harness: Harness, code: str
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, FaultKind.CUT_AFTER, code)
    harness.script(order, Operation.INQUIRY, "PROCESS_FAIL")

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1


async def test_a_refusal_of_a_call_that_moved_the_money_is_no_failure(harness: Harness) -> None:
    order = harness.payable_order()
    refused = Fault(kind=FaultKind.RESULT_CODE, code="RISK_REJECT", executed=True)
    harness.script(order, Operation.REFUND, refused)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.INQUIRY) == 1
    assert harness.movements(order) == 1


async def test_a_refused_refund_that_antom_processes_continues(harness: Harness) -> None:
    order = harness.payable_order(is_async=True)
    refused = Fault(kind=FaultKind.RESULT_CODE, code="PROCESS_FAIL", executed=True)
    harness.script(order, Operation.REFUND, refused)
    await harness.start(order)

    await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


async def test_a_business_refusal_costs_one_inquiry_and_keeps_its_code(harness: Harness) -> None:
    order = harness.order()
    harness.add_payment(order, allows_refund=False)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.FAILED
    assert outcome.result_code == "PAYMENT_METHOD_NOT_SUPPORTED"
    assert harness.calls(order, CallKind.INQUIRY) == 1
    assert await harness.events(order) <= 20 + EVENTS_OF_A_CASE


async def test_a_refused_refund_that_no_inquiry_knows_fails_after_a_quiet_period(
    time_skipping_harness: Harness,
) -> None:
    order = time_skipping_harness.payable_order()
    time_skipping_harness.script(order, Operation.REFUND, "RISK_REJECT")

    outcome = await time_skipping_harness.wait_for_outcome(await time_skipping_harness.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, "RISK_REJECT")
    assert time_skipping_harness.calls(order, CallKind.INQUIRY) == 2
    assert time_skipping_harness.movements(order) == 0


async def test_where_inquiries_cannot_decide_a_second_identical_refusal_does(
    harness: Harness,
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, *["RISK_REJECT"] * 2)
    harness.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 100)

    outcome = await harness.wait_for_outcome(await harness.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, "RISK_REJECT")
    assert harness.calls(order, CallKind.REFUND) == 2


@pytest.mark.parametrize("codes", [("RISK_REJECT", "PROCESS_FAIL"), (FaultKind.CUT_BEFORE,)])
async def test_where_nothing_decides_an_operator_is_alerted_and_the_refund_stays_open(
    harness: Harness, codes: tuple[str, ...]
) -> None:
    order = harness.payable_order()
    first = () if len(codes) > 1 else codes
    harness.script(order, Operation.REFUND, *first, "RISK_REJECT", *codes[1:], "RISK_REJECT")
    harness.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 9)
    await harness.start(order)

    view = await harness.until(order, lambda view: view.needs_attention)
    await harness.until_called(order, CallKind.INQUIRY, times=6)

    assert view.is_running
    assert (await harness.view(order)).state is RefundState.IN_DOUBT
    assert harness.calls(order, CallKind.REFUND) <= 2
    outcome = await harness.wait_for_outcome(order)
    assert outcome.state is RefundState.FAILED


async def test_an_inquiry_refused_at_the_gate_while_processing_alerts_an_operator(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = harness.payable_order(is_async=True)
    honest = AntomClient.inquire_refund

    async def refused(*_: object) -> None:
        raise GateRefusedError("ACCESS_DENIED", "Antom refused the call: ACCESS_DENIED")

    monkeypatch.setattr(AntomClient, "inquire_refund", refused)
    await harness.start(order)
    view = await harness.until(order, lambda view: view.needs_attention)
    assert view.state is RefundState.PROCESSING

    monkeypatch.setattr(AntomClient, "inquire_refund", honest)
    await harness.until(order, lambda view: not view.needs_attention)
    harness.settle(order)

    assert (await harness.wait_for_outcome(order)).attention_reason is None
