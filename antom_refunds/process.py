"""Stop signals, exit codes and the end of every process of ours."""

import asyncio
import atexit
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, TypeVar

# The exit codes of every process (docs/cli.md lists them). Only commands about refunds use 3 to 7.
OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REJECTED: Final = 4
TEMPORAL_UNAVAILABLE: Final = 5
ENDED_WITHOUT_SUCCESS: Final = 6
STILL_RUNNING: Final = 7
INTERRUPTED: Final = 130

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets. Call it once, inside the running event loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_unless_stopped(
    stop: asyncio.Event, work: Coroutine[Any, Any, Result]
) -> Result | None:
    """Return the result of `work`, or cancel it and return None if `stop` is set first."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run `work` beside the body, and cancel it at the end; its own errors are logged."""
    running = asyncio.create_task(work)
    running.add_done_callback(_log_failure)
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _log_failure(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background.failed", exc_info=error)


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
