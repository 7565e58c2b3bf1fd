"""The section about other engines says which are better, by how much and why, and nothing else."""

from typing import Any

from bench.figures import Percentiles
from bench.peers.measure import summarise
from bench.peers.runs import Audit, Kill, Run
from bench.report import render_section

ONE = Percentiles(p50=1, p99=1, max=1)
CLEAN = Audit(requested=40, ended=40)


def runs(
    engine: str, seconds: float = 2, *, struck: Audit = CLEAN, **changes: Any
) -> dict[str, Any]:
    """One run of each group; everything else is equal for all engines."""
    usual = {"seconds": seconds, "to_end": ONE, "immediate_to_end": ONE, "calls": 1.5}
    usual |= {"cpu": {"app": 10.0, "server": 5.0}, "stored": 1000.0, "audit": CLEAN}
    kills = (Kill(at=1, process="app"), Kill(at=2, process="webhook"))
    steady = Run(to_end=ONE, immediate_to_end=ONE, audit=CLEAN)
    return {
        "engine": engine,
        "bursts": [Run.model_validate({**usual, **changes})],
        "undisturbed": [steady],
        "with_faults": [steady.model_copy(update={"audit": struck, "kills": kills})],
    }


def text(*engines: dict[str, Any]) -> str:
    return render_section(summarise(40, {each["engine"]: each for each in engines}), "peers")


def test_an_engine_that_is_better_is_named_with_its_factor_and_the_reason() -> None:
    page = text(runs("ours", seconds=4), runs("restate", seconds=2))

    assert "| Restate | **20.0** (2.0x) |" in page
    assert "*Restate (speed)*: Restate keeps one stream" in page


def test_nothing_is_explained_where_none_is_better() -> None:
    page = text(runs("ours", seconds=2), runs("restate", seconds=4))

    assert "No other engine is better than antom-refunds in any column." in page
    assert "stream" not in page


def test_a_draw_is_not_better() -> None:
    assert "No other engine is better" in text(runs("ours", 2), runs("restate", 1.96))


def test_only_columns_in_which_another_engine_is_better_are_explained() -> None:
    page = text(runs("ours"), runs("dbos_sqlite", stored=100.0))

    assert "| **15.0** | **100** (10.0x) |" in page
    assert "a row for each step" in page
    assert "library inside the application" not in page


def test_the_best_number_of_each_column_is_bold() -> None:
    page = text(runs("ours", seconds=2), runs("restate", seconds=4, calls=1.0))

    assert "| antom-refunds | **20.0** | **1.00** | **1.00** | **1.00** | **1.00** | 1.50 |" in page
    assert (
        "| Restate | 10.0 | **1.00** | **1.00** | **1.00** | **1.00** | **1.00** (1.5x) |" in page
    )


def test_medians_are_shown_and_not_single_bursts() -> None:
    ours = runs("ours")
    ours["bursts"] = [runs("ours", each)["bursts"][0] for each in (2, 4, 40)]

    assert "| antom-refunds | **10.0** |" in text(ours)


def test_wrong_money_is_reported_before_the_comparison() -> None:
    wrong = Audit(requested=40, ended=39, moved_twice=("r-1", "r-2"), unfinished=("r-3",))
    page = text(runs("ours"), runs("restate", struck=wrong))

    assert "| 2 | 40 | 39 | 2 | 0 | 1 |" in page
    line = "2 moved money twice, 0 disagree with the ledger, 1 did not end in time, of 40 with 2"
    assert page.index(line) < page.index("No other engine")


def test_ours_is_audited_too() -> None:
    page = text(runs("ours", audit=Audit(requested=40, ended=40, disagreeing=("r-1",))))

    assert "- **antom-refunds**: 0 moved money twice, 1 disagree with the ledger" in page


def test_all_are_correct_only_if_every_audit_is_clean() -> None:
    page = text(runs("ours"), runs("restate"))

    assert "**All 2 are correct**" in page
