"""The report: figures are stored as JSON, and one template turns them into one Markdown page."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from pydantic_core import to_json

from bench import cost, floor, latency, plots, waiting, webhook
from bench.figures import Figures
from bench.peers import measure as peers

PAGE: Final = "benchmarks.md"
RESULTS: Final = "benchmarks"


# Titles, and `measure(log, quick=...)`, whose figures are a try if it is quick; as in the report.
MEASUREMENTS: Final[dict[str, tuple[str, Callable[..., Awaitable[Figures]]]]] = {
    "floor": ("Floor: refunds per second", floor.measure),
    "latency": ("From a notification to the refund's end", latency.measure),
    "webhook": ("Notifications at the webhook", webhook.measure),
    "waiting": ("Waiting refunds", waiting.measure),
    "cost": ("History and billable actions", cost.measure),
    "peers": ("Other engines on the same job", peers.measure),
}


def save(found: Figures, name: str, folder: Path) -> None:
    """Replace the JSON and the plots of this measurement in this folder."""
    results = folder / RESULTS
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_bytes(to_json(found, indent=1) + b"\n")
    plots.render(found, name, results)


def render_page(folder: Path) -> str:
    """The page about what is stored in this folder; what was never measured is left out."""
    results = folder / RESULTS
    found = {
        name: json.loads(path.read_text())
        for name in MEASUREMENTS
        if (path := results / f"{name}.json").exists()
    }
    plotted = {name: sorted(plot.name for plot in results.glob(f"{name}*.png")) for name in found}
    titles = {name: title for name, (title, _) in MEASUREMENTS.items()}
    page = _template().render(measured=found, titles=titles, plotted=plotted, folder=RESULTS)
    return page.strip() + "\n"


def render_section(found: Figures, name: str) -> str:
    """The text of one section."""
    macros = _template().make_module({"measured": {}, "folder": RESULTS})
    return str(getattr(macros, name)(found)).strip()


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, autoescape=False,  # noqa: S701 - Markdown of numbers
    )  # fmt: skip
    environment.filters |= {"number": _number, "range": _range}
    return environment.get_template("benchmarks.md.j2")


def _number(number: float | None, digits: int = 0) -> str:
    """ "1,234.5", or "-" for what was not measured."""
    return "-" if number is None else f"{number:,.{digits}f}"


def _range(numbers: dict[str, Any] | None, digits: int = 1) -> str:
    """ "45.2 (40.1-47.9)", or nothing for what was not measured."""
    if numbers is None:
        return ""
    least, middle, most = (f"{numbers[each]:.{digits}f}" for each in ("least", "median", "most"))
    return f"{middle} ({least}-{most})"
