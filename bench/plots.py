"""The plots: one PNG or two for a measurement that has any."""

from pathlib import Path
from typing import Any

from bench.figures import Figures


def render(found: Figures, name: str, folder: Path) -> None:
    """Write the plots of these figures as NAME*.png in this folder."""
    for suffix, draw in _DRAWN.get(name, {}).items():
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the development environment

        figure = Figure(figsize=(9, 4), layout="constrained")
        draw(figure, found)
        figure.savefig(folder / f"{name}{suffix}.png", dpi=100)


def _latency(figure: Any, found: Figures) -> None:
    """Stacked bars of the segments."""
    axes = figure.add_subplot()
    bars = {
        f"{variant}\n{rate['per_second']}/s": medians
        for rate in found["rates"]
        for variant, medians in rate["variants"].items()
    }
    below = [0.0] * len(bars)
    for segment in ("stored", "taken", "ended"):
        heights = [medians[segment]["median"] for medians in bars.values()]
        axes.bar(list(bars), heights, bottom=below, label=f"until {segment}")
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set(ylabel="milliseconds, medians", title="from the sending to the end")
    axes.legend(loc="lower left")


def _memory(figure: Any, found: Figures) -> None:
    """Lines over the number of refunds."""
    axes = figure.add_subplot()
    known = sorted([*found["trace"], *found["levels"]], key=lambda each: each["refunds"])
    refunds = [each["refunds"] for each in known]
    for process in ("worker", "temporal"):
        axes.plot(refunds, [each["mib"][process] for each in known], ".-", label=process)
    point = (refunds[-1], found["recovered"]["mib"]["worker"])
    axes.plot(*point, "x", color="black", label="a new worker at the end")
    full = found["cached_max"]
    axes.axvline(full, color="grey", linestyle=":", label="the worker's cache is full")
    axes.set(xlabel="refunds in processing", ylabel="MiB (PSS)", ylim=(0, None))
    axes.legend()


def _calls(figure: Any, found: Figures) -> None:
    """Bars by second, beside the limit."""
    both = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    parts = {"growing": found["rate"], "after an outage": found["rate_recovered"]}
    for axes, (title, rate) in zip(both, parts.items(), strict=True):
        axes.bar(range(len(rate["by_second"])), rate["by_second"], width=1.0)
        axes.axhline(found["limit"], color="grey", linestyle=":", label="limit")
        axes.set(title=title, xlabel="seconds")
    both[0].set_ylabel("calls to Antom per second")
    both[0].legend()


def _peers(figure: Any, found: Figures) -> None:
    """A horizontal bar for each engine."""
    both = figure.subplots(1, 2, sharey=True)
    panels = {"refunds per second": "refunds per second", "seconds to final, p99": "p99 to final"}
    for axes, (title, column) in zip(both, panels.items(), strict=True):
        titles = [each["title"] for each in found["engines"]]
        widths = [each["numbers"][column] for each in found["engines"]]
        bars = axes.barh(titles, widths, color=["C0", *["C7"] * len(titles)])
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.set(title=title, xmargin=0.15)
    both[0].invert_yaxis()


_DRAWN = {
    "latency": {"": _latency},
    "waiting": {"-memory": _memory, "-calls": _calls},
    "peers": {"": _peers},
}
