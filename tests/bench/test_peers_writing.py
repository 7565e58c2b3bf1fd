"""The section says what the numbers say: who won, by how much and why, and nothing else."""

from typing import Any

from bench.peers import PEERS
from bench.peers.audit import Audit
from bench.peers.findings import PeersFound
from bench.peers.race import Race
from bench.peers.struck import Blow, Steady
from bench.peers.writing import written
from bench.spread import Spread
from tests.bench.somewhere import ABOUT

SLOW = Spread(p50=9, p99=9, max=9)
CLEAN = Audit(asked=40, ended=40)


def race(engine: str, seconds: float = 2, **changes: Any) -> Race:
    """Everything else is equal for all engines."""
    usual = {
        "engine": engine,
        "number": 0,
        "seconds": seconds,
        "to_take": Spread(),
        "to_end": Spread(p50=1, p99=1, max=1),
        "to_end_at_once": Spread(p50=1, p99=1, max=1),
        "calls": 1.5,
        "cpu": {"app": 10.0, "server": 5.0},
        "simulator": 2.0,
        "stored": 1000.0,
        "audit": CLEAN,
    }
    return Race.model_validate({**usual, **changes})


def struck(engine: str, audit: Audit = CLEAN) -> Steady:
    spread = Spread(p50=1, p99=2, max=3)
    return Steady(
        engine=engine,
        blows=(Blow(at=1, part="app"), Blow(at=2, part="door")),
        refused=0,
        to_end=spread,
        to_end_at_once=spread,
        audit=audit,
    )


def found(*races: Race, **changes: Any) -> PeersFound:
    engines = {each.engine: "version 1" for each in races}
    told = {"about": ABOUT, "size": 40, "wait_least": 2.0, "engines": engines, "races": races}
    return PeersFound.model_validate({**told, **changes})


def test_a_peer_that_wins_is_named_with_its_factor_and_the_reason() -> None:
    text = written(found(race("ours", seconds=4), race("restate", seconds=2)))

    assert "- refunds per second, ours 10.0: Restate 20.0 (2.0 times better)" in text
    assert "*Restate (speed)*: Restate keeps one stream" in text


def test_nothing_is_explained_where_no_peer_wins() -> None:
    text = written(found(race("ours", seconds=2), race("restate", seconds=4)))

    assert "No peer is better than antom-refunds in any column." in text
    assert "Why" not in text
    assert "stream" not in text


def test_a_draw_is_no_win() -> None:
    text = written(found(race("ours", seconds=2), race("restate", seconds=1.96)))

    assert "No peer is better" in text


def test_only_columns_that_a_peer_wins_are_explained() -> None:
    text = written(found(race("ours"), race("dbos_sqlite", stored=100.0)))

    assert "- bytes stored per refund, ours 1,000: DBOS on SQLite 100 (10.0 times better)" in text
    assert "- CPU per refund" not in text
    assert "a row for each step" in text
    assert "library inside the application" not in text


def test_who_is_best_is_said_for_each_column() -> None:
    text = written(found(race("ours", seconds=2), race("restate", seconds=4, calls=1.0)))

    ours, restate = (_best(text, title) for title in ("antom-refunds", "Restate"))
    assert "refunds per second (20.0)" in ours
    assert "refunds per second" not in restate
    assert "calls to Antom per refund (1.00)" in restate
    assert "calls to Antom" not in ours


def test_who_is_equal_is_equally_best() -> None:
    text = written(found(race("ours"), race("restate")))

    assert _best(text, "antom-refunds") == _best(text, "Restate")


def test_who_is_best_in_nothing_is_said_too() -> None:
    worse = race("restate", seconds=4, calls=2.0, cpu={"app": 99}, stored=2000.0)
    slow = worse.model_copy(update={"to_end": SLOW, "to_end_at_once": SLOW})

    assert _best(written(found(race("ours"), slow)), "Restate") == "in nothing"


def test_medians_are_shown_and_not_single_races() -> None:
    races = (race("ours", seconds=seconds, number=n) for n, seconds in enumerate((2, 4, 40)))

    assert "| antom-refunds | 10.0 |" in written(found(*races))


def test_an_engine_that_could_not_run_is_named_with_the_reason() -> None:
    text = written(found(race("ours"), absent={"restate": "its server is missing"}))

    assert "- **Restate** did not run: its server is missing." in text


def test_an_engine_that_broke_off_is_named_although_it_has_numbers() -> None:
    text = written(found(race("ours"), race("restate"), absent={"restate": "it broke"}))

    assert "- **Restate** left the field: it broke." in text


def test_wrong_money_is_said_before_anything_is_praised() -> None:
    wrong = Audit(asked=40, ended=39, moved_twice=("r-1", "r-2"), endless=("r-3",))
    runs = (struck("ours"), struck("restate", wrong))
    text = written(found(race("ours"), race("restate"), struck=runs))

    assert "| Restate | 2 | 40 | 39 | 2 | 0 | 1 |" in text
    said = "- **Restate**: 2 moved money twice, 1 did not end in time of 40 through 2 SIGKILLs."
    assert text.index(said) < text.index("Who is best")


def test_ours_is_not_spared() -> None:
    wrong = Audit(asked=40, ended=40, disagreeing=("r-1",))
    text = written(found(race("ours", audit=wrong), race("restate")))

    assert "- **antom-refunds**: 1 ended otherwise than the ledger of 40 in peace." in text


def test_order_is_said_of_all_only_if_all_are_in_order() -> None:
    text = written(found(race("ours"), race("restate"), struck=(struck("ours"),)))

    assert "**In order: all 2**" in text


def test_a_clock_that_is_too_coarse_is_said() -> None:
    text = written(found(race("ours"), race("dbos_sqlite", early=12)))

    assert "DBOS on SQLite dated 12 of 40 ends before Antom's own word" in text


def test_nobody_at_all_is_said_too() -> None:
    text = written(found(absent={"ours": "it broke"}))

    assert "No engine ran here." in text


def test_findings_survive_being_written_down() -> None:
    runs = found(race("ours"), struck=(struck("ours"),))

    assert PEERS.form.model_validate_json(runs.model_dump_json()) == runs


def _best(text: str, title: str) -> str:
    _, _, after = text.partition("Who is best in what")
    return after.partition(f"- **{title}**: ")[2].partition("\n")[0]
