"""The verdict on one screen."""

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from bench.spread import Spread
from bench.storm.invariants import Invariant
from bench.storm.verdict import Verdict, ended

_NAMED_MAX = 4


def show(verdict: Verdict, console: Console) -> None:
    """What happened, what was found, and whether it holds."""
    broken = f", broken on purpose: {verdict.mutation}" if verdict.mutation else ""
    console.rule(f"storm {verdict.shape}, seed {verdict.seed}{broken}")
    console.print(
        f"{verdict.refunds} refunds of {verdict.payments} payments, asked for {verdict.asks} times "
        f"in {verdict.lasted:.0f} s: {ended(verdict.states)}",
        highlight=False,
    )
    console.print(_faults(verdict))
    console.print(_numbers(verdict))
    console.print(_invariants(verdict))
    holds = "[green]no money lost, none doubled: every invariant is 0[/]"
    console.print(holds if verdict.holds else "[red]the storm found a breach[/]")


def _faults(verdict: Verdict) -> Columns:
    texts = [f"{count:>5} {name}" for name, count in verdict.faults.items()]
    return Columns(texts, equal=True, column_first=True, title="faults that struck")


def _numbers(verdict: Verdict) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    mean, bound = f"mean {verdict.calls_mean:.1f}", f"largest bound {verdict.events_bound}"
    shown = f"{verdict.contradicted_shown} of them shown to a person"
    table.add_row("Antom's final word to ours", *_spread(verdict.late, " s", 2))
    table.add_row("calls to Antom per refund", *_spread(verdict.calls), mean)
    table.add_row("history events per refund", *_spread(verdict.events), bound)
    table.add_row("Antom signed both ends of", f"{verdict.contradicted}", "", "", shown)
    return table


def _spread(spread: Spread, unit: str = "", digits: int = 0) -> tuple[str, str, str]:
    return (
        f"p50 {spread.p50:.{digits}f}{unit}",
        f"p99 {spread.p99:.{digits}f}{unit}",
        f"max {spread.max:.{digits}f}{unit}",
    )


def _invariants(verdict: Verdict) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    for invariant in Invariant:
        found = verdict.found.get(invariant, ())
        style = "red" if found else "green"
        table.add_row(f"[{style}]{len(found):>5}[/]", invariant.value, _some(found))
    return table


def _some(found: tuple[str, ...]) -> str:
    more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
    return ", ".join(found[:_NAMED_MAX]) + more
