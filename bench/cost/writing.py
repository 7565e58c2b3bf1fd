"""The section on costs, from the findings alone."""

from collections.abc import Callable, Iterator
from math import floor
from typing import Final, NamedTuple

from bench.cost.findings import CostFindings, Fare, Toll

_KIB: Final = 1024
_UNITS: Final[dict[str, Callable[[Toll], int]]] = {
    "events": lambda toll: toll.events,
    "billable actions": lambda toll: toll.actions,
    "bytes": lambda toll: toll.stored,
    "calls": lambda toll: toll.calls,
}
_HEAD: Final = (
    "| way | events | loop | billable actions | loop | KiB | loop | calls at Antom | loop |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
)
_ABOUT: Final = """\
One refund on each way, driven by this project and by the timer loop of Temporal's sample "periodic
sequence" and of many tutorials: a workflow that calls an activity, sleeps on a timer, and calls it
again (`bench/peers/timer_loop`). Here the engine retries one activity instead, as in the sample
"infrequent polling". Both decide by the same state machine and wait by the same schedules; the loop
sets no search attributes, as samples do not.

Billable actions are counted by Temporal Cloud's rules: each start (as new too), attempt of an
activity, timer, signal and upsert. KiB is the whole history. The ways with 20 and 200 inquiries
take weeks, and are taken on a server that skips time.
"""


class Line(NamedTuple):
    """What grows evenly by the inquiry: so much after `inquiries`, and `slope` for each more."""

    inquiries: int
    value: float
    slope: float

    def is_below_from(self, steeper: "Line") -> int:
        """The first inquiry after which this is less than the other one."""
        lead = (steeper.value - self.value) / (steeper.slope - self.slope)
        return max(floor(self.inquiries - lead) + 1, 1)


def written(found: CostFindings) -> str:
    """The table, and what follows from it."""
    rows = [_row(fare) for fare in found.fares]
    said = [f"- {sentence}" for sentence in _conclusions(found)]
    return "\n".join([_ABOUT, *_HEAD, *rows, "", *said]) + "\n"


def _row(fare: Fare) -> str:
    cells = [fare.way]
    for name, value in _UNITS.items():
        cells += [_cell(name, value, toll) for toll in (fare.ours, fare.loop)]
    return "| " + " | ".join(cells) + " |"


def _cell(name: str, value: Callable[[Toll], int], toll: Toll | None) -> str:
    if toll is None:
        return "-"
    return f"{value(toll) / _KIB:.1f}" if name == "bytes" else f"{value(toll):,}"


def _conclusions(found: CostFindings) -> Iterator[str]:
    yield from _by_inquiry(found)
    yield from (_cheaper(name, value, found) for name, value in _UNITS.items())
    apart = [fare.way for fare in found.fares if fare.loop and fare.loop.end != fare.ours.end]
    yield f"They ended differently: {_listed(apart)}." if apart else "Both ended each refund alike."
    yield _limits(found)


def _cheaper(name: str, value: Callable[[Toll], int], found: CostFindings) -> str:
    both = [(fare.way, value(fare.ours), value(fare.loop)) for fare in found.fares if fare.loop]
    here = [way for way, ours, loop in both if ours < loop]
    there = [way for way, ours, loop in both if loop < ours]
    if not here and not there:
        return f"Neither needs more {name} than the other on any way."
    return f"Fewer {name} here: {_listed(here)}. Fewer in the loop: {_listed(there)}."


def _listed(things: list[str]) -> str:
    return "; ".join(things) or "nowhere"


def _by_inquiry(found: CostFindings) -> Iterator[str]:
    """Between the ways that differ in inquiries alone, everything grows by the inquiry."""
    few, many = found.by_inquiries()
    if few.loop is None or many.loop is None or few is many:
        return
    grown, crossed = [], []
    for name in ("events", "billable actions", "bytes"):
        value = _UNITS[name]
        ours = _line(few, value(few.ours), many, value(many.ours))
        loop = _line(few, value(few.loop), many, value(many.loop))
        grown.append(f"{loop.slope:,.1f} {name} in the loop and {ours.slope:.1f} here")
        if loop.slope > ours.slope:
            crossed.append(f"fewer {name} from inquiry {ours.is_below_from(loop)} on")
    yield f"Each further inquiry adds {'; '.join(grown)}."
    yield f"So this project needs {_listed(crossed)}."


def _line(few: Fare, at_few: int, many: Fare, at_many: int) -> Line:
    more = (many.inquiries or 0) - (few.inquiries or 0)
    return Line(few.inquiries or 0, at_few, (at_many - at_few) / more)


def _limits(found: CostFindings) -> str:
    held = [fare for fare in found.fares if fare.events_max is not None]
    broken = [fare.way for fare in held if not fare.is_within]
    if broken:
        return f"Histories longer than they may be: {_listed(broken)}."
    limits = [f"{fare.way} {fare.events_max}" for fare in held]
    return f"No history is longer than it may be, in events: {_listed(limits)}."
