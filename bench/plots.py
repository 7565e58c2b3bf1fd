"""The plots: one PNG or two for a measurement that has any."""

from pathlib import Path
from statistics import median
from typing import Any

from bench.harness import Findings
from bench.latency import LatencyFindings, Segment, Variant
from bench.peers.measure import PeersFindings
from bench.waiting import WaitingFindings

_MIB = 1024**2


def render(found: Findings, name: str, folder: Path) -> None:
    """Write the plots of these findings as NAME*.png in this folder."""
    for suffix, draw in _DRAWN.get(type(found), {}).items():
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the development environment

        figure = Figure(figsize=(9, 4), layout="constrained")
        draw(figure, found)
        figure.savefig(folder / f"{name}{suffix}.png", dpi=100)


def _latency(figure: Any, found: LatencyFindings) -> None:
    """Stacked bars of the segments."""
    axes = figure.add_subplot()
    bars = [(rate, variant) for rate in found.rates for variant in Variant]
    below = [0.0] * len(bars)
    for segment in list(Segment)[:3]:
        heights = [found.segment(rate, variant, segment).median for rate, variant in bars]
        names = [f"{variant}\n{rate}/s" for rate, variant in bars]
        axes.bar(names, heights, bottom=below, label=f"until {segment}")
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set(ylabel="milliseconds, medians", title="from the sending to the end")
    axes.legend(loc="lower left")


def _memory(figure: Any, found: WaitingFindings) -> None:
    """Lines over the number of refunds."""
    axes = figure.add_subplot()
    levels = [level.memory for level in (found.idle, *found.levels)]
    known = sorted([*found.trace, *levels], key=lambda each: each.refunds)
    refunds = [each.refunds for each in known]
    for process in ("worker", "temporal"):
        axes.plot(refunds, [each.bytes[process] / _MIB for each in known], ".-", label=process)
    new = found.recovery.memory
    point = (new.refunds, new.bytes["worker"] / _MIB)
    axes.plot(*point, "x", color="black", label="a new worker at the end")
    axes.axvline(found.cached_max, color="grey", linestyle=":", label="the worker's cache is full")
    axes.set(xlabel="refunds in processing", ylabel="MiB (PSS)", ylim=(0, None))
    axes.legend()


def _calls(figure: Any, found: WaitingFindings) -> None:
    """Bars by second, beside the limit."""
    both = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    parts = (("growing", found.rate), ("after an outage", found.recovery.rate))
    for axes, (title, rate) in zip(both, parts, strict=True):
        axes.bar(range(len(rate.by_second)), rate.by_second, width=1.0)
        axes.axhline(found.limit, color="grey", linestyle=":", label="limit")
        axes.set(title=title, xlabel="seconds")
    both[0].set_ylabel("calls to Antom per second")
    both[0].legend()


def _peers(figure: Any, found: PeersFindings) -> None:
    """A horizontal bar for each engine."""
    panels = {
        "refunds per second": lambda run: run.per_second,
        "seconds to final, p99": lambda run: run.to_end.p99,
    }
    both = figure.subplots(1, 2, sharey=True)
    for axes, (title, number) in zip(both, panels.items(), strict=True):
        titles = [each.title for each in found.engines]
        widths = [median(map(number, each.bursts)) for each in found.engines]
        bars = axes.barh(titles, widths, color=["C0", *["C7"] * len(titles)])
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.set(title=title, xmargin=0.15)
    both[0].invert_yaxis()


_DRAWN: dict[type[Findings], dict[str, Any]] = {
    LatencyFindings: {"": _latency},
    WaitingFindings: {"-memory": _memory, "-calls": _calls},
    PeersFindings: {"": _peers},
}
