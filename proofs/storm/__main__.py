"""`python -m proofs.storm`: see --help and docs/storm.md."""

import asyncio
from pathlib import Path
from random import SystemRandom
from typing import Final, Literal

from cyclopts import App
from rich.console import Console

from antom_refunds.process import FAILED, OK, exit_process, print_error
from antom_refunds.settings import SettingsError
from proofs.storm.plan import SIZES
from proofs.storm.plots import render
from proofs.storm.report import show
from proofs.storm.runner import run_storm
from proofs.storm.schedule import draw_plan

_SEEDS: Final = 1_000_000
_FOLDER: Final = Path(".storm")

app = App(name="storm", help="Break everything on purpose, and count what was lost: nothing.")


@app.default
def storm(
    size: Literal["short", "usual", "long"] = "usual",
    *,
    seed: int | None = None,
    picture: str = "",
) -> int:
    """Run one storm and check it; exits 0 only if every invariant is 0.

    Parameters
    ----------
    size
        short: a minute; usual: three; long: half an hour.
    seed
        Determines the schedule of all faults; random by default.
    picture
        The name of the timeline beside the report in .storm/; none by default, needs matplotlib.
    """
    console = Console(width=120, highlight=False)
    plan = draw_plan(SIZES[size], SystemRandom().randrange(_SEEDS) if seed is None else seed)
    console.print(f"storm {size}, seed {plan.seed}: repeat it with --seed {plan.seed}")
    try:
        found = asyncio.run(run_storm(plan, _FOLDER / "stack", log=console.print))
    except SettingsError as error:
        print_error(error)
        return FAILED
    show(found.report, console)
    (_FOLDER / "report.json").write_text(found.report.model_dump_json(indent=2) + "\n")
    if picture:
        console.print(render(found, _FOLDER / picture))
    return OK if found.report.holds else FAILED


if __name__ == "__main__":
    exit_process(app(result_action="return_value") or OK)
