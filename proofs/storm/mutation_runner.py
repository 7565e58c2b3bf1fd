"""`python -m proofs.storm.mutation_runner [NAME ...]`: each mutation must be caught."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, exit_process, print_error
from antom_refunds.settings import SettingsError
from proofs.storm.mutations import MUTATIONS, control_plan, plan_for
from proofs.storm.runner import run_storm

_FOLDER: Final = Path(".storm") / "mutations"


def main(names: list[str]) -> int:
    """First the unbroken product, where nothing may be found; then each mutation."""
    if unknown := [name for name in names if name not in MUTATIONS]:
        print_error(f"{', '.join(unknown)}: no such mutation; there are {', '.join(MUTATIONS)}")
        return USAGE
    console = Console(width=120)
    try:
        if not _is_as_expected("", console):
            return FAILED
        caught = [_is_as_expected(name, console) for name in names or MUTATIONS]
    except SettingsError as error:
        print_error(error)
        return FAILED
    console.print(f"{sum(caught)} of {len(caught)} mutations caught, each by its invariants")
    return OK if all(caught) else FAILED


def _is_as_expected(name: str, console: Console) -> bool:
    """Whether all invariants that must find this mutation do; of the unbroken product none may."""
    plan = plan_for(name) if name else control_plan()
    report = asyncio.run(run_storm(plan, _FOLDER / (name or "unbroken"), mutation=name)).report
    found = {invariant: ids for invariant, ids in report.found.items() if ids}
    is_so = set(MUTATIONS[name].finds) <= found.keys() if name else report.holds
    mark = ("[green]caught[/]" if is_so else "[red]MISSED[/]") if name else "unbroken"
    texts = "; ".join(f"{each} ({len(ids)})" for each, ids in found.items()) or "nothing"
    console.print(f"{mark}  {name:<21} found: {texts}  ({report.lasted:.0f} s)")
    return is_so


if __name__ == "__main__":
    exit_process(main(sys.argv[1:]))
