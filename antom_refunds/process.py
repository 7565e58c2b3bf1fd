"""How our processes end: with one clear sentence if something is wrong, and with a true code."""

import atexit
import logging
import os
import sys
from typing import Final, NoReturn

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2


def exit_process(code: int) -> NoReturn:
    """End this process with this exit code.

    A process that used Temporal's client often crashes while the interpreter takes itself apart,
    which turns good work into exit code 139 (docs/decisions/0003-process-exit.md). So everything
    that must happen at exit happens here, and the interpreter is then left as it is.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def print_error(error: Exception | str) -> None:
    """One line for the person who started the process."""
    print(f"antom-refunds: {error}", file=sys.stderr)  # noqa: T201 - this is the interface
