"""The timeline: open refunds, and what was done to us meanwhile."""

from datetime import datetime
from pathlib import Path

from bench.storm.blows import BlowKind
from bench.storm.storm import Storm

_WAVES = "antom limits traffic"
_COLOURS = {kind: f"C{number}" for number, kind in enumerate(BlowKind)}
_OVERLAY = 0.55


def open_refunds(storm: Storm) -> tuple[list[float], list[int]]:
    """Moments, in seconds after the beginning, and how many refunds were open from each on."""
    changes: list[tuple[datetime, int]] = []
    for history in storm.aftermath.histories.values():
        changes.append((history.started_at, 1))
        if history.closed_at is not None:
            changes.append((history.closed_at, -1))
    moments, counts, count = [0.0], [0], 0
    for at, change in sorted(changes):
        count += change
        moments.append((at - storm.began_at).total_seconds())
        counts.append(count)
    return moments, counts


def draw(storm: Storm, path: Path) -> str:
    """Draw it, and say where; or say that it cannot be drawn here."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - not everybody has it
    except ImportError:
        return "no picture: matplotlib is missing (make storm installs it)"
    figure = Figure(figsize=(12, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    moments, counts = open_refunds(storm)
    above.fill_between(moments, counts, step="post", alpha=_OVERLAY)
    above.set_ylabel("open refunds")
    above.set_title(
        f"storm {storm.verdict.shape}, seed {storm.verdict.seed}: "
        f"{storm.verdict.refunds} refunds, {sum(map(len, storm.verdict.found.values()))} breaches"
    )
    rows = [_WAVES, *reversed([kind.value for kind in BlowKind])]
    for since, until in storm.plan.waves:
        below.broken_barh([(since, until - since)], (-0.4, 0.8), color="grey")
    for blow in storm.struck:
        row = rows.index(blow.kind.value)
        span = (blow.since, max(blow.until - blow.since, 0.2))
        below.broken_barh([span], (row - 0.4, 0.8), color=_COLOURS[blow.kind])
    below.set_yticks(range(len(rows)), rows)
    below.set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return f"picture: {path}"
