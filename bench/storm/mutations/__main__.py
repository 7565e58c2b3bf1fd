"""`python -m bench.storm.mutations [NAME ...]`: each way to break the product must be caught."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from antom_refunds.process import FAILED, OK, USAGE, complain, leave
from antom_refunds.settings import SettingsError
from bench.storm.mutations.plans import control, plan_of
from bench.storm.mutations.scenes import SCENES
from bench.storm.schedule import Plan
from bench.storm.storm import weathered
from bench.storm.verdict import Verdict

_FOLDER: Final = Path(".storm") / "mutations"


def main(names: list[str]) -> int:
    """First unbroken, where nothing may be found; then broken, where it must be."""
    if unknown := [name for name in names if name not in SCENES]:
        complain(f"{', '.join(unknown)}: no such mutation; there are {', '.join(SCENES)}")
        return USAGE
    console = Console(width=120)
    if not _is_clean(console):
        return FAILED
    caught = [_is_caught(name, console) for name in names or SCENES]
    console.print(f"{sum(caught)} of {len(caught)} mutations caught, each by its invariants")
    return OK if all(caught) else FAILED


def _is_clean(console: Console) -> bool:
    verdict = _played(control(), "")
    if verdict is None:
        return False
    mark = "[green]unbroken[/]" if verdict.holds else "[red]UNBROKEN, and yet[/]"
    console.print(f"{mark}  found: {_found(verdict) or 'nothing'}  ({verdict.lasted:.0f} s)")
    return verdict.holds


def _is_caught(name: str, console: Console) -> bool:
    verdict = _played(plan_of(name), name)
    if verdict is None:
        return False
    is_caught = all(verdict.found[invariant] for invariant in SCENES[name].finds)
    mark = "[green]caught[/]" if is_caught else "[red]MISSED[/]"
    console.print(f"{mark}  {name:<21} by: {_found(verdict)}  ({verdict.lasted:.0f} s)")
    return is_caught


def _played(plan: Plan, mutation: str) -> Verdict | None:
    try:
        home = _FOLDER / (mutation or "unbroken")
        return asyncio.run(weathered(plan, home, mutation=mutation)).verdict
    except SettingsError as error:
        complain(error)
        return None


def _found(verdict: Verdict) -> str:
    return "; ".join(f"{each} ({len(ids)})" for each, ids in verdict.found.items() if ids)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
