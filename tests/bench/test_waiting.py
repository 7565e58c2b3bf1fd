"""Waiting: how hard calls press on a limit, and the text that follows from what was measured."""

from typing import Any

import pytest

from bench.waiting import WAITING
from bench.waiting.findings import Holding, Level, Pressure, Rush, WaitingFindings, Window
from bench.waiting.pressure import Line, bucket, busiest, by_second
from tests.bench.somewhere import ABOUT

KIB, MIB = 1024, 1024**2
QUIET = Pressure(calls=500, fastest_second=90, fastest_ten=600, bucket=50)


def window(calls: int) -> Window:
    """Ten seconds: 20 ms for each call in the worker, 30 ms in Temporal, and 10 ms a second."""
    cpu = {"worker_cpu": 0.1 + calls * 0.02, "server_cpu": calls * 0.03}
    return Window(seconds=10, calls=calls, **cpu)


def level(refunds: int, *, worker: int, server: int, calls: int = 0, lacking: int = 0) -> Level:
    held = Holding(refunds=refunds, worker=worker, server=server)
    return Level(waiting=refunds - lacking, held=held, filling=10, windows=(window(calls),))


def rush(pressure: Pressure = QUIET, *, worker: int = 80 * MIB) -> Rush:
    held = Holding(refunds=10_000, worker=worker, server=500 * MIB)
    return Rush(
        away=60, server_cpu=0.6, window=window(900), pressure=pressure, by_second=(90,), held=held
    )


def findings(**changed: Any) -> WaitingFindings:
    usual: dict[str, Any] = {
        "about": ABOUT,
        "limit": 100,
        "pace": 1,
        "cached_max": 5_000,
        "history_events": 12,
        "history_bytes": 4 * KIB,
        "nothing": level(0, worker=80 * MIB, server=90 * MIB),
        "levels": (
            level(1_000, worker=100 * MIB, server=100 * MIB, calls=50),
            level(5_000, worker=100 * MIB + 4_000 * 64 * KIB, server=200 * MIB),
            level(10_000, worker=100 * MIB + 4_500 * 64 * KIB, server=300 * MIB, calls=100),
        ),
        "pressure": QUIET,
        "by_second": (90, 60),
        "trace": (),
        "rush": rush(),
    }
    return WaitingFindings(**(usual | changed))


def test_the_busiest_second_begins_with_any_call() -> None:
    assert busiest([0.0, 0.9, 1.0, 1.8, 1.89, 5.0], 1) == 4


def test_no_calls_press_on_nothing() -> None:
    assert Pressure.of([], 100) == Pressure(calls=0, fastest_second=0, fastest_ten=0, bucket=0)


def test_calls_at_the_limit_need_a_bucket_of_one() -> None:
    assert bucket([number / 10 for number in range(100)], 10) == pytest.approx(1)


def test_calls_at_once_need_a_bucket_for_all_of_them() -> None:
    assert bucket([7.0] * 50, 10) == pytest.approx(50)


def test_a_full_bucket_after_a_quiet_while_admits_twice_the_limit_in_a_second() -> None:
    moments = [100.0] * 10 + [100.0 + number / 10 for number in range(100)]

    pressure = Pressure.of(moments, 10)

    assert pressure.fastest_second == 20
    assert pressure.bucket == pytest.approx(11)


def test_seconds_without_a_call_are_seconds_too() -> None:
    assert by_second([10.5, 10.6, 13.4]) == (2, 0, 1)
    assert by_second([]) == ()


def test_a_line_goes_through_its_points() -> None:
    line = Line.through([(0, 1), (10, 6), (20, 11)])

    assert line.start == pytest.approx(1)
    assert line.slope == pytest.approx(0.5)


def test_a_single_point_makes_a_level_line() -> None:
    assert Line.through([(3, 5)]) == Line(start=5, slope=0)


def test_the_text_tells_what_a_refund_takes_within_the_cache_and_beyond() -> None:
    text = WAITING.written(findings())

    assert "A refund takes 64.0 KiB of the worker while it is cached." in text
    assert "each refund beyond adds 6.4 KiB" in text


def test_a_cache_that_was_never_full_is_told() -> None:
    text = WAITING.written(findings(cached_max=20_000))

    assert "The cache was never full." in text


def test_the_text_parts_the_price_of_polls_from_the_rest() -> None:
    text = WAITING.written(findings())

    assert "20.0 ms of CPU in the worker and 30.0 ms in Temporal" in text
    assert "need 1.0 % of a core" in text


def test_what_was_not_measured_is_called_computed() -> None:
    text = WAITING.written(findings())

    assert "Computed, not measured: 10,000 refunds that poll once an hour make 2.8 calls" in text


def test_a_limit_that_always_held_is_told() -> None:
    assert "No second had more calls than the limit." in WAITING.written(findings())


def test_a_second_beyond_the_limit_is_told() -> None:
    pressed = Pressure(calls=900, fastest_second=107, fastest_ten=900, bucket=8.4)

    text = WAITING.written(findings(pressure=pressed, rush=rush(pressed)))

    assert "The busiest second had 7 % more calls than the limit; a bucket of 8.4" in text


def test_refunds_in_doubt_are_not_passed_over() -> None:
    lacking = level(10_000, worker=MIB, server=MIB, lacking=7)

    assert "7 of 10,000 were not in processing" in WAITING.written(findings(levels=(lacking,)))


@pytest.mark.parametrize(("worker", "word"), [(80 * MIB, "less"), (900 * MIB, "no less")])
def test_a_new_worker_is_compared_with_the_lost_one(worker: int, word: str) -> None:
    assert f"waiting, {word} than" in WAITING.written(findings(rush=rush(worker=worker)))


def test_stretched_waits_are_told() -> None:
    assert "60 times its usual length" in WAITING.written(findings(pace=1 / 60))
    assert "usual length" not in WAITING.written(findings())


def test_every_level_is_a_row() -> None:
    rows = [line for line in WAITING.written(findings()).splitlines() if line.startswith("| ")]

    assert [row.split(" | ")[0] for row in rows[1:]] == ["| 0", "| 1,000", "| 5,000", "| 10,000"]


def test_findings_survive_their_storage() -> None:
    found = findings()

    assert WAITING.form.model_validate_json(found.model_dump_json()) == found
