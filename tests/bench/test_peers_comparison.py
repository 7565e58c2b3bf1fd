"""The section about other engines says which are better, by how much and why, and nothing else."""

from typing import Any

from bench.figures import Percentiles
from bench.peers.measure import PeersFindings
from bench.peers.runs import Audit, Kill, Run
from bench.report import render_section
from tests.bench.builders import MACHINE

ONE = Percentiles(p50=1, p99=1, max=1)
CLEAN = Audit(requested=40, ended=40)


def burst(engine: str, seconds: float = 2, **changes: Any) -> Run:
    """Everything else is equal for all engines."""
    usual = {
        "engine": engine,
        "early": 0,
        "seconds": seconds,
        "to_end": ONE,
        "immediate_to_end": ONE,
        "calls": 1.5,
        "cpu": {"app": 10.0, "server": 5.0},
        "stored": 1000.0,
        "audit": CLEAN,
    }
    return Run.model_validate({**usual, **changes})


def with_faults(engine: str, audit: Audit = CLEAN) -> Run:
    return Run(
        engine=engine,
        kills=(Kill(at=1, process="app"), Kill(at=2, process="webhook")),
        refused=0,
        to_end=ONE,
        immediate_to_end=ONE,
        audit=audit,
    )


def text(*bursts: Run, **changes: Any) -> str:
    engines = {each.engine: "version 1" for each in bursts}
    fields = {"machine": MACHINE, "size": 40, "wait_least": 2.0, "engines": engines}
    found = PeersFindings.model_validate({**fields, "bursts": bursts, **changes})
    return render_section(found, "peers")


def test_an_engine_that_is_better_is_named_with_its_factor_and_the_reason() -> None:
    page = text(burst("ours", seconds=4), burst("restate", seconds=2))

    assert "- refunds per second, ours 10.0: Restate 20.0 (2.0 times better)" in page
    assert "*Restate (speed)*: Restate keeps one stream" in page


def test_nothing_is_explained_where_none_is_better() -> None:
    page = text(burst("ours", seconds=2), burst("restate", seconds=4))

    assert "No other engine is better than antom-refunds in any column." in page
    assert "stream" not in page


def test_a_draw_is_not_better() -> None:
    assert "No other engine is better" in text(burst("ours", 2), burst("restate", 1.96))


def test_only_columns_in_which_another_engine_is_better_are_explained() -> None:
    page = text(burst("ours"), burst("dbos_sqlite", stored=100.0))

    assert "- bytes stored per refund, ours 1,000: DBOS on SQLite 100 (10.0 times better)" in page
    assert "- CPU per refund, ours" not in page
    assert "a row for each step" in page
    assert "library inside the application" not in page


def test_the_best_number_of_each_column_is_bold() -> None:
    page = text(burst("ours", seconds=2), burst("restate", seconds=4, calls=1.0))

    assert "| antom-refunds | **20.0** | **1.00** | **1.00** | **1.00** | **1.00** | 1.50 |" in page
    assert "| Restate | 10.0 | **1.00** | **1.00** | **1.00** | **1.00** | **1.00** |" in page


def test_medians_are_shown_and_not_single_bursts() -> None:
    assert "| antom-refunds | **10.0** |" in text(*(burst("ours", each) for each in (2, 4, 40)))


def test_an_engine_that_could_not_run_is_named_with_the_reason() -> None:
    reason = {"restate": "its server is missing"}

    assert "- **Restate** did not run: its" in text(burst("ours"), absent=reason)
    page = text(burst("ours"), burst("restate"), absent=reason)
    assert "- **Restate** was left out later: its server is missing." in page


def test_wrong_money_is_reported_before_the_comparison() -> None:
    wrong = Audit(requested=40, ended=39, moved_twice=("r-1", "r-2"), unfinished=("r-3",))
    runs = (with_faults("ours"), with_faults("restate", wrong))
    page = text(burst("ours"), burst("restate"), with_faults=runs)

    assert "| Restate | 2 | 40 | 39 | 2 | 0 | 1 |" in page
    line = "2 moved money twice, 0 disagree with the ledger, 1 did not end in time, of 40 with 2"
    assert page.index(line) < page.index("No other engine")


def test_ours_is_audited_too() -> None:
    page = text(burst("ours", audit=Audit(requested=40, ended=40, disagreeing=("r-1",))))

    assert "- **antom-refunds**: 0 moved money twice, 1 disagree with the ledger" in page


def test_all_are_correct_only_if_every_audit_is_clean() -> None:
    page = text(burst("ours"), burst("restate"), with_faults=(with_faults("ours"),))

    assert "**All 2 are correct**" in page


def test_a_clock_that_is_not_precise_is_reported() -> None:
    page = text(burst("ours"), burst("dbos_sqlite", early=12))

    assert "DBOS on SQLite dated 12 of 40 ends before Antom did" in page


def test_that_none_ran_is_reported() -> None:
    assert "No engine ran here." in text(absent={"ours": "TypeError: broken"})
