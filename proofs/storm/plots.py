"""The timeline: open refunds, and which faults occurred meanwhile."""

from datetime import datetime
from pathlib import Path

from proofs.storm.process_faults import ProcessFaultKind
from proofs.storm.runner import Storm

_LIMITS = "antom limits traffic"


def open_refunds(storm: Storm) -> tuple[list[float], list[int]]:
    """Seconds after the start, and how many refunds were open from each of them on."""
    changes: list[tuple[datetime, int]] = []
    for history in storm.observations.histories.values():
        changes.append((history.started_at, 1))
        if history.closed_at is not None:
            changes.append((history.closed_at, -1))
    seconds, counts, count = [0.0], [0], 0
    for at, change in sorted(changes):
        count += change
        seconds.append((at - storm.started_at).total_seconds())
        counts.append(count)
    return seconds, counts


def render(storm: Storm, path: Path) -> str:
    """Write the PNG and return where it is; or why it cannot be made here."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the development environment
    except ImportError:
        return "no picture: matplotlib is missing (make storm installs it)"
    report = storm.report
    figure = Figure(figsize=(12, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    seconds, counts = open_refunds(storm)
    above.fill_between(seconds, counts, step="post", alpha=0.55)
    above.set_ylabel("open refunds")
    violations = sum(map(len, report.found.values()))
    title = f"storm {report.size}, seed {report.seed}: {report.refunds} refunds"
    above.set_title(f"{title}, {violations} violations")
    rows = [_LIMITS, *reversed([kind.value for kind in ProcessFaultKind])]
    for since, until in storm.plan.rate_limit_windows:
        below.broken_barh([(since, until - since)], (-0.4, 0.8), color="grey")
    for fault in storm.faults:
        row = rows.index(fault.kind.value)
        span = (fault.since, max(fault.until - fault.since, 0.2))
        below.broken_barh([span], (row - 0.4, 0.8), color=f"C{row}")
    below.set_yticks(range(len(rows)), rows)
    below.set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return f"picture: {path}"
