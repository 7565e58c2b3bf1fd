"""`python -m bench [NAME ...]`: measure, store the numbers, render the report."""

import asyncio
import signal
from pathlib import Path
from typing import Final

from cyclopts import App
from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, exit_process, print_error
from antom_refunds.settings import SettingsError
from bench.environment import ROOT, machine_now
from bench.figures import Figures
from bench.report import MEASUREMENTS, PAGE, render_page, render_section, save

_QUICK_FOLDER: Final = Path(".bench")
_FOLDER: Final = ROOT / "docs"
console = Console(width=120, highlight=False)
app = App(name="bench", help="Measure how fast a refund is, and what it costs.")


@app.default
def bench(*names: str, quick: bool = False) -> int:
    """Measure all or some of: floor, latency, webhook, waiting, cost, peers.

    "report" only renders the report. `--quick` is a try of minutes, stored in .bench/ instead of
    docs/. The exit code is 1 if a history is longer than its limit.
    """
    if unknown := set(names) - {*MEASUREMENTS, "report"}:
        there = ", ".join(MEASUREMENTS)
        print_error(f"{', '.join(sorted(unknown))}: no such measurement; there are {there}")
        return USAGE
    folder, exceeded = _QUICK_FOLDER if quick else _FOLDER, list[str]()
    for name in (each for each in MEASUREMENTS if each in (names or MEASUREMENTS)):
        console.rule(MEASUREMENTS[name][0])
        found = asyncio.run(_measure(name, folder, quick=quick))
        exceeded += found.get("exceeded", [])
    (folder / PAGE).write_text(render_page(folder))
    console.print(f"report: {folder / PAGE}")
    if exceeded:
        print_error(f"histories longer than their limit: {'; '.join(exceeded)}")
    return FAILED if exceeded else OK


async def _measure(name: str, folder: Path, *, quick: bool) -> Figures:
    """On SIGTERM a measurement stops the processes that it started."""
    machine = machine_now()
    measuring = asyncio.ensure_future(MEASUREMENTS[name][1](console.print, quick=quick))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    save(found := {"machine": machine, **await measuring}, name, folder)
    console.print(render_section(found, name), markup=False)
    return found


if __name__ == "__main__":
    try:
        exit_process(app(result_action="return_value") or OK)
    except asyncio.CancelledError:
        exit_process(FAILED)
    except SettingsError as error:
        print_error(str(error))
        exit_process(FAILED)
