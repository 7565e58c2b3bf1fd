"""The report: findings are stored as JSON, and one template turns them into one Markdown page."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bench import plots
from bench.figures import MedianRange
from bench.harness import Findings, Measurement

PAGE: Final = "RESULTS.md"
RESULTS: Final = "results"
_TEMPLATE: Final = "results.md.j2"


def save(found: Findings, name: str, folder: Path) -> None:
    """Replace the JSON and the plots of this measurement in this folder."""
    results = folder / RESULTS
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(found.model_dump_json(indent=1) + "\n")
    plots.render(found, name, results)


def render_page(folder: Path, measurements: tuple[Measurement[Any], ...]) -> str:
    """The page about the findings stored in this folder; what was never measured is left out."""
    results = folder / RESULTS
    sections = [
        {
            "name": each.name,
            "title": each.title,
            "found": each.form.model_validate_json(path.read_text()),
            "plots": sorted(plot.name for plot in results.glob(f"{each.name}*.png")),
        }
        for each in measurements
        if (path := results / f"{each.name}.json").exists()
    ]
    page: str = _template().render(sections=sections, folder=RESULTS)
    return page.strip() + "\n"


def render_section(found: Findings, name: str) -> str:
    """The text of one section."""
    macros = _template().make_module({"sections": (), "folder": RESULTS})
    return str(getattr(macros, name)(found)).strip()


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown of our own numbers
    )
    environment.filters |= {"number": _number, "range": _range}
    return environment.get_template(_TEMPLATE)


def _number(number: float | None, digits: int = 0) -> str:
    """ "1,234.5", or "-" for what was not measured."""
    return "-" if number is None else f"{number:,.{digits}f}"


def _range(numbers: MedianRange | None, digits: int = 1) -> str:
    """ "45.2 (40.1-47.9)", or nothing for what was not measured."""
    if numbers is None:
        return ""
    return f"{numbers.median:.{digits}f} ({numbers.least:.{digits}f}-{numbers.most:.{digits}f})"
