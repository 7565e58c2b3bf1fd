"""The report: findings are stored as JSON, and one template turns them into one Markdown page."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bench import plots
from bench.cost import CostFindings
from bench.figures import MedianRange
from bench.floor import FloorFindings
from bench.harness import Findings
from bench.latency import LatencyFindings
from bench.peers.measure import PeersFindings
from bench.waiting import WaitingFindings
from bench.webhook import WebhookFindings

PAGE: Final = "RESULTS.md"
RESULTS: Final = "results"
# In the order of the report.
MEASUREMENTS: Final[dict[str, type[Findings]]] = {
    "floor": FloorFindings,
    "latency": LatencyFindings,
    "webhook": WebhookFindings,
    "waiting": WaitingFindings,
    "cost": CostFindings,
    "peers": PeersFindings,
}


def save(found: Findings, name: str, folder: Path) -> None:
    """Replace the JSON and the plots of this measurement in this folder."""
    results = folder / RESULTS
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(found.model_dump_json(indent=1) + "\n")
    plots.render(found, name, results)


def render_page(folder: Path) -> str:
    """The page about the findings stored in this folder; what was never measured is left out."""
    results = folder / RESULTS
    found = {
        name: form.model_validate_json(path.read_text())
        for name, form in MEASUREMENTS.items()
        if (path := results / f"{name}.json").exists()
    }
    plotted = {name: sorted(plot.name for plot in results.glob(f"{name}*.png")) for name in found}
    page: str = _template().render(measured=found, plotted=plotted, folder=RESULTS)
    return page.strip() + "\n"


def render_section(found: Findings, name: str) -> str:
    """The text of one section."""
    macros = _template().make_module({"measured": {}, "folder": RESULTS})
    return str(getattr(macros, name)(found)).strip()


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, autoescape=False,  # noqa: S701 - Markdown of numbers
    )  # fmt: skip
    environment.filters |= {"number": _number, "range": _range}
    return environment.get_template("results.md.j2")


def _number(number: float | None, digits: int = 0) -> str:
    """ "1,234.5", or "-" for what was not measured."""
    return "-" if number is None else f"{number:,.{digits}f}"


def _range(numbers: MedianRange | None, digits: int = 1) -> str:
    """ "45.2 (40.1-47.9)", or nothing for what was not measured."""
    if numbers is None:
        return ""
    return f"{numbers.median:.{digits}f} ({numbers.least:.{digits}f}-{numbers.most:.{digits}f})"
