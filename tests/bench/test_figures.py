"""Percentiles, medians, lines and peak rates."""

import pytest

from bench.figures import Line, Percentiles, call_rate, median_range


def test_percentiles_are_numbers_that_were_measured() -> None:
    assert Percentiles.of([]) == Percentiles()
    assert Percentiles.of(range(1, 101)) == Percentiles(p50=50, p99=99, max=100)


def test_a_median_has_its_range() -> None:
    assert median_range([3, 1, 2]) == {"least": 1, "median": 2, "most": 3}


def test_a_line_goes_through_its_points() -> None:
    line = Line.through([(0, 1), (10, 6), (20, 11)])

    assert line.start == pytest.approx(1)
    assert line.slope == pytest.approx(0.5)
    assert Line.through([(3, 5)]) == Line(start=5, slope=0)


def test_what_grows_more_slowly_is_less_from_some_point_on() -> None:
    slow, steep = Line(start=5, slope=1), Line(start=2, slope=2)

    assert slow.is_below_from(steep) == 4
    assert 5 + 3 * 1 == 2 + 3 * 2


def test_the_busiest_second_begins_with_any_call() -> None:
    assert call_rate([0.0, 0.9, 1.0, 1.8, 1.89, 5.0])["fastest_second"] == 4


def test_a_full_bucket_admits_twice_the_limit_in_a_second() -> None:
    rate = call_rate([100.0 + number / 10 for number in range(100)] + [100.0] * 10)

    assert rate["fastest_second"] == 20
    assert rate["fastest_ten"] == rate["calls"] == 110


def test_seconds_without_a_call_are_counted() -> None:
    assert call_rate([10.5, 10.6, 13.4])["by_second"] == [2, 0, 1]
    assert call_rate([]) == {"calls": 0, "fastest_second": 0, "fastest_ten": 0, "by_second": []}
