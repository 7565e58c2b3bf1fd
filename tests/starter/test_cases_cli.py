"""The commands about cases, on a real stack: an operator finds, reads and settles one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from antom_refunds.cases import CaseClient
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.order import RefundOrder
from starter.json_report import CaseReport, Report
from tests.starter.processes import BY, TEST_TIMEOUT, Cli, SampleRefunds

pytestmark = pytest.mark.slow  # each test needs a stopped refund that the worker's watch has found


@pytest.fixture
async def stopped(sample_refunds: SampleRefunds) -> RefundOrder:
    """A refund whose workflow was terminated; the worker's watch has opened its case."""
    order = await sample_refunds.pending()
    temporal = await sample_refunds.stack.temporal()
    await temporal.get_workflow_handle(f"refund/default/{order.refund_request_id}").terminate(
        "oops"
    )
    cases = CaseClient(temporal)
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while case_id(order) not in [each.case_id async for each in cases.list()]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return order


def case_id(order: RefundOrder) -> str:
    return f"case/default/{CaseKind.STOPPED}/{order.refund_request_id}"


async def listed(cli: Cli, *options: str) -> dict[str, CaseReport]:
    report = Report.model_validate_json((await cli("cases", "list", "--json", *options)).out)
    return {each.case_id: each for each in report.cases}


async def test_an_operator_finds_reads_and_closes_a_case(cli: Cli, stopped: RefundOrder) -> None:
    case = case_id(stopped)
    found = await cli("cases", "list", "--kind", "stopped")
    shown = await cli("cases", "show", case)
    noted = await cli("cases", "note", case, *BY)
    assigned = await cli("cases", "assign", case, "--to", "ann", *BY)
    closed = await cli(
        "cases", "close", case, "written_off", "--findings", "1", "--reference", "ticket 7", *BY
    )
    after = await cli("cases", "show", case)

    assert case in found.out
    assert "the workflow was terminated in Temporal" in shown.out
    assert "find out the refund's result at Antom" in shown.out
    assert (noted.code, assigned.code, closed.code) == (0, 0, 0)
    assert closed.out.startswith("the case is closed: written_off")
    assert "stopped: closed" in after.out
    assert "ops: close: written_off ticket 7: the buyer called" in after.out
    assert "what to do" not in after.out
    assert case in await listed(cli, "--all", "--payment-id", stopped.payment_id)


async def test_a_snoozed_case_is_listed_with_all_cases_only(cli: Cli, stopped: RefundOrder) -> None:
    case = case_id(stopped)

    until = datetime.now(UTC) + timedelta(days=30)

    reply = await cli("cases", "snooze", case, "--until", until.isoformat(), *BY)

    assert f"out of the inbox until {until:%Y-%m-%d %H:%M} UTC" in reply.out
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while case in await listed(cli):  # noqa: ASYNC110 - the visibility store has no event
            await asyncio.sleep(0.1)
    assert (await listed(cli, "--all"))[case].state == "snoozed"


async def test_a_case_as_json_has_its_findings_and_actions(cli: Cli, stopped: RefundOrder) -> None:
    case = case_id(stopped)
    await cli("cases", "assign", case, "--to", "ann", *BY)

    report = Report.model_validate_json((await cli("cases", "show", case, "--json")).out)

    (shown,) = report.cases
    assert report.command == "cases show"
    assert (shown.refund, shown.payment_id) == (stopped.refund_request_id, stopped.payment_id)
    assert (shown.assignee, shown.amount) == ("ann", stopped.amount)
    assert shown.findings is not None
    assert shown.actions is not None
    assert (len(shown.findings), [each.by for each in shown.actions]) == (1, ["ops"])
    assert shown.advice


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("show", "case/default/stopped/nobody"), 3, "there is no case"),
        (("snooze", "case/default/stopped/x", "--until", "soon", *BY), 2, "until: "),
        (("snooze", "case/default/stopped/x", "--until", "2027-01-31", *BY), 2, "time zone"),
        (("note", "case/default/stopped/x", "--by", "", "--reason", "r"), 2, "by: "),
    ],
)
async def test_wrong_input_is_one_sentence(
    cli: Cli, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    result = await cli("cases", *arguments)

    assert result.code == code
    assert reason in result.error_line


async def test_a_case_that_is_closed_twice_says_so(cli: Cli, stopped: RefundOrder) -> None:
    await cli("cases", "close", case_id(stopped), "false_alarm", "--findings", "1", *BY)

    again = await cli("cases", "close", case_id(stopped), "false_alarm", "--findings", "1", *BY)

    assert again.code == 4
    assert "is closed: false_alarm, by ops" in again.error_line
