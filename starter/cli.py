"""The command line: `antom-refunds`. Human output by default, JSON for programs.

The exit codes are in antom_refunds/process.py; docs/cli.md lists their meanings.
"""

import logging
import sys
from importlib import metadata
from typing import Final, NoReturn

from cyclopts import App, CycloptsError

from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.domain.order import InvalidOrderError
from antom_refunds.errors import CaseNotFoundError, RefundClientError, RefundNotFoundError
from antom_refunds.process import (
    FAILED,
    INTERRUPTED,
    NOT_FOUND,
    OK,
    REJECTED,
    TEMPORAL_UNAVAILABLE,
    USAGE,
    exit_process,
    print_error,
)
from antom_refunds.settings import SettingsError
from starter import key_pairs
from starter.commands import cases, refunds
from starter.json_report import print_report

log = logging.getLogger(__name__)

# Imported on demand: their servers take longer to import than `show` takes to run. Their own help
# texts are not known before, so the list of commands has its own.
_PROCESSES: Final = {
    "demo": ("local", "Run 27 refunds through faults, then audit the money."),
    "up": ("local", "Run the local stack until Ctrl-C."),
    "worker": ("processes", "Run a worker, which executes refunds and calls Antom."),
    "webhook": ("processes", "Run the webhook, which receives Antom's notifications."),
    "simulator": ("processes", "Run the Antom simulator."),
    "register_attributes": ("processes", "Add the search attributes of refunds to Temporal."),
}
_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (CycloptsError, USAGE),
    (InvalidOrderError, USAGE),
    (SettingsError, USAGE),
    (TemporalSettingsError, USAGE),
    (key_pairs.KeysNotWrittenError, USAGE),
    (RefundNotFoundError, NOT_FOUND),
    (CaseNotFoundError, NOT_FOUND),
    (RefundClientError, REJECTED),
    (TemporalUnavailableError, TEMPORAL_UNAVAILABLE),
)


def build() -> App:
    """Build the application with all its commands."""
    app = App(
        name="antom-refunds",
        help="Runs Antom refunds to their correct final state, exactly once.",
        version=lambda: metadata.version("antom-refunds"),
        result_action="return_value",
    )
    for command in (
        refunds.start,
        refunds.show,
        refunds.list_refunds,
        refunds.check_now,
        refunds.resolve,
        refunds.call_off,
    ):
        app.command(command, name=_command_name(command.__name__))
    for name, (module, summary) in _PROCESSES.items():
        path = f"starter.commands.{module}:{name}"
        app.command(path, name=_command_name(name), help=summary)
    app.command(cases.app)
    app.command(key_pairs.app)
    return app


def run(tokens: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    An anticipated error is printed as one line on standard error. With --json it is the `error`
    field of the one object on standard output instead.
    """
    given = sys.argv[1:] if tokens is None else tokens
    is_json = "--json" in given
    try:
        result = build()(given, exit_on_error=not is_json, print_error=not is_json)
    except SystemExit as stopped:  # the parser has printed its error message already
        return stopped.code if isinstance(stopped.code, int) else USAGE
    except tuple(error for error, _ in _CODES) as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        return _failed(given, str(error), code, is_json=is_json)
    except KeyboardInterrupt:
        return INTERRUPTED if not is_json else _failed(given, "interrupted", INTERRUPTED)
    except Exception as error:
        log.exception("cli.broken")
        return FAILED if not is_json else _failed(given, f"unexpected error: {error!r}", FAILED)
    return result if isinstance(result, int) else OK


def _failed(tokens: list[str], error: str, code: int, *, is_json: bool = True) -> int:
    if is_json:
        sentence = " ".join(error.split())
        command = next((token for token in tokens if not token.startswith("-")), "")
        print_report(command, exit_code=code, error=sentence)
    else:
        print_error(error)
    return code


def _command_name(name: str) -> str:
    return "list" if name == "list_refunds" else name.replace("_", "-")


def main() -> NoReturn:
    """Entry point of the `antom-refunds` script."""
    exit_process(run())
