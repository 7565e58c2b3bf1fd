"""Print what each way costs; 1 if one costs more than it may."""

import asyncio

from rich.console import Console
from rich.table import Table

from antom_refunds.process import FAILED, OK, leave
from bench.cost.findings import CostFindings, Toll
from bench.cost.measuring import measure


def _table(found: CostFindings) -> Table:
    table = Table(
        "way", "", "history events", "may be", "billable actions", "calls", "bytes", "end"
    )
    for fare in found.fares:
        table.add_row(fare.way, "ours", *_cells(fare.ours, fare.events_max))
        if fare.loop is not None:
            table.add_row("", "timer loop", *_cells(fare.loop, None), style="dim")
    return table


def _cells(toll: Toll, limit: int | None) -> tuple[str, ...]:
    numbers = (toll.events, limit or "", toll.actions, toll.calls, toll.stored)
    return *map(str, numbers), toll.end


async def main() -> int:
    """Count, print, judge."""
    console = Console(width=120)
    found = await measure(False, console.print)  # noqa: FBT003 - a measurement's form
    console.print(_table(found))
    return OK if all(fare.is_within for fare in found.fares) else FAILED


if __name__ == "__main__":
    leave(asyncio.run(main()))
