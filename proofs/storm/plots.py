"""The timeline: open refunds, and which faults occurred meanwhile."""

from itertools import accumulate
from pathlib import Path

from proofs.storm.plan import ProcessFaultKind
from proofs.storm.runner import Storm


def render(storm: Storm, path: Path) -> str:
    """Write the PNG and return where it is; or why it cannot be made here."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the development environment
    except ImportError:
        return "no picture: matplotlib is missing (make storm installs it)"
    figure = Figure(figsize=(12, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    histories = storm.observations.histories.values()
    changes = [(each.started_at, 1) for each in histories if each.started_at]
    changes += [(each.closed_at, -1) for each in histories if each.closed_at]
    times, steps = zip(*sorted([(storm.started_at, 0), *changes]), strict=True)
    seconds = [(at - storm.started_at).total_seconds() for at in times]
    above.fill_between(seconds, list(accumulate(steps)), step="post", alpha=0.55)
    above.set(ylabel="open refunds", title=f"storm {storm.plan.size.name}, seed {storm.plan.seed}")
    rows = ["antom limits traffic", *reversed(ProcessFaultKind)]
    spans = [(rows[0], since, until) for since, until in storm.plan.rate_limit_windows]
    spans += [(each.kind, each.at, max(each.until, each.at + 0.2)) for each in storm.faults]
    for kind, since, until in spans:
        row = rows.index(kind)
        below.broken_barh([(since, until - since)], (row - 0.4, 0.8), color=f"C{row}")
    below.set_yticks(range(len(rows)), rows)
    below.set_xlabel("seconds")
    figure.savefig(path, dpi=110)
    return f"picture: {path}"
