"""The commands `up` and `demo`, which run the local stack."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from rich.console import Console

from antom_refunds.process import (
    FAILED,
    INTERRUPTED,
    OK,
    print_error,
    run_unless_stopped,
    stop_signal,
)
from starter import sample_payments
from starter.demo import runner
from starter.stack import local_stack

_DEMO: Final = Path(".demo")
_UP: Final = Path(".up")
Speedup = Annotated[
    float,
    Parameter(
        help="How many times faster than real time; 1 is Antom's own timing.",
        validator=validators.Number(gt=0),
    ),
]


async def demo(*, keep: bool = False, speedup: Speedup = 60) -> int:
    """Run 27 refunds through normal and failing conditions, then audit the money.

    Parameters
    ----------
    keep
        Keep the stack running afterwards, until Ctrl-C.
    """
    stop = stop_signal()
    async with local_stack(_DEMO, speedup=speedup) as stack:
        holds = await run_unless_stopped(stop, runner.run(stack, Console()))
        if keep and holds is not None:
            Console().print(f"the stack is still running: {stack.ui_url} (Ctrl-C stops it)")
            await stop.wait()
    if holds is None:
        return INTERRUPTED
    return OK if holds else FAILED


async def up(*, speedup: Speedup = 1) -> int:
    """Run the local stack, with a few payments to refund, until Ctrl-C."""
    stop = stop_signal()
    async with local_stack(_UP, speedup=speedup) as stack:
        await sample_payments.add_sample_payments(stack, Console())
        ended = await run_unless_stopped(stop, stack.wait_for_exit())
    if ended is None:
        return OK
    print_error(f"{ended} exited unexpectedly; see {stack.home / 'logs'}")
    return FAILED
