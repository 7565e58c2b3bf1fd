"""The floor's section of the report."""

from collections.abc import Sequence
from typing import Final

from bench.floor.measure import Burst, FloorFindings
from bench.spread import Rounds

_GOAL: Final = 0.8
_PARTS: Final = ("worker", "temporal", "simulator", "driver")


def written(found: FloorFindings) -> str:
    """All rows, the ratios round by round, and whether the goal is reached."""
    ratio, listed = ratios(found.refunds, found.floor), ratios(found.listed, found.floor)
    verdict = "reached" if ratio.median >= _GOAL else "not reached"
    return f"""
A refund that Antom answers at once, against a bare workflow of one activity that does nothing:
the same server, the same worker settings, bursts of {found.burst} with {found.at_once} at once,
{len(found.refunds)} rounds in turn, who is first changes. Between the two stands the bare workflow
with a refund's search attributes and memo, some of which it changes once as a refund does: by them
operators find refunds, and an order asked for twice is told from another. CPU is milliseconds for
each workflow; all parts, and the driver that asks, share the machine's processors.

| | per second | {" | ".join(f"CPU ms, {part}" for part in _PARTS)} |
|---|---|{"---|" * len(_PARTS)}
{_row("bare workflow", found.floor)}
{_row("the same, to be listed", found.listed)}
{_row("refund", found.refunds)}

A refund's rate is **{ratio.written(2)}** of the floor's: the goal of {_GOAL} is **{verdict}**.
To be listed alone leaves {listed.written(2)} of it; what is below that is the call at Antom, signed
and verified on both sides of it, and the typed way there and back.
"""


def ratios(bursts: Sequence[Burst], floor: Sequence[Burst]) -> Rounds:
    """Their rate over that of the bare workflow beside them, for each round."""
    beside = zip(bursts, floor, strict=True)
    return Rounds.of(burst.per_second / bare.per_second for burst, bare in beside)


def _row(name: str, bursts: Sequence[Burst]) -> str:
    rate = Rounds.of(burst.per_second for burst in bursts).written(0)
    cpu = (_cpu(bursts, part) for part in _PARTS)
    return f"| {name} | {rate} | {' | '.join(cpu)} |"


def _cpu(bursts: Sequence[Burst], part: str) -> str:
    spent = [burst.cpu_ms[part] for burst in bursts if part in burst.cpu_ms]
    return Rounds.of(spent).written() if spent else ""
