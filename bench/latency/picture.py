"""The plot about latency: where the time of a median word goes, and how the sides compare."""

from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.latency.findings import GOAL, LatencyFindings, Leg, Side

_FILE: Final = "latency.png"
_WAY: Final = (Leg.STORED, Leg.TAKEN, Leg.ENDED)
_COLOURS: Final = dict(zip(_WAY, ("tab:blue", "tab:grey", "tab:orange"), strict=True))
_SAYS: Final = {Leg.STORED: "until stored", Leg.TAKEN: "until taken", Leg.ENDED: "until ended"}


def drawn(found: LatencyFindings, folder: Path) -> tuple[str, ...]:
    """One PNG: the stretches stacked, and the ratio of every round."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - not everybody has it

    figure = Figure(figsize=(9.5, 4), layout="constrained")
    ways, ratios = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_ways(ways, found)
    _draw_ratios(ratios, found)
    figure.savefig(folder / _FILE, dpi=100)
    return (_FILE,)


def _draw_ways(axes: Any, found: LatencyFindings) -> None:
    bars = [(rate, side) for rate in found.rates for side in Side]
    names = [f"{side}\n{rate}/s" for rate, side in bars]
    below = [0.0] * len(bars)
    for leg in _WAY:
        heights = [_median(found, rate, side, leg) for rate, side in bars]
        axes.bar(names, heights, bottom=below, color=_COLOURS[leg], label=_SAYS[leg])
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_ylabel("milliseconds, medians")
    axes.set_title("a word's way to the end")
    axes.legend()


def _draw_ratios(axes: Any, found: LatencyFindings) -> None:
    points = [(str(each.per_second), each.ratio(Side.REFUND)) for each in found.rounds]
    points.sort(key=lambda point: int(point[0]))
    axes.scatter(*zip(*points, strict=True), color="tab:blue", label="a round")
    axes.axhline(GOAL, color="tab:red", linestyle="--", label=f"goal {GOAL}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("words a second")
    axes.set_title("refund's p50 / bare's")
    axes.legend()


def _median(found: LatencyFindings, rate: int, side: Side, leg: Leg) -> float:
    return median(each.side(side).leg(leg).p50 for each in found.at(rate))
