"""The page of results is made of the raw numbers beside it, and of nothing else."""

from pathlib import Path

import pytest

from bench.contents import MEASUREMENTS
from bench.report import PAGE, RAW, text

BENCH = Path(__file__).parents[2] / "bench"


def test_the_page_says_what_the_raw_numbers_say() -> None:
    assert (BENCH / PAGE).read_text() == text(BENCH, MEASUREMENTS)


@pytest.mark.parametrize("name", [measurement.name for measurement in MEASUREMENTS])
def test_everything_that_can_be_measured_was(name: str) -> None:
    assert (BENCH / RAW / f"{name}.json").exists()


def test_every_picture_on_the_page_is_there() -> None:
    named = {line.partition("](")[2].rstrip(")") for line in _lines() if line.startswith("![")}

    assert named == {f"{RAW}/{path.name}" for path in (BENCH / RAW).glob("*.png")}


def _lines() -> list[str]:
    return (BENCH / PAGE).read_text().splitlines()
