"""The commands about refunds, on a real stack."""

import asyncio
import json
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.views import RefundView
from starter.commands import refunds
from starter.commands.refunds import link_to
from starter.json_report import Report
from tests.harness import Harness
from tests.starter.processes import (
    BY,
    COMMAND,
    TEST_TIMEOUT,
    Cli,
    CommandResult,
    Processes,
    SampleRefunds,
    ended,
    read_until,
)

SHOWS = 50
CONCURRENT_SHOWS = 4


def start(order: RefundOrder, *more: str) -> tuple[str, ...]:
    amount = str(order.amount)
    return "start", order.payment_id, amount, "--id", order.refund_request_id, *more


async def test_start_runs_a_refund_to_its_terminal_state(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order()

    result = await cli(*start(order))

    assert result == CommandResult(0, f"refund {order.refund_request_id} started\n", "")
    await sample_refunds.until(order, lambda view: view.state is RefundState.SUCCEEDED)


async def test_starting_the_same_order_again_finds_the_same_refund(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order()
    await cli(*start(order))
    first = await sample_refunds.view(order)

    result = await cli(*start(order))

    assert result.code == 0
    assert "already exists, with the same fields" in result.out
    assert (await sample_refunds.view(order)).run_id == first.run_id


@pytest.mark.parametrize(
    ("option", "field"),
    [
        (("--reason", "another"), "reason"),
        (("--notify-url", "https://shop.test/other"), "notify_url"),
        (("--capture-id", "other"), "capture_id"),
        (("--reference-refund-id", "other"), "reference_refund_id"),
    ],
)
async def test_another_field_under_the_same_id_is_rejected_and_named(
    cli: Cli, sample_refunds: SampleRefunds, option: tuple[str, str], field: str
) -> None:
    order = await sample_refunds.order()
    await cli(*start(order))

    result = await cli(*start(order, *option))

    assert result.code == 4
    assert f"already belongs to a refund with another {field}:" in result.error_line


async def test_another_amount_under_the_same_id_is_rejected_and_named(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order()
    await cli(*start(order))
    other = order.model_copy(update={"amount": Money(currency="EUR", minor=1251)})

    result = await cli(*start(other))

    assert result.code == 4
    assert "another amount:" in result.error_line


async def test_every_option_is_a_field_of_the_order(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = (await sample_refunds.order()).model_copy(
        update={
            "reason": "damaged",
            "notify_url": "http://127.0.0.1:9/elsewhere",
            "capture_id": "cap_1",
            "reference_refund_id": "ref_1",
        }
    )
    options = (
        *("--reason", "damaged", "--notify-url", "http://127.0.0.1:9/elsewhere"),
        *("--capture-id", "cap_1", "--reference-refund-id", "ref_1", "--merchant", "default"),
    )

    assert (await cli(*start(order, *options))).code == 0

    assert not (await sample_refunds.refunds.start(order)).is_new


async def test_an_amount_in_minor_units_is_the_same_amount(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order()
    await cli(*start(order))

    result = await cli("start", order.payment_id, "1250 minor EUR", "--id", order.refund_request_id)

    assert result.code == 0


async def test_waiting_for_success_exits_0_and_shows_the_outcome(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order()

    result = await cli(*start(order, "--wait", "60"))

    assert result.code == 0
    assert "succeeded" in result.out
    assert "SUCCESS" in result.out
    assert "Antom's id" in result.out


async def test_waiting_for_a_failure_exits_6_with_advice(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.order(refuses_with="REFUND_WINDOW_EXCEED")

    result = await cli(*start(order, "--wait", "60"))

    assert result.code == 6
    assert "REFUND_WINDOW_EXCEED" in result.out
    assert "advice" in result.out


async def test_waiting_for_a_closure_exits_6(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.order(
        is_async=True, settle_after=timedelta(), ends=SettlementOutcome.CLOSED
    )

    result = await cli(*start(order, "--wait", "60"))

    assert result.code == 6
    assert "closed" in result.out


async def test_a_wait_that_times_out_exits_7(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.pending()

    result = await cli("show", order.refund_request_id, "--wait", "0.2")

    assert result.code == 7
    assert "processing" in result.out


async def test_a_wait_can_be_unlimited(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.ended()

    assert (await cli("show", order.refund_request_id, "--wait", "inf")).code == 0


async def test_a_running_refund_is_shown_with_all_known_fields(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()

    result = await cli("show", order.refund_request_id)

    assert (result.code, result.err) == (0, "")
    labels = {line.split("  ")[1] for line in result.out.splitlines() if line[2] != " "}
    assert labels >= {"refund", "state", "amount", "payment", "merchant", "last code"}
    assert labels >= {"requested", "overdue at", "Temporal UI", "evidence", "waits for"}
    assert "response: " in result.out
    workflow_id = f"refund/default/{order.refund_request_id}"
    assert link_to(workflow_id, sample_refunds.stack.ui_url, "default") in result.out


async def test_an_ended_refund_is_shown_with_its_final_result(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.ended()

    result = await cli("show", order.refund_request_id)

    assert result.code == 0
    assert "final result" in result.out
    assert "overdue at" not in result.out


async def test_a_refund_that_needs_attention_is_shown_with_the_reason(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.blocked()

    result = await cli("show", order.refund_request_id, "--merchant", "kiosk")

    assert result.code == 0
    assert "attention " in result.out
    assert "blocked" in result.out


async def test_a_refund_is_shown_while_no_worker_runs(
    lone_cli: Cli, shell: pytest.MonkeyPatch, idle_harness: Harness
) -> None:
    shell.setenv("TEMPORAL_ADDRESS", idle_harness.temporal.service_client.config.target_host)
    order = await idle_harness.start(idle_harness.order())

    result = await lone_cli("show", order.refund_request_id)

    assert result.code == 0
    assert "requested" in result.out
    assert "not available: no worker is running" in result.out


async def test_a_refund_that_was_stopped_in_temporal_has_no_outcome(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    temporal = await sample_refunds.stack.temporal()
    await temporal.get_workflow_handle(f"refund/default/{order.refund_request_id}").terminate()

    shown = await cli("show", order.refund_request_id)
    waited = await cli("show", order.refund_request_id, "--wait", "60")

    assert shown.code == 0
    assert "stopped in Temporal" not in shown.out
    assert "in Temporal, without a final result from Antom: check with Antom" in shown.out
    assert waited.code == 4
    assert "find out its result at Antom" in waited.error_line


@pytest.mark.parametrize(
    "tokens",
    [
        ("show", "unknown"),
        ("show", "unknown", "--wait", "5"),
        ("check-now", "unknown", *BY),
        ("call-off", "unknown", *BY),
        ("resolve", "unknown", "failed", *BY, "--proof", "T-1"),
    ],
)
async def test_an_unknown_refund_exits_3(cli: Cli, tokens: tuple[str, ...]) -> None:
    result = await cli(*tokens)

    assert result.code == 3
    assert result.error_line == "there is no refund unknown here"


async def test_a_refund_belongs_to_its_merchant(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.ended()

    assert (await cli("show", order.refund_request_id, "--merchant", "kiosk")).code == 3


FIELDS = {"command", "exit_code", "error", "message", "refunds", "cases"}


def report(result: CommandResult) -> Report:
    """Parse the output of a command with --json: one object with exactly the common fields."""
    [line] = result.out.splitlines()
    assert result.err == ""
    assert set(json.loads(line)) == FIELDS
    found = Report.model_validate_json(line)
    assert found.exit_code == result.code
    assert (found.error is None) == (found.exit_code in {0, 6, 7})
    return found


async def test_json_of_start_is_the_current_refund(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.order()

    result = report(await cli(*start(order, "--json")))

    [refund] = result.refunds
    assert (result.command, result.exit_code, refund.refund_request_id) == (
        *("start", 0),
        order.refund_request_id,
    )
    assert result.message == f"refund {order.refund_request_id} started"
    assert (refund.payment_id, refund.amount) == (order.payment_id, order.amount)


@pytest.mark.parametrize("again", [False, True])
async def test_json_of_a_wait_is_the_refund_with_its_outcome(
    cli: Cli, sample_refunds: SampleRefunds, *, again: bool
) -> None:
    order = await sample_refunds.order()
    command = ("show", order.refund_request_id) if again else start(order)
    if again:
        await cli(*start(order))

    result = report(await cli(*command, "--json", "--wait", "60"))

    outcome = await sample_refunds.refunds.outcome(order.refund_request_id)
    [refund] = result.refunds
    assert outcome is not None
    assert result.command == command[0]
    assert (refund.state, refund.refund_id) == (RefundState.SUCCEEDED, outcome.refund_id)
    assert (refund.message, refund.is_contradicted) == (outcome.message, False)
    assert (refund.needs_attention, refund.attention_reason) == (False, None)


async def test_json_of_a_wait_that_times_out_is_the_current_refund(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()

    result = report(await cli("show", order.refund_request_id, "--json", "--wait", "0.2"))

    assert result.exit_code == 7
    assert result.refunds[0].state is RefundState.PROCESSING
    assert result.refunds[0].is_contradicted is None


async def test_json_of_show_equals_the_view_of_the_client(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.ended()

    [refund] = report(await cli("show", order.refund_request_id, "--json")).refunds

    view = await sample_refunds.view(order)
    assert refund.model_dump(include=set(RefundView.model_fields)) == view.model_dump()


async def test_json_of_the_instructions_is_the_reply_and_the_refund(
    cli: Cli, lone_cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    own = order.refund_request_id

    checked = report(await cli("check-now", own, *BY, "--json"))
    late = report(await cli("call-off", own, *BY, "--json"))
    resolved = report(await cli("resolve", own, "failed", *BY, "--proof", "T-1", "--json"))

    assert (checked.command, checked.refunds[0].refund_request_id) == ("check-now", own)
    assert "an inquiry is being sent" in str(checked.message)
    assert (late.command, late.exit_code, late.refunds) == ("call-off", 4, ())
    assert "too late" in str(late.error)
    assert (resolved.command, resolved.message) == ("resolve", "the refund is failed")


async def test_json_of_a_call_off_is_the_reply_and_the_refund(
    lone_cli: Cli, shell: pytest.MonkeyPatch, harness: Harness
) -> None:
    shell.setenv("TEMPORAL_ADDRESS", harness.temporal.service_client.config.target_host)
    harness.transport.is_down = True
    order = await harness.start(harness.order())

    result = report(await lone_cli("call-off", order.refund_request_id, *BY, "--json"))

    assert "called off" in str(result.message)
    assert [refund.refund_request_id for refund in result.refunds] == [order.refund_request_id]


async def test_json_of_the_other_commands_has_the_same_fields(cli: Cli, tmp_path: Path) -> None:
    attributes = report(await cli("register-attributes", "--json"))
    keys = report(await cli("keys", "new", str(tmp_path), "--json"))
    taken = report(await cli("keys", "new", str(tmp_path), "--json"))

    assert attributes.message == "all search attributes exist already"
    assert "merchant-private.pem" in str(keys.message)
    assert "is not overwritten" in str(taken.error)


async def test_a_stopped_refund_is_listed_as_needing_attention(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    await sample_refunds.until_listed(order, RefundState.PROCESSING)
    temporal = await sample_refunds.stack.temporal()
    await temporal.get_workflow_handle(f"refund/default/{order.refund_request_id}").terminate()
    payment = ("--payment-id", order.payment_id)
    await sample_refunds.until(order, lambda view: view.is_stopped)
    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        while not report(await cli("list", "--stopped", *payment, "--json")).refunds:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    result = report(await cli("list", "--needs-attention", *payment, "--json"))
    table = await cli("list", "--needs-attention", *payment)
    shown = await cli("show", order.refund_request_id)

    assert [refund.stopped_as for refund in result.refunds] == ["terminated"]
    assert "stopped (terminated)" in table.out
    assert "yes" in table.out
    assert "stopped (terminated)" in shown.out
    assert not report(await cli("list", "--no-attention", *payment, "--json")).refunds


async def test_the_list_is_filtered_by_state_and_payment(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    await sample_refunds.until_listed(order, RefundState.PROCESSING)
    payment = ("--payment-id", order.payment_id)

    found = await cli("list", "--state", "processing", *payment)
    other = await cli("list", "--state", "in-doubt", *payment)

    assert (found.code, other.code) == (0, 0)
    header, line = found.out.splitlines()
    assert header.split() == [
        *("refund", "merchant", "payment", "amount", "state", "code", "attention")
    ]
    assert line.split() == [
        *(order.refund_request_id, "default", order.payment_id),
        *("12.50", "EUR", "processing", "REFUND_IN_PROCESS"),
    ]
    assert other.out == "no refunds found\n"


async def test_the_list_is_filtered_by_merchant_and_attention(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.blocked()
    await sample_refunds.until_listed(order, RefundState.BLOCKED)
    payment = ("--payment-id", order.payment_id, "--json")

    assert report(await cli("list", "--merchant", "kiosk", *payment)).refunds
    assert not report(await cli("list", "--merchant", "default", *payment)).refunds
    assert report(await cli("list", "--needs-attention", *payment)).refunds
    assert not report(await cli("list", "--no-attention", *payment)).refunds
    assert "yes" in (await cli("list", "--payment-id", order.payment_id)).out


async def test_the_list_is_limited_and_its_json_has_every_refund_found(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    orders = [await sample_refunds.ended() for _ in range(2)]
    for order in orders:
        await sample_refunds.until_listed(order, RefundState.SUCCEEDED)

    several = report(await cli("list", "--json", "--state", "succeeded")).refunds
    one = report(await cli("list", "--json", "--state", "succeeded", "--limit", "1")).refunds

    assert {order.refund_request_id for order in orders} <= {v.refund_request_id for v in several}
    assert {view.state for view in several} == {RefundState.SUCCEEDED}
    assert len(one) == 1


async def test_markup_in_a_callers_text_is_shown_unchanged(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = (await sample_refunds.order()).model_copy(update={"payment_id": "pay[/red][bold]"})

    shown = await cli(*start(order, "--wait", "60"))
    await sample_refunds.until_listed(order, RefundState.FAILED)
    listed = await cli("list", "--payment-id", order.payment_id)

    assert (shown.code, listed.code) == (6, 0)
    assert "pay[/red][bold]" in shown.out
    assert "pay[/red][bold]" in listed.out


async def test_check_now_works_while_a_refund_runs(cli: Cli, sample_refunds: SampleRefunds) -> None:
    order = await sample_refunds.pending()

    result = await cli("check-now", order.refund_request_id, *BY)

    assert (result.code, result.err) == (0, "")
    assert "an inquiry is being sent" in result.out


async def test_resolve_sets_the_final_state_manually(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()

    result = await cli("resolve", order.refund_request_id, "failed", *BY, "--proof", "T-1 [x]")
    shown = await cli("show", order.refund_request_id, "--wait", "60")

    assert (result.code, result.out) == (0, "the refund is failed\n")
    assert shown.code == 6
    assert "ops: the buyer called (proof: T-1 [x])" in shown.out


async def test_a_refund_that_was_not_sent_is_called_off(
    lone_cli: Cli, shell: pytest.MonkeyPatch, harness: Harness
) -> None:
    shell.setenv("TEMPORAL_ADDRESS", harness.temporal.service_client.config.target_host)
    harness.transport.is_down = True
    order = await harness.start(harness.order())

    result = await lone_cli("call-off", order.refund_request_id, *BY)

    assert (result.code, result.err) == (0, "")
    assert "called off: the refund closes once Antom confirms" in result.out


async def test_a_refund_that_was_sent_is_not_called_off(
    cli: Cli, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()

    result = await cli("call-off", order.refund_request_id, *BY)

    assert result.code == 4
    assert "too late: the refund is processing" in result.error_line


@pytest.mark.parametrize(
    "tokens",
    [
        ("check-now", *BY),
        ("call-off", *BY),
        ("resolve", "failed", *BY, "--proof", "T-1"),
    ],
)
async def test_an_ended_refund_rejects_instructions(
    cli: Cli, sample_refunds: SampleRefunds, tokens: tuple[str, ...]
) -> None:
    order = await sample_refunds.ended()
    command, *rest = tokens

    result = await cli(command, order.refund_request_id, *rest)

    assert result.code == 4
    assert result.error_line == f"{order.refund_request_id} is already succeeded"


@pytest.mark.slow
async def test_fifty_shows_in_fifty_processes_exit_0(
    processes: Processes, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    slots = asyncio.Semaphore(CONCURRENT_SHOWS)

    async def show() -> int | None:
        async with slots:
            result = await processes.run("show", order.refund_request_id)
            return result.code if "processing" in result.out else None

    codes = await asyncio.gather(*(show() for _ in range(SHOWS)))

    assert codes == [0] * SHOWS


@pytest.mark.slow
async def test_processes_exit_with_the_documented_codes(
    processes: Processes, sample_refunds: SampleRefunds
) -> None:
    order, failing = (
        await sample_refunds.pending(),
        await sample_refunds.order(refuses_with="REFUND_WINDOW_EXCEED"),
    )
    show = ("show", order.refund_request_id)

    result = await asyncio.gather(
        processes.run("start", "pay", "0 EUR", "--id", "x"),
        processes.run("show", "unknown"),
        processes.run("call-off", order.refund_request_id, *BY),
        processes.run(*show, TEMPORAL_ADDRESS="127.0.0.1:1"),
        processes.run(*start(failing, "--wait", "60")),
        processes.run(*show, "--wait", "0.2"),
    )

    assert [each.code for each in result] == [2, 3, 4, 5, 6, 7]
    assert not any("Traceback" in each.err for each in result)


async def test_an_interrupted_wait_exits_130(
    processes: Processes, sample_refunds: SampleRefunds
) -> None:
    order = await sample_refunds.pending()
    waiting = await processes.start(COMMAND, *start(order, "--wait", "600"))
    await read_until(waiting, "already exists")

    waiting.send_signal(signal.SIGINT)
    result = await ended(waiting)

    assert (result.code, result.err) == (130, "")


async def test_the_module_is_the_same_command_line(processes: Processes) -> None:
    result = await ended(await processes.start(sys.executable, "-m", "starter", "show", "unknown"))

    assert (result.code, result.error_line) == (3, "there is no refund unknown here")


async def test_an_unexpected_error_exits_1_and_is_logged(
    lone_cli: Cli, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def show() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(refunds, "show", show)

    assert (await lone_cli("show")).code == 1
    assert [record.message for record in caplog.records] == ["cli.broken"]
