"""`python -m proofs.storm`: see --help and docs/storm.md."""

import asyncio
from pathlib import Path
from random import SystemRandom
from typing import Final, Literal

from cyclopts import App
from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, exit_process, print_error
from antom_refunds.settings import SettingsError
from proofs.storm.mutations import MUTATIONS, control_plan, plan_for
from proofs.storm.plan import SIZES
from proofs.storm.plots import render
from proofs.storm.report import show
from proofs.storm.runner import run_storm
from proofs.storm.schedule import draw_plan

_SEEDS: Final = 1_000_000
_FOLDER: Final = Path(".storm")
console = Console(width=120, highlight=False)
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
    plan = draw_plan(SIZES[size], SystemRandom().randrange(_SEEDS) if seed is None else seed)
    console.print(f"storm {size}, seed {plan.seed}: repeat it with --seed {plan.seed}")
    found = asyncio.run(run_storm(plan, _FOLDER / "stack", log=console.print))
    show(found.report, console)
    (_FOLDER / "report.json").write_text(found.report.model_dump_json(indent=2) + "\n")
    if picture:
        console.print(render(found, _FOLDER / picture))
    return OK if found.report.holds else FAILED


@app.command
def mutations(*names: str) -> int:
    """Check that nothing is found in the unbroken product, and then that each mutation is."""
    if unknown := [name for name in names if name not in MUTATIONS]:
        print_error(f"{', '.join(unknown)}: no such mutation; there are {', '.join(MUTATIONS)}")
        return USAGE
    if not _is_as_expected(""):
        return FAILED
    caught = [_is_as_expected(name) for name in names or MUTATIONS]
    console.print(f"{sum(caught)} of {len(caught)} mutations caught, each by its invariants")
    return OK if all(caught) else FAILED


def _is_as_expected(name: str) -> bool:
    """Whether all invariants that must find this mutation do; of the unbroken product none may."""
    plan, home = plan_for(name) if name else control_plan(), _FOLDER / "mutations"
    report = asyncio.run(run_storm(plan, home / (name or "unbroken"), mutation=name)).report
    found = {invariant: ids for invariant, ids in report.found.items() if ids}
    is_so = set(MUTATIONS[name].finds) <= found.keys() if name else report.holds
    mark = ("[green]caught[/]" if is_so else "[red]MISSED[/]") if name else "unbroken"
    texts = "; ".join(f"{each} ({len(ids)})" for each, ids in found.items()) or "nothing"
    console.print(f"{mark}  {name:<21} found: {texts}  ({report.lasted:.0f} s)")
    return is_so


if __name__ == "__main__":
    try:
        exit_process(app(result_action="return_value") or OK)
    except SettingsError as error:
        print_error(error)
        exit_process(FAILED)
