"""Costs are counted on a real server."""

import pytest

from bench.cost import SCENARIOS, Cost, ScenarioCost, compare
from bench.environment import running_stack


async def test_an_immediate_refund_costs_what_its_history_shows() -> None:
    """The smoke run: a scenario from end to end with both implementations."""
    async with running_stack("temporal", "simulator") as stack:
        found = await compare(SCENARIOS[0], stack)

    assert found.is_within
    assert found.ours.calls == 1
    assert found.loop is not None
    assert (found.loop.events, found.loop.actions, found.loop.calls) == (11, 2, 1)
    assert found.ours.end == found.loop.end == "succeeded"


@pytest.mark.parametrize(("events", "is_within"), [(13, True), (14, False)])
def test_a_history_may_not_be_longer_than_its_limit(events: int, *, is_within: bool) -> None:
    ours = Cost(events=events, actions=3, calls=1, bytes=1024, end="succeeded")

    cost = ScenarioCost(scenario="immediate", ours=ours, loop=None, events_max=13)

    assert cost.is_within is is_within


def test_two_scenarios_differ_in_their_inquiries_alone() -> None:
    few, many = (each for each in SCENARIOS if each.inquiries is not None)

    assert few.takes_weeks is many.takes_weeks is True
    assert (few.policy, few.payment) == (many.policy, many.payment)
