"""Lists of refunds never fail because of one record, and include stopped refunds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from antom_refunds import attributes
from antom_refunds.domain.refund import RefundState
from antom_refunds.views import RefundView, _state, amount_of, text_of, time_of
from tests.harness import TEST_TIMEOUT, Harness


class Foreign:
    """Starts workflows of our type with foreign data, for one payment id."""

    def __init__(self, harness: Harness) -> None:
        self._stage = harness
        self.payment_id = f"pay_{uuid4().hex}"

    async def start(self, workflow_id: str, **values: Any) -> WorkflowHandle[Any, Any]:
        named = {key.name: key for key in attributes.KEYS}
        values = {"RefundPaymentId": self.payment_id, **values}
        return await self._stage.temporal.start_workflow(
            "Refund",
            id=workflow_id,
            task_queue=f"no-worker-{self.payment_id}",
            execution_timeout=timedelta(minutes=2),
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(named[name], value) for name, value in values.items()]
            ),
        )

    async def listed(self, number: int, **kind: Any) -> list[RefundView]:
        """Wait until the list, which may lag, shows this number; returns it."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while True:
                found = [
                    view
                    async for view in self._stage.refunds.list(payment_id=self.payment_id, **kind)
                ]
                if len(found) == number:
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
def foreign(idle_harness: Harness) -> Foreign:
    return Foreign(idle_harness)


async def test_invalid_records_are_listed_with_their_known_fields(foreign: Foreign) -> None:
    own = uuid4().hex
    usual = {"RefundCurrency": "EUR", "RefundAmountMinor": 1250}
    await foreign.start(f"refund/{own}")
    await foreign.start(f"refund//{own}")
    await foreign.start(f"refund/{own}/b/c", RefundState="lost", RefundResultCode="X")
    await foreign.start(f"refund/default/{own}-1", **{**usual, "RefundAmountMinor": -5})
    await foreign.start(f"refund/default/{own}-2", **{**usual, "RefundCurrency": "eur"})
    await foreign.start(f"refund/default/{own}-3", **{**usual, "RefundAmountMinor": 10**16 - 1})
    await foreign.start(f"refund/default/{own}-4", **usual, RefundState="processing")

    views = {view.workflow_id: view for view in await foreign.listed(7)}

    bare = views[f"refund/{own}"]
    assert (bare.refund_request_id, bare.merchant) == (f"refund/{own}", None)
    assert (bare.amount, bare.state, bare.result_code) == (None, RefundState.REQUESTED, "none")
    assert views[f"refund//{own}"].merchant is None
    odd = views[f"refund/{own}/b/c"]
    assert (odd.state, odd.result_code, odd.merchant) == (None, "X", None)
    amounts = [views[f"refund/default/{own}-{number}"].amount for number in (1, 2, 3, 4)]
    assert [str(amount) for amount in amounts] == ["None", "None", "None", "12.50 EUR"]


async def test_a_refund_without_any_search_attribute_is_shown(
    idle_harness: Harness, foreign: Foreign
) -> None:
    own = uuid4().hex
    handle = await idle_harness.temporal.start_workflow(
        "Refund", id=f"refund/default/{own}", task_queue=f"no-worker-{own}"
    )

    view = await idle_harness.refunds.describe(own)
    await handle.terminate()

    assert (view.refund_request_id, view.payment_id, view.amount) == (own, None, None)


async def test_the_newest_come_first_whether_ended_or_not(foreign: Foreign) -> None:
    ids = [f"refund/default/{uuid4().hex}" for _ in range(4)]
    handles = [await foreign.start(each) for each in ids]
    for number in (2, 0):
        await handles[number].terminate()
    await foreign.listed(2, is_stopped=True)

    assert [view.workflow_id for view in await foreign.listed(4)] == list(reversed(ids))


async def test_a_stopped_refund_needs_attention(foreign: Foreign) -> None:
    own = uuid4().hex
    state = {"RefundState": "processing", "RefundNeedsAttention": False}
    await foreign.start(f"refund/default/{own}-runs", **state)
    stopped = await foreign.start(f"refund/default/{own}-stopped", **state)
    await foreign.start(f"refund/default/{own}-bare")

    await stopped.terminate()
    [view] = await foreign.listed(1, needs_attention=True)
    others = await foreign.listed(2, needs_attention=False)

    assert view.refund_request_id == f"{own}-stopped"
    assert (view.stopped_as, view.is_stopped, view.needs_attention) == ("terminated", True, True)
    assert {each.is_stopped for each in others} == {False}
    assert len(await foreign.listed(2, state=RefundState.PROCESSING)) == 2
    assert len(await foreign.listed(1, state=RefundState.PROCESSING, is_stopped=True)) == 1
    assert len(await foreign.listed(1, state=RefundState.PROCESSING, is_stopped=False)) == 1


async def test_a_stopped_run_with_a_later_run_needs_no_attention(foreign: Foreign) -> None:
    workflow_id = f"refund/default/{uuid4().hex}"
    first = await foreign.start(workflow_id)
    await first.terminate()
    await foreign.listed(1, needs_attention=True)

    second = await foreign.start(workflow_id)
    [view] = await foreign.listed(1)

    assert view.run_id == second.first_execution_run_id
    assert await foreign.listed(0, needs_attention=True) == []


def test_attributes_of_another_type_are_unknown() -> None:
    assert _state(["requested"]) is None
    assert text_of(7) is None
    assert time_of("soon") is None
    assert amount_of("EUR", "12") is None
    assert amount_of(["EUR"], 12) is None
    assert time_of(now := datetime.now(UTC)) == now
