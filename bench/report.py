"""The report: one Markdown page made of the raw findings that stand beside it as JSON."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.machine import About
from bench.measurement import Findings, Measurement

PAGE: Final = "RESULTS.md"
RAW: Final = "results"
_HEAD: Final = """\
# Results

Made by `make bench` from the raw numbers in [results/](results/); every figure and every
comparison on this page is computed from them, none is written by hand. `make bench ONLY=floor`
repeats one section.

Machines differ, and other work on them disturbs: what counts are ratios of things that were
measured in turn in one run. Where a number stands as `45 (40-48)`, it is the median of several
rounds, with the least and the most of them.
"""


def keep(found: Findings, measurement: Measurement[Any], folder: Path) -> None:
    """Keep these findings and their plots in this folder, instead of those that were there."""
    raw = folder / RAW
    raw.mkdir(parents=True, exist_ok=True)
    _json(raw, measurement).write_text(found.model_dump_json(indent=1) + "\n")
    measurement.drawn(found, raw)


def write(folder: Path, measurements: Iterable[Measurement[Any]]) -> Path:
    """Make the page anew from what was kept in this folder."""
    page = folder / PAGE
    page.write_text(text(folder, measurements))
    return page


def text(folder: Path, measurements: Iterable[Measurement[Any]]) -> str:
    """The page; a measurement that was never made has no section."""
    kept = [each for each in measurements if _json(folder / RAW, each).exists()]
    return "\n".join([_HEAD, *(part for each in kept for part in _section(each, folder / RAW))])


def _section(measurement: Measurement[Any], raw: Path) -> Iterator[str]:
    found = measurement.form.model_validate_json(_json(raw, measurement).read_text())
    yield f"## {measurement.title}\n"
    yield measurement.written(found).strip() + "\n"
    for plot in sorted(raw.glob(f"{measurement.name}*.png")):
        yield f"![{measurement.title}]({RAW}/{plot.name})\n"
    yield f"{_on(found.about)} Raw: [{measurement.name}.json]({RAW}/{measurement.name}.json).\n"


def _json(raw: Path, measurement: Measurement[Any]) -> Path:
    return raw / f"{measurement.name}.json"


def _on(about: About) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
    return (
        f"Measured {about.at:%Y-%m-%d %H:%M} UTC on {about.cpus} processors ({about.processor}), "
        f"{about.memory_gib:.0f} GiB, {about.system}, load {about.load} at first; {versions}."
    )
