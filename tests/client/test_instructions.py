"""Instructions of operators while Temporal is busy or the refund ends."""

import asyncio
from typing import Any, cast

import pytest
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract, updates
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.contract import Instruction
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.errors import InstructionRejectedError
from antom_refunds.views import RefundView
from tests.harness import Harness

OPS = Instruction(by="ops", reason="it hangs")
# Temporal's limit for concurrent updates of one workflow.
UPDATES_MAX = 10


async def test_more_concurrent_instructions_than_temporal_admits_are_all_accepted(
    idle_harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "_WAITS", (0.05,) * 1000)
    order = await idle_harness.start(idle_harness.payable_order(is_async=True))
    sent = [_check_now(idle_harness, order.refund_request_id) for _ in range(UPDATES_MAX + 5)]

    async with idle_harness.running_worker():
        replies = await asyncio.gather(*sent)

    assert [reply for reply in replies if "inquiry is being sent" not in reply] == []
    assert len(replies) == UPDATES_MAX + 5


class Collides:
    """A handle whose first updates conflict with another event in their workflow task."""

    def __init__(self, times: int, status: RPCStatusCode) -> None:
        self._left, self._status = times, status
        self.ids: list[str] = []

    async def execute_update(self, *_: Any, id: str, **__: Any) -> str:  # noqa: A002 - the SDK's
        self.ids.append(id)
        if self._left:
            self._left -= 1
            raise RPCError("it met another event", self._status, b"")
        return "taken"


@pytest.mark.parametrize("status", [RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.ABORTED])
async def test_an_instruction_that_collides_is_repeated_as_the_same_instruction(
    monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    monkeypatch.setattr(updates, "_WAITS", (0.001,) * 3)
    handle = Collides(2, status)

    reply = await updates.send_instruction(cast("Any", handle), "check_now", OPS, name="rf_1")

    assert reply == "taken"
    assert len(handle.ids) == 3
    assert len(set(handle.ids)) == 1


async def test_an_instruction_that_keeps_colliding_says_that_nothing_was_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(updates, "_WAITS", (0.001,) * 3)
    handle = Collides(1000, RPCStatusCode.ABORTED)

    with pytest.raises(TemporalUnavailableError, match=r"rf_1 is too busy.*nothing was changed"):
        await updates.send_instruction(cast("Any", handle), "check_now", OPS, name="rf_1")


class EndsMeanwhile(RefundClient):
    """A client whose refund ends immediately after describe()."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.temporal)
        self._stage = harness

    async def describe(
        self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT
    ) -> RefundView:
        view = await super().describe(refund_request_id, merchant=merchant)
        if view.is_running:
            self._stage.transport.release()
            await self.outcome(refund_request_id)
        return view


async def test_an_instruction_that_arrives_after_the_end_says_how_the_refund_ended(
    harness: Harness,
) -> None:
    harness.transport.hold()
    order = await harness.start(harness.payable_order())

    with pytest.raises(InstructionRejectedError, match="is already succeeded"):
        await EndsMeanwhile(harness).check_now(order.refund_request_id, OPS)


async def _check_now(harness: Harness, refund_request_id: str) -> str:
    handle = harness.temporal.get_workflow_handle(
        contract.workflow_id(refund_request_id, merchant=DEFAULT_MERCHANT)
    )
    return await updates.send_instruction(
        handle, contract.UPDATE_CHECK_NOW, OPS, name=refund_request_id
    )
