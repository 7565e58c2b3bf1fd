"""The page is rendered from the stored numbers and the template, and from nothing else."""

import json
from pathlib import Path
from typing import Any, Final

from bench import floor, waiting, webhook
from bench.figures import Burst, Figures
from bench.report import MEASUREMENTS, PAGE, RESULTS, render_page, render_section

DOCS: Final = Path(__file__).parents[2] / "docs"
STORED: Final[dict[str, Figures]] = {
    name: json.loads((DOCS / RESULTS / f"{name}.json").read_text()) for name in MEASUREMENTS
}


def section(name: str, **changes: Any) -> str:
    return render_section(STORED[name] | changes, name)


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / PAGE).read_text() == render_page(DOCS)


def test_a_measurement_that_was_never_made_has_no_section(tmp_path: Path) -> None:
    assert "##" not in render_page(tmp_path)


def test_every_plot_on_the_page_exists() -> None:
    lines = (DOCS / PAGE).read_text().splitlines()
    named = {line.partition("](")[2].rstrip(")") for line in lines if line.startswith("![")}

    assert named == {f"{RESULTS}/{path.name}" for path in (DOCS / RESULTS).glob("*.png")}


def test_the_median_of_rounds_decides_about_the_floors_goal() -> None:
    def rounds(*seconds: float) -> list[Burst]:
        return [Burst(400, 400, each, {"worker": 1.0}) for each in seconds]

    bare = rounds(10, 10, 10)
    listed, quick, slow = rounds(11, 11, 11), rounds(11, 12, 40), rounds(11, 13, 13)

    for refund, is_reached in ((quick, True), (slow, False)):
        found = floor.summarise({"bare": bare, "listed": listed, "refund": refund})
        assert found["is_reached"] is is_reached
        text = render_section(found, "floor")
        assert ("the goal of 0.8 is **reached**" in text) is is_reached


def test_accepted_forgeries_are_reported() -> None:
    kinds = STORED["webhook"]["kinds"]
    forged = webhook.summarise([Burst(1600, 3, 1, {"webhook": 1})] * 5)
    forged = kinds["forged"] | {each: forged[each] for each in ("accepted", "sent_in_all")}

    assert "No forged notifications were accepted." in section("webhook")
    text = section("webhook", kinds=kinds | {"forged": forged})
    assert "15 forged notifications were accepted." in text
    assert "| 15 of 8000 |" in text


def level(refunds: int, waiting_: int, calls: float = 1) -> waiting.Level:
    load, mib = {"worker": 0.1, "temporal": 0.2}, {"worker": 90.0, "temporal": 100.0 + refunds}
    return waiting.Level(refunds, waiting_, 5.0, calls, load, mib)


def test_what_was_not_measured_about_waiting_is_said() -> None:
    levels = [level(0, 0), level(200, 200), level(400, 393)]
    found = waiting.summarise(waiting.QUICK, levels, level(400, 393))

    text = section("waiting", **found)

    assert "each further refund adds - KiB." in text
    assert "7 of 400 were not in processing" in text
    assert "usual length" not in text
    assert found["kib_temporal"] == 1024
    assert "60 times its usual length" in section("waiting")


def test_a_second_above_the_limit_is_reported() -> None:
    fast = STORED["waiting"]["rate"] | {"fastest_second": 107}

    assert "No second had more calls than the limit." in section("waiting")
    text = section("waiting", rate=fast)
    assert "The busiest second had 7 % more calls than the limit." in text


def test_costs_tell_where_the_loop_is_better_and_what_each_inquiry_adds() -> None:
    text = section("cost")

    assert "Each further inquiry adds 11.0 events in the loop and 0.0 here" in text
    assert "| immediate | 13 | 13 | **11** | 4 | **2** |" in text
    assert "| by the 200th inquiry, overdue | 25 | - | - |" in text
    assert "No history is longer than its limit" in text


def test_histories_above_their_limit_and_different_ends_are_reported() -> None:
    text = section("cost", exceeded=["immediate"], different=["immediate"])

    assert "Histories longer than their limit: immediate." in text
    assert "They ended differently: immediate." in text
