"""`python -m bench [NAME ...]`: measure, keep the raw numbers, make the report anew."""

import asyncio
import signal
from pathlib import Path
from typing import Any, Final

from cyclopts import App
from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, complain, leave
from bench.contents import MEASUREMENTS
from bench.measurement import Findings, Measurement
from bench.report import keep, write

_TRIES: Final = Path(".bench")
_HERE: Final = Path(__file__).parent

app = App(name="bench", help="Measure how fast a refund is, and what it costs.")


@app.default
def bench(*names: str, quick: bool = False) -> int:
    """Measure all or some of: floor, latency, webhook, waiting, cost, peers.

    Parameters
    ----------
    names
        What to measure; everything if none is named. "report" measures nothing, and makes the
        report anew.
    quick
        A try of minutes, kept in .bench/ and not beside the report.
    """
    known = {measurement.name: measurement for measurement in MEASUREMENTS}
    if unknown := set(names) - {*known, "report"}:
        complain(f"{', '.join(sorted(unknown))}: no such measurement; there are {', '.join(known)}")
        return USAGE
    console = Console(width=120)
    folder = _TRIES if quick else _HERE
    for name in names or known:
        if name in known:
            console.rule(known[name].title)
            _measured(known[name], folder, console, is_quick=quick)
    console.print(f"report: {write(folder, MEASUREMENTS)}")
    return OK


def _measured(
    measurement: Measurement[Any], folder: Path, console: Console, *, is_quick: bool
) -> None:
    found = asyncio.run(_until_told(measurement, console, is_quick=is_quick))
    keep(found, measurement, folder)
    console.print(measurement.written(found), markup=False, highlight=False)


async def _until_told(
    measurement: Measurement[Any], console: Console, *, is_quick: bool
) -> Findings:
    """Told to stop, a measurement stops what it started."""
    measuring: asyncio.Task[Findings] = asyncio.ensure_future(
        measurement.measure(is_quick, lambda text: console.print(text, highlight=False))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    return await measuring


if __name__ == "__main__":
    try:
        leave(app(result_action="return_value") or OK)
    except asyncio.CancelledError:
        leave(FAILED)
