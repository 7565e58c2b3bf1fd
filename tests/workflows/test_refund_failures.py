"""A signed refusal names no refund: it ends one only where an inquiry made after it agrees."""

import pytest

from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.errors import RefusedError
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.engine import Stage


@pytest.mark.parametrize(
    "code",
    ["TOO_MANY_REQUESTS", "INVALID_MERCHANT_STATUS", "INVALID_CONTRACT", "SYSTEM_ERROR"],
)
async def test_a_refused_repetition_after_a_lost_response_is_no_failure(
    stage: Stage, code: str
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, FaultKind.CUT_AFTER, code)
    stage.script(order, Operation.INQUIRY, "PROCESS_FAIL")

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.moved(order) == 1


async def test_a_refusal_of_a_call_that_moved_the_money_is_no_failure(stage: Stage) -> None:
    order = stage.paid()
    refused = Fault(kind=FaultKind.RESULT_CODE, code="RISK_REJECT", executed=True)
    stage.script(order, Operation.REFUND, refused)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.SUCCEEDED
    assert stage.asked(order, CallKind.INQUIRY) == 1
    assert stage.moved(order) == 1


async def test_a_refusal_of_a_refund_that_antom_processes_goes_on(stage: Stage) -> None:
    order = stage.paid(is_async=True)
    refused = Fault(kind=FaultKind.RESULT_CODE, code="PROCESS_FAIL", executed=True)
    stage.script(order, Operation.REFUND, refused)
    await stage.start(order)

    await stage.until(order, lambda view: view.state is RefundState.PROCESSING)
    stage.settle(order)

    assert (await stage.end(order)).state is RefundState.SUCCEEDED


async def test_a_refusal_by_rule_costs_one_inquiry_and_keeps_its_code(stage: Stage) -> None:
    order = stage.order()
    stage.pay(order, allows_refund=False)

    outcome = await stage.end(await stage.start(order))

    assert outcome.state is RefundState.FAILED
    assert outcome.result_code == "PAYMENT_METHOD_NOT_SUPPORTED"
    assert stage.asked(order, CallKind.INQUIRY) == 1
    assert await stage.events(order) <= 20


async def test_a_refused_refund_that_no_inquiry_knows_fails_after_a_quiet_period(
    long_stage: Stage,
) -> None:
    order = long_stage.paid()
    long_stage.script(order, Operation.REFUND, "RISK_REJECT")

    outcome = await long_stage.end(await long_stage.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, "RISK_REJECT")
    assert long_stage.asked(order, CallKind.INQUIRY) == 2
    assert long_stage.moved(order) == 0


async def test_where_inquiries_cannot_decide_a_second_identical_refusal_does(
    stage: Stage,
) -> None:
    order = stage.paid()
    stage.script(order, Operation.REFUND, *["RISK_REJECT"] * 2)
    stage.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 100)

    outcome = await stage.end(await stage.start(order))

    assert (outcome.state, outcome.result_code) == (RefundState.FAILED, "RISK_REJECT")
    assert stage.asked(order, CallKind.REFUND) == 2


@pytest.mark.parametrize("codes", [("RISK_REJECT", "PROCESS_FAIL"), (FaultKind.CUT_BEFORE,)])
async def test_where_nothing_decides_an_operator_is_called_and_it_stays_open(
    stage: Stage, codes: tuple[str, ...]
) -> None:
    order = stage.paid()
    first = () if len(codes) > 1 else codes
    stage.script(order, Operation.REFUND, *first, "RISK_REJECT", *codes[1:], "RISK_REJECT")
    stage.script(order, Operation.INQUIRY, *["PROCESS_FAIL"] * 9)
    await stage.start(order)

    view = await stage.until(order, lambda view: view.needs_human)
    await stage.until_asked(order, CallKind.INQUIRY, times=6)

    assert view.is_running
    assert (await stage.view(order)).state is RefundState.IN_DOUBT
    assert stage.asked(order, CallKind.REFUND) <= 2
    outcome = await stage.end(order)
    assert outcome.state is RefundState.FAILED


async def test_a_refused_inquiry_at_the_gate_calls_an_operator_while_processing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = stage.paid(is_async=True)
    honest = AntomClient.inquire_refund

    async def refused(*_: object) -> None:
        raise RefusedError("ACCESS_DENIED", "Antom refused the call: ACCESS_DENIED")

    monkeypatch.setattr(AntomClient, "inquire_refund", refused)
    await stage.start(order)
    view = await stage.until(order, lambda view: view.needs_human)
    assert view.state is RefundState.PROCESSING

    monkeypatch.setattr(AntomClient, "inquire_refund", honest)
    await stage.until(order, lambda view: not view.needs_human)
    stage.settle(order)

    assert (await stage.end(order)).needs_human is None
