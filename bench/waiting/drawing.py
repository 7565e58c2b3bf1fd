"""Two plots: memory by the number that waits, and calls at Antom second by second."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.waiting.findings import Holding, WaitingFindings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MIB: Final = 1024**2
_SIZE: Final = (8, 4)
_DPI: Final = 100


def drawn(found: WaitingFindings, folder: Path) -> tuple[str, ...]:
    """Draw both."""
    return _memory(found, folder), _calls(found, folder)


def _memory(found: WaitingFindings, folder: Path) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415 - not everybody has it

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    _line(axes, [(held.refunds, held.worker) for held in _held(found)], "worker")
    _line(axes, [(held.refunds, held.server) for held in _held(found)], "Temporal")
    new = found.rush.held
    axes.plot(new.refunds, new.worker / _MIB, "x", color="black", label="a new worker at the end")
    axes.axvline(found.cached_max, color="grey", linestyle=":", label="the worker's cache is full")
    axes.set(xlabel="refunds in processing", ylabel="MiB (PSS)", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / "waiting-memory.png", dpi=_DPI)
    return "waiting-memory.png"


def _held(found: WaitingFindings) -> list[Holding]:
    """All that was written down, the levels' among it, in the order of growth."""
    levels = [level.held for level in (found.nothing, *found.levels)]
    return sorted([*found.trace, *levels], key=lambda held: held.refunds)


def _line(axes: "Axes", points: Sequence[tuple[int, int]], name: str) -> None:
    axes.plot([x for x, _ in points], [y / _MIB for _, y in points], ".-", label=name, alpha=0.7)


def _calls(found: WaitingFindings, folder: Path) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415 - not everybody has it

    figure = Figure(figsize=_SIZE, layout="constrained")
    both = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    parts = (("growing", found.by_second), ("after an outage", found.rush.by_second))
    for axes, (title, counts) in zip(both, parts, strict=True):
        axes.bar(range(len(counts)), counts, width=1.0)
        axes.axhline(found.limit, color="grey", linestyle=":", label="limit")
        axes.set(title=title, xlabel="seconds")
    both[0].set_ylabel("calls at Antom in each second")
    both[0].legend()
    figure.savefig(folder / "waiting-calls.png", dpi=_DPI)
    return "waiting-calls.png"
