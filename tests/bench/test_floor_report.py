"""The floor's section says what its bursts say."""

import pytest

from bench.floor import FLOOR
from bench.floor.measure import Burst, FloorFindings
from bench.floor.report import ratios
from tests.bench.somewhere import ABOUT


def burst(per_second: float, **cpu_ms: float) -> Burst:
    spent = {"worker": 5.0, "temporal": 15.0, "driver": 1.0, **cpu_ms}
    return Burst(per_second=per_second, cpu_ms=spent)


def found(*refunds_per_second: float) -> FloorFindings:
    return FloorFindings(
        about=ABOUT,
        burst=400,
        at_once=40,
        floor=tuple(burst(50) for _ in refunds_per_second),
        listed=tuple(burst(45) for _ in refunds_per_second),
        refunds=tuple(burst(rate, simulator=2.5) for rate in refunds_per_second),
    )


def test_each_burst_of_refunds_is_held_against_the_floor_beside_it() -> None:
    drifting = ratios((burst(40), burst(20)), (burst(50), burst(25)))

    assert drifting.least == drifting.most == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [((45, 40, 30), "**reached**"), ((39, 45, 30), "**not reached**")],
    ids=["the median reaches it", "the median misses it"],
)
def test_the_median_pair_decides_about_the_goal(rates: tuple[float, ...], verdict: str) -> None:
    assert verdict in FLOOR.written(found(*rates))


def test_what_is_lost_to_lists_alone_is_said_beside_the_verdict() -> None:
    assert "To be listed alone leaves 0.90 (0.90-0.90) of it" in FLOOR.written(found(40, 40))


def test_the_floor_has_no_simulator_and_claims_no_number_for_it() -> None:
    bare, refund = (
        next(line for line in FLOOR.written(found(40)).splitlines() if line.startswith(f"| {name}"))
        for name in ("bare", "refund")
    )

    assert "|  |" in bare
    assert "2.5 (2.5-2.5)" in refund
