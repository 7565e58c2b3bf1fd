"""The command line: `antom-refunds`. Human output by default, JSON for programs.

Exit codes: 0 done, 1 broken, 2 wrong usage or setting or order, 3 no such refund, 4 refused,
5 Temporal is away, 6 the refund ended without success, 7 no end within the time given.
"""

import logging
from importlib import metadata
from typing import Final, NoReturn

from cyclopts import App

from antom_refunds.client import RefundClientError, RefundNotFoundError
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.domain.order import InvalidOrderError
from antom_refunds.process import FAILED, OK, USAGE, complain, leave
from antom_refunds.settings import SettingsError
from starter import keys, refunds

log = logging.getLogger(__name__)

# By name, since their servers take longer to import than a refund takes to show.
_LOCAL: Final = ("demo", "up", "worker", "webhook", "simulator", "register_attributes")
_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (InvalidOrderError, USAGE),
    (SettingsError, USAGE),
    (TemporalSettingsError, USAGE),
    (keys.KeysNotWrittenError, USAGE),
    (RefundNotFoundError, 3),
    (RefundClientError, 4),
    (TemporalUnavailableError, 5),
)


def build() -> App:
    """The application with all its commands."""
    app = App(
        name="antom-refunds",
        help="Refunds at Antom that reach their true end, exactly once.",
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
        app.command(command, name=_spoken(command.__name__))
    for name in _LOCAL:
        app.command(f"starter.local:{name}", name=_spoken(name))
    app.command(keys.app)
    return app


def run(tokens: list[str] | None = None) -> int:
    """Run one command; its exit code. Anticipated trouble is one line on standard error."""
    try:
        result = build()(tokens)
    except SystemExit as stopped:  # the parser's own complaint, already printed
        return stopped.code if isinstance(stopped.code, int) else USAGE
    except tuple(error for error, _ in _CODES) as error:
        complain(error)
        return next(code for kind, code in _CODES if isinstance(error, kind))
    except KeyboardInterrupt:
        return 130
    except Exception:
        log.exception("cli.broken")
        return FAILED
    return result if isinstance(result, int) else OK


def _spoken(name: str) -> str:
    return "list" if name == "list_refunds" else name.replace("_", "-")


def main() -> NoReturn:
    """The process behind `antom-refunds`."""
    leave(run())
