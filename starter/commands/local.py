"""The commands that run everything on one machine: the local stack and the demo."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from rich.console import Console

from antom_refunds.process import FAILED, OK, print_error
from starter import sample_payments
from starter.commands.stop_signal import run_unless_stopped, stop_signal
from starter.demo import runner
from starter.stack import local_stack

_DEMO: Final = Path(".demo")
_UP: Final = Path(".up")
_STOPPED: Final = 130
Speedup = Annotated[
    float,
    Parameter(
        help="How many times faster than life; 1 is Antom's own time.",
        validator=validators.Number(gt=0),
    ),
]


async def demo(*, keep: bool = False, speedup: Speedup = 60) -> int:
    """Watch two dozen refunds live through good and bad days, then audit the money.

    Parameters
    ----------
    keep
        Leave everything running afterwards, until Ctrl-C.
    """
    stop = stop_signal()
    async with local_stack(_DEMO, speedup=speedup) as stack:
        holds = await run_unless_stopped(stop, runner.run(stack, Console()))
        if keep and holds is not None:
            Console().print(f"everything still runs; look at {stack.ui_url}; Ctrl-C stops it")
            await stop.wait()
    if holds is None:
        return _STOPPED
    return OK if holds else FAILED


async def up(*, speedup: Speedup = 1) -> int:
    """Start the local stack, with a few payments to refund, until Ctrl-C."""
    stop = stop_signal()
    async with local_stack(_UP, speedup=speedup) as stack:
        await sample_payments.add_sample_payments(stack, Console())
        ended = await run_unless_stopped(stop, stack.wait_for_exit())
    if ended is None:
        return OK
    print_error(f"{ended} ended by itself; see {stack.home / 'logs'}")
    return FAILED
