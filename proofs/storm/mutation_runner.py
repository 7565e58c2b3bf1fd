"""`python -m proofs.storm.mutation_runner [NAME ...]`: each mutation must be caught."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, exit_process, print_error
from antom_refunds.settings import SettingsError
from proofs.storm.mutations import MUTATIONS, control_plan, plan_for
from proofs.storm.report import StormReport
from proofs.storm.runner import run_storm
from proofs.storm.schedule import Plan

_FOLDER: Final = Path(".storm") / "mutations"


def main(names: list[str]) -> int:
    """First the unbroken product, where nothing may be found; then each mutation."""
    if unknown := [name for name in names if name not in MUTATIONS]:
        print_error(f"{', '.join(unknown)}: no such mutation; there are {', '.join(MUTATIONS)}")
        return USAGE
    console = Console(width=120)
    try:
        if not _is_clean(console):
            return FAILED
        caught = [_is_caught(name, console) for name in names or MUTATIONS]
    except SettingsError as error:
        print_error(error)
        return FAILED
    console.print(f"{sum(caught)} of {len(caught)} mutations caught, each by its invariants")
    return OK if all(caught) else FAILED


def _is_clean(console: Console) -> bool:
    report = _run(control_plan(), "")
    mark = "[green]unbroken[/]" if report.holds else "[red]UNBROKEN, and yet[/]"
    console.print(f"{mark}  found: {_found(report) or 'nothing'}  ({report.lasted:.0f} s)")
    return report.holds


def _is_caught(name: str, console: Console) -> bool:
    report = _run(plan_for(name), name)
    is_caught = all(report.found[invariant] for invariant in MUTATIONS[name].finds)
    mark = "[green]caught[/]" if is_caught else "[red]MISSED[/]"
    console.print(f"{mark}  {name:<21} by: {_found(report)}  ({report.lasted:.0f} s)")
    return is_caught


def _run(plan: Plan, mutation: str) -> StormReport:
    home = _FOLDER / (mutation or "unbroken")
    return asyncio.run(run_storm(plan, home, mutation=mutation)).report


def _found(report: StormReport) -> str:
    return "; ".join(f"{each} ({len(ids)})" for each, ids in report.found.items() if ids)


if __name__ == "__main__":
    exit_process(main(sys.argv[1:]))
