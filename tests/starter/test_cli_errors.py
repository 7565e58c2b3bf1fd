"""What the command line rejects before it starts anything, and its error messages.

Temporal is unavailable in all of these tests, so input that exits 2 was rejected without it.
"""

from importlib import metadata

import pytest

from starter.json_report import Report
from tests.starter.conftest import UNUSED_ADDRESS
from tests.starter.processes import BY, Cli

PROOF = ("--proof", "T-1")
COMMANDS = {
    "start": "Start a refund, or find the existing one",
    "show": "Show one refund",
    "list": "List refunds, newest first",
    "check-now": "Send an inquiry to Antom now",
    "resolve": "Set the final state of a refund manually",
    "call-off": "Cancel a refund that was not yet sent",
    "demo": "Run 27 refunds",
    "up": "Run the local stack",
    "worker": "Run a worker",
    "webhook": "Run the webhook",
    "simulator": "Run the Antom simulator",
    "register-attributes": "Add the search attributes",
    "keys": "Generate RSA key pairs",
}


def start(amount: str = "12.50 EUR", *options: str) -> tuple[str, ...]:
    return "start", "pay", amount, "--id", "rf_1", *options


@pytest.mark.parametrize(
    ("tokens", "field", "rule"),
    [
        (("start", "pay", "1 EUR", "--id", "a b"), "refund_request_id", "must match"),
        (("start", "pay", "1 EUR", "--id", "a/b"), "refund_request_id", "must match"),
        (("start", "pay", "1 EUR", "--id", "x" * 65), "refund_request_id", "must match"),
        (("start", "pay ment", "1 EUR", "--id", "x"), "payment_id", "must match"),
        (start("0 EUR"), "amount", "must be more than 0"),
        (start("0 minor EUR"), "amount", "must be more than 0"),
        (start("--amount=-1 EUR"), "amount", "is not an amount"),
        (start("12.34 IDR"), "amount", "IDR must be whole rupiah"),
        (start("12 EURO"), "amount", "is not an amount: write it like '12.50 EUR'"),
        (start("12.50 eur"), "amount", "is not an amount"),
        (start("12.50"), "amount", "is not an amount"),
        (start("12 XYZ"), "amount", "the number of decimals of XYZ is unknown: write minor units"),
        (start("12.345 EUR"), "amount", "EUR has 2 decimals, not more"),
        (start("100.5 JPY"), "amount", "JPY has 0 decimals, not more"),
        (start("9" * 17 + " EUR"), "amount", "at most 16 digits"),
        (start("9" * 17 + " minor EUR"), "amount", "is not an amount"),
        (start("12,50 EUR"), "amount", "is not an amount"),
        (start("1,250.00 EUR"), "amount", "is not an amount"),
        (start("1e3 EUR"), "amount", "is not an amount"),
        (start("EUR 12.50"), "amount", "is not an amount"),
        (start("--amount=-5 EUR"), "amount", "is not an amount"),
        (start("+5 EUR"), "amount", "is not an amount"),
        (start(""), "amount", "'' is not an amount"),
        (start("12.5.0 EUR"), "amount", "is not an amount"),
        (start("9" * 100_000 + " EUR"), "amount", "at most 16 digits"),
        (start("x" * 100_000), "amount", "is not an amount"),
        (start("1\n2 EUR"), "amount", "is not an amount"),
        (start("\udcff EUR"), "amount", "is not an amount"),
        (start("1 EUR", "--reason", "\udcff"), "reason", "unicode"),
        (start("1 EUR", "--reason", "x" * 257), "reason", "at most 256 characters"),
        (start("1 EUR", "--reason", ""), "reason", "at least 1 character"),
        (start("1 EUR", "--notify-url", "ftp://x"), "notify_url", "must match"),
        (start("1 EUR", "--merchant", "No!"), "merchant", "must match"),
        (start("1 EUR", "--capture-id", "a b"), "capture_id", "must match"),
        (start("1 EUR", "--reference-refund-id", ""), "reference_refund_id", "must match"),
        (("check-now", "x", "--by", "", "--reason", "r"), "by", "at least 1 character"),
        (("call-off", "x", "--by", "a", "--reason", "r" * 501), "reason", "at most 500"),
        (("resolve", "x", "failed", *BY, "--proof", ""), "proof", "at least 1 character"),
    ],
)
async def test_invalid_input_is_reported_in_one_line_with_field_and_rule(
    lone_cli: Cli, tokens: tuple[str, ...], field: str, rule: str
) -> None:
    result = await lone_cli(*tokens)

    assert result.code == 2
    assert result.error_line.startswith(f"{field}: ")
    assert rule in result.error_line


async def test_all_invalid_fields_are_named_in_one_message(lone_cli: Cli) -> None:
    result = await lone_cli("start", "a b", "1 EUR", "--id", "c d", "--reason", "")

    assert [error.split(":")[0] for error in result.error_line.split("; ")] == [
        *("refund_request_id", "payment_id", "reason")
    ]


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (("nonsense",), "nonsense"),
        (("start", "pay", "1 EUR"), "--id"),
        (("start", "--id", "x"), "--payment-id"),
        (("show",), "--refund-request-id"),
        (("list", "--state", "lost"), "--state"),
        (("list", "--limit", "0"), "--limit"),
        (("show", "x", "--wait", "-1"), "--wait"),
        (("show", "x", "--wait", "soon"), "--wait"),
        (("check-now", "x", "--by", "ops"), "--reason"),
        (("resolve", "x", "processing", *BY, *PROOF), "processing"),
        (("demo", "--speedup", "0"), "--speedup"),
        (("up", "--speedup", "-1"), "--speedup"),
    ],
)
async def test_wrong_usage_is_explained(lone_cli: Cli, tokens: tuple[str, ...], named: str) -> None:
    result = await lone_cli(*tokens)

    assert (result.code, result.out) == (2, "")
    assert named in result.err


@pytest.mark.parametrize(
    "tokens",
    [
        start(),
        ("show", "x"),
        ("show", "x", "--wait", "5"),
        ("list",),
        ("check-now", "x", *BY),
        ("call-off", "x", *BY),
        ("resolve", "x", "failed", *BY, *PROOF),
        ("register-attributes",),
    ],
)
async def test_an_unavailable_temporal_is_reported_in_one_line_with_its_address(
    lone_cli: Cli, tokens: tuple[str, ...]
) -> None:
    result = await lone_cli(*tokens)

    assert result.code == 5
    assert result.error_line == (
        f"Temporal is not reachable at {UNUSED_ADDRESS}: start it or set TEMPORAL_ADDRESS"
    )


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("ANTOM_REFUNDS_SPEEDUP", "fast", "valid number"),
        ("ANTOM_REFUNDS_SPEEDUP", "0", "greater than 0"),
        ("ANTOM_REFUNDS_UI_URL", "nowhere", "match"),
        ("ANTOM_REFUNDS_SPEEDUPS", "1", "no such setting; see .env.example"),
    ],
)
async def test_an_invalid_setting_is_reported_in_one_line_with_its_name(
    lone_cli: Cli, shell: pytest.MonkeyPatch, variable: str, value: str, rule: str
) -> None:
    shell.setenv(variable, value)

    result = await lone_cli("show", "x")

    assert result.code == 2
    assert result.error_line.startswith(f"{variable}: ")
    assert rule in result.error_line


@pytest.mark.parametrize(
    ("tokens", "code", "error"),
    [
        (start("12,50 EUR"), 2, "amount: '12,50 EUR' is not an amount"),
        (("show",), 2, "--refund-request-id"),
        (("list", "--state", "lost"), 2, "--state"),
        (("nonsense",), 2, "nonsense"),
        (start(), 5, f"Temporal is not reachable at {UNUSED_ADDRESS}"),
        (("show", "x"), 5, "is not reachable"),
        (("list",), 5, "is not reachable"),
        (("check-now", "x", *BY), 5, "is not reachable"),
        (("call-off", "x", *BY), 5, "is not reachable"),
        (("resolve", "x", "failed", *BY, *PROOF), 5, "is not reachable"),
        (("register-attributes",), 5, "is not reachable"),
    ],
)
async def test_json_of_a_failure_has_the_message_and_the_exit_code(
    lone_cli: Cli, tokens: tuple[str, ...], code: int, error: str
) -> None:
    result = await lone_cli(*tokens, "--json")

    [line] = result.out.splitlines()
    report = Report.model_validate_json(line)
    assert (result.code, result.err, report.exit_code, report.refunds) == (code, "", code, ())
    assert report.command == tokens[0]
    assert error in str(report.error)
    assert "\n" not in str(report.error)


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_a_help_text(lone_cli: Cli, command: str) -> None:
    result = await lone_cli(command, "--help")

    assert (result.code, result.err) == (0, "")
    assert f"antom-refunds {command}" in result.out
    assert COMMANDS[command] in result.out


async def test_the_help_explains_every_command(lone_cli: Cli) -> None:
    result = await lone_cli("--help")

    rows = [line.strip("│ ").split(maxsplit=1) for line in result.out.splitlines()]
    explained = {row[0] for row in rows if len(row) == 2}
    assert result.code == 0
    assert explained >= set(COMMANDS)


async def test_the_version_is_printed(lone_cli: Cli) -> None:
    result = await lone_cli("--version")

    assert (result.code, result.out) == (0, f"{metadata.version('antom-refunds')}\n")
