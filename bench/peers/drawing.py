"""One plot: how many refunds a second each engine ends, and how long the slowest take."""

from pathlib import Path
from typing import Final

from bench.peers.findings import PeersFound, standings

_SIZE: Final = (8, 4)
_FILE: Final = "peers.png"


def drawn(found: PeersFound, folder: Path) -> tuple[str, ...]:
    """Nothing if nobody ran a race."""
    raced = [standing for standing in standings(found) if standing.races]
    if not raced:
        return ()
    from matplotlib.figure import Figure  # noqa: PLC0415 - not everybody has it

    figure = Figure(figsize=_SIZE, layout="constrained")
    names = [standing.title for standing in raced]
    colours = ["C0" if standing.is_ours else "C7" for standing in raced]
    panels = {
        "refunds a second": [each.of_races(lambda race: race.per_second) for each in raced],
        "seconds to final, p99": [each.of_races(lambda race: race.to_end.p99) for each in raced],
    }
    both = figure.subplots(1, 2, sharey=True)
    for axes, (title, widths) in zip(both, panels.items(), strict=True):
        bars = axes.barh(names, widths, color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.set(title=title, xmargin=0.15)
    both[0].invert_yaxis()
    figure.savefig(folder / _FILE, dpi=100)
    return (_FILE,)
