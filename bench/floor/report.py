"""The floor's section of the report."""

from collections.abc import Sequence
from typing import Final

from bench.floor.measure import Burst, FloorFindings
from bench.spread import Rounds

_GOAL: Final = 0.8
_PARTS: Final = ("worker", "temporal", "simulator", "driver")


def written(found: FloorFindings) -> str:
    """Both rows, the ratio pair by pair, and whether the goal is reached."""
    ratio = ratios(found)
    verdict = "reached" if ratio.median >= _GOAL else "not reached"
    return f"""
A refund that Antom answers at once, against a bare workflow of one activity that does nothing:
the same server, the same worker settings, bursts of {found.burst} with {found.at_once} at once,
{len(found.refunds)} pairs in turn. CPU is milliseconds for each workflow; all parts, and the
driver that asks, share the machine's processors.

| | per second | {" | ".join(f"CPU ms, {part}" for part in _PARTS)} |
|---|---|{"---|" * len(_PARTS)}
{_row("bare workflow", found.floor)}
{_row("refund", found.refunds)}

A refund's rate is **{ratio.written(2)}** of the floor's: the goal of {_GOAL} is **{verdict}**.
"""


def ratios(found: FloorFindings) -> Rounds:
    """Refunds per second over bare workflows per second, for each pair."""
    pairs = zip(found.refunds, found.floor, strict=True)
    return Rounds.of(ours.per_second / floor.per_second for ours, floor in pairs)


def _row(name: str, bursts: Sequence[Burst]) -> str:
    rate = Rounds.of(burst.per_second for burst in bursts).written(0)
    cpu = (_cpu(bursts, part) for part in _PARTS)
    return f"| {name} | {rate} | {' | '.join(cpu)} |"


def _cpu(bursts: Sequence[Burst], part: str) -> str:
    spent = [burst.cpu_ms[part] for burst in bursts if part in burst.cpu_ms]
    return Rounds.of(spent).written() if spent else ""
