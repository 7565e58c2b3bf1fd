"""The plots: one PNG or two for a measurement that has any."""

from pathlib import Path
from statistics import median
from typing import Any

from bench.harness import Findings
from bench.latency import LatencyFindings, Segment, Variant
from bench.peers.measure import PeersFindings
from bench.waiting import Memory, WaitingFindings

_MIB = 1024**2


def render(found: Findings, name: str, folder: Path) -> None:
    """Write the plots of these findings as NAME*.png in this folder."""
    for suffix, draw in _DRAWN.get(type(found), {}).items():
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the development environment

        figure = Figure(figsize=(9, 4), layout="constrained")
        draw(figure, found)
        figure.savefig(folder / f"{name}{suffix}.png", dpi=100)


def _latency(figure: Any, found: LatencyFindings) -> None:
    above, ratios = figure.subplots(1, 2, width_ratios=(3, 2))
    bars = [(rate, variant) for rate in found.rates for variant in Variant]
    names = [f"{variant}\n{rate}/s" for rate, variant in bars]
    below = [0.0] * len(bars)
    for segment, colour in zip(list(Segment)[:3], ("blue", "grey", "orange"), strict=True):
        heights = [found.segment(rate, variant, segment).median for rate, variant in bars]
        label = f"until {segment}"
        above.bar(names, heights, bottom=below, color=f"tab:{colour}", label=label)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    above.set(ylabel="milliseconds, medians", title="from the sending to the end")
    above.legend(loc="lower left")
    rounds = sorted(found.rounds, key=lambda each: each.per_second)
    points = [each.ratio(Variant.REFUND) for each in rounds]
    ratios.scatter([str(each.per_second) for each in rounds], points, color="tab:blue")
    ratios.axhline(found.goal, color="tab:red", linestyle="--", label=f"goal {found.goal}")
    ratios.set(
        ylim=(0, 1.1 * max(points)),
        xlabel="messages per second",
        title="refund's p50 / bare's, rounds",
    )
    ratios.legend(loc="lower left")


def _memory(figure: Any, found: WaitingFindings) -> None:
    axes = figure.add_subplot()
    levels = [level.memory for level in (found.idle, *found.levels)]
    known: list[Memory] = sorted([*found.trace, *levels], key=lambda each: each.refunds)
    refunds = [each.refunds for each in known]
    for process in ("worker", "temporal"):
        axes.plot(refunds, [each.bytes[process] / _MIB for each in known], ".-", label=process)
    new = found.recovery.memory
    at = new.refunds, new.bytes["worker"] / _MIB
    axes.plot(*at, "x", color="black", label="a new worker at the end")
    axes.axvline(found.cached_max, color="grey", linestyle=":", label="the worker's cache is full")
    axes.set(xlabel="refunds in processing", ylabel="MiB (PSS)", ylim=(0, None))
    axes.legend()


def _calls(figure: Any, found: WaitingFindings) -> None:
    both = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    parts = (("growing", found.rate), ("after an outage", found.recovery.rate))
    for axes, (title, rate) in zip(both, parts, strict=True):
        axes.bar(range(len(rate.by_second)), rate.by_second, width=1.0)
        axes.axhline(found.limit, color="grey", linestyle=":", label="limit")
        axes.set(title=title, xlabel="seconds")
    both[0].set_ylabel("calls to Antom per second")
    both[0].legend()


def _peers(figure: Any, found: PeersFindings) -> None:
    ran = [each for each in found.summaries if each.bursts]
    colours = ["C0" if place == 0 else "C7" for place in range(len(ran))]
    panels = {
        "refunds per second": lambda run: run.per_second,
        "seconds to final, p99": lambda run: run.to_end.p99,
    }
    both = figure.subplots(1, 2, sharey=True)
    for axes, (title, number) in zip(both, panels.items(), strict=True):
        widths = [median(map(number, each.bursts)) for each in ran]
        bars = axes.barh([each.title for each in ran], widths, color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.set(title=title, xmargin=0.15)
    both[0].invert_yaxis()


_DRAWN: dict[type[Findings], dict[str, Any]] = {
    LatencyFindings: {"": _latency},
    WaitingFindings: {"-memory": _memory, "-calls": _calls},
    PeersFindings: {"": _peers},
}
