"""The page is rendered from the stored numbers and the template, and from nothing else."""

from pathlib import Path
from typing import Any, Final

import pytest

from bench.harness import Findings
from bench.report import MEASUREMENTS, PAGE, RESULTS, render_page, render_section

BENCH: Final = Path(__file__).parents[2] / "bench"
STORED: Final[dict[str, Findings]] = {
    name: form.model_validate_json((BENCH / RESULTS / f"{name}.json").read_text())
    for name, form in MEASUREMENTS.items()
}


def section(name: str, **changes: Any) -> str:
    return render_section(STORED[name].model_copy(update=changes), name)


def test_the_page_is_up_to_date() -> None:
    assert (BENCH / PAGE).read_text() == render_page(BENCH)


def test_a_measurement_that_was_never_made_has_no_section(tmp_path: Path) -> None:
    assert "##" not in render_page(tmp_path)


@pytest.mark.parametrize("name", STORED)
def test_findings_survive_being_stored(name: str) -> None:
    found = STORED[name]

    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_every_plot_on_the_page_exists() -> None:
    lines = (BENCH / PAGE).read_text().splitlines()
    named = {line.partition("](")[2].rstrip(")") for line in lines if line.startswith("![")}

    assert named == {f"{RESULTS}/{path.name}" for path in (BENCH / RESULTS).glob("*.png")}


def test_the_median_of_rounds_decides_about_the_floors_goal() -> None:
    found: Any = STORED["floor"]
    slow = found.bursts["bare"][:3] + found.bursts["refund"][3:5]
    bursts = {**found.bursts, "refund": (found.bursts["refund"][0],) * 5}
    bursts = {kind: made[:5] for kind, made in bursts.items()} | {"refund": slow}

    assert "**reached**" in section("floor", bursts=bursts)
    quarter = tuple(each.model_copy(update={"seconds": 400.0}) for each in slow)
    assert "**not reached**" in section("floor", bursts=bursts | {"refund": quarter})


def test_a_ratio_above_the_latency_goal_does_not_reach_it() -> None:
    found: Any = STORED["latency"]
    slow = [each.model_copy(update={"samples": each.samples | {"bare": _halved(each)}})
            for each in found.rounds]  # fmt: skip

    assert "is reached at 1 per second" in section("latency")
    assert "is not reached at 1 per second" in section("latency", rounds=tuple(slow))


def _halved(measured: Any) -> Any:
    bare = measured.samples["bare"]
    return {name: tuple(number / 2 for number in numbers) for name, numbers in bare.items()}


def test_accepted_forgeries_are_reported() -> None:
    found: Any = STORED["webhook"]
    forged = tuple(each.model_copy(update={"accepted": 3}) for each in found.bursts["forged"])

    assert "No forged notifications were accepted." in section("webhook")
    text = section("webhook", bursts=found.bursts | {"forged": forged})
    assert "15 forged notifications were accepted." in text
    assert "| 15 of 8000 |" in text


def test_what_was_not_measured_about_waiting_is_said() -> None:
    found: Any = STORED["waiting"]

    assert "each further refund adds - KiB." in section("waiting", cached_max=10**9)
    assert "A cached refund takes - KiB" in section("waiting", cached_max=1)
    assert "60 times its usual length" in section("waiting")
    assert "usual length" not in section("waiting", speedup=1)
    lacking = found.levels[-1].model_copy(update={"waiting": 16_900})
    levels = (*found.levels[:-1], lacking)
    assert "7 of 16,907 were not in processing" in section("waiting", levels=levels)


def test_a_second_above_the_limit_is_reported() -> None:
    found: Any = STORED["waiting"]
    fast = found.rate.model_copy(update={"fastest_second": 107})

    assert "No second had more calls than the limit." in section("waiting")
    text = section("waiting", rate=fast)
    assert "The busiest second had 7 % more calls than the limit." in text


def test_costs_tell_where_the_loop_is_better_and_what_each_inquiry_adds() -> None:
    text = section("cost")

    assert "Each further inquiry adds 11.0 events in the loop and 0.0 here" in text
    assert "Fewer in the loop: immediate; by notification." in text
    assert "| by the 200th inquiry, overdue | 26 | - |" in text
    assert "No history is longer than its limit" in text


def test_histories_above_their_limit_and_different_ends_are_reported() -> None:
    found: Any = STORED["cost"]
    first = found.costs[0]
    ours = first.ours.model_copy(update={"events": 14, "end": "failed"})

    text = section("cost", costs=(first.model_copy(update={"ours": ours}), *found.costs[1:]))

    assert "Histories longer than their limit: immediate." in text
    assert "They ended differently: immediate." in text
