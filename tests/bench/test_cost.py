"""Costs are counted on a real server."""

import asyncio
import json
from pathlib import Path

import pytest

from antom_refunds.process import FAILED, OK
from bench.__main__ import bench
from bench.cost import SCENARIOS, Cost, ScenarioCost, compare, summarise
from bench.environment import running_stack
from bench.figures import Figures
from bench.report import RESULTS
from tests.bench.test_results_page import DOCS


async def test_an_immediate_refund_costs_what_its_history_shows() -> None:
    """The smoke run: a scenario from end to end with both implementations."""
    async with running_stack("temporal", "simulator") as stack:
        found = await compare(SCENARIOS[0], stack)

    assert found.is_within
    assert found.ours.calls == 1
    assert found.loop is not None
    assert (found.loop.events, found.loop.actions, found.loop.calls) == (11, 2, 1)
    assert found.ours.end == found.loop.end == "succeeded"


async def test_inquiries_about_the_payment_are_calls_too() -> None:
    """After a lost response an inquiry finds the refund, another one confirms its payment."""
    (lost,) = (each for each in SCENARIOS if "responses lost" in each.name)
    async with running_stack("temporal", "simulator") as stack:
        found = await compare(lost, stack)

    assert found.ours.calls == 3


@pytest.mark.parametrize(("events", "exceeded"), [(13, []), (14, ["immediate"])])
def test_a_history_may_not_be_longer_than_its_limit(events: int, exceeded: list[str]) -> None:
    ours = Cost(events=events, actions=3, calls=1, bytes=1024, end="succeeded")
    polled = [ScenarioCost(each, ours._replace(events=1), ours) for each in SCENARIOS[3:5]]

    found = summarise([ScenarioCost(SCENARIOS[0], ours, None), *polled])

    assert found["exceeded"] == exceeded


@pytest.mark.parametrize("exceeded", [[], ["immediate"]])
def test_the_exit_code_is_1_if_a_limit_is_exceeded(
    exceeded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def measure(*_: object, **__: object) -> Figures:
        await asyncio.sleep(0)
        stored: Figures = json.loads((DOCS / RESULTS / "cost.json").read_text())
        return stored | {"exceeded": exceeded}

    monkeypatch.setattr("bench.__main__.MEASUREMENTS", {"cost": ("Costs", measure)})
    monkeypatch.setattr("bench.__main__._QUICK_FOLDER", tmp_path)
    assert bench("cost", quick=True) == (FAILED if exceeded else OK)


def test_two_scenarios_differ_in_their_inquiries_alone() -> None:
    few, many = (each for each in SCENARIOS if each.inquiries)

    assert few.takes_weeks is many.takes_weeks is True
    assert (few.policy, few.payment) == (many.policy, many.payment)
