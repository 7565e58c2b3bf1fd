"""How our processes exit: an error message of one line, and a reliable exit code."""

import atexit
import logging
import os
import sys
from typing import Final, NoReturn

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2


def exit_process(code: int) -> NoReturn:
    """Exit this process with this exit code.

    A process that used Temporal's client often crashes during interpreter shutdown, with exit
    code 139 instead of its own (docs/decisions/0003-process-exit.md). So this function performs
    the necessary cleanup itself and skips the interpreter's shutdown.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def print_error(error: Exception | str) -> None:
    """Print one line to standard error."""
    print(f"antom-refunds: {error}", file=sys.stderr)  # noqa: T201 - this is the interface
