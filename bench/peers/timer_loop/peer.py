"""The timer loop beside the others: the same server, the same settings, another workflow."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from bench.peers.peer import Antom, End
from bench.peers.temporal import TemporalPeer
from bench.peers.timer_loop.workflow import QUEUE, TimerLoopOrder, TimerLoopRefund
from bench.stage import QuickStack

_CLOSED: Final = "ExecutionStatus = 'Completed'"
_READING_AT_ONCE: Final = 20


class TimerLoopStack(QuickStack):
    """The stack with the timer loop's worker and door."""

    def part(self, name: str) -> tuple[list[str], int]:
        command, port = super().part(name)
        module = {"worker": "worker", "webhook": "door"}.get(name)
        ours = [sys.executable, "-m", f"bench.peers.timer_loop.{module}"]
        return (ours if module else command), port


class TimerLoopPeer(TemporalPeer):
    """Temporal as its samples poll with it."""

    name = "timer loop"
    made_as = TimerLoopStack

    def __init__(self, folder: Path, antom: Antom) -> None:
        super().__init__(folder, antom)
        self._pace = antom.pace
        self._asked: set[str] = set()
        self._ends: dict[str, End] = {}
        self._closed_before = 0

    async def ask(self, order: RefundOrder) -> None:
        """Raises RPCError while the server is away."""
        with suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                TimerLoopRefund.run,
                TimerLoopOrder(order=order, pace=self._pace),
                id=order.refund_request_id,
                task_queue=QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        self._asked.add(order.refund_request_id)

    async def ends(self) -> Mapping[str, End]:
        """Results must be read one by one, so they are read when nothing ends any more."""
        closed = [each async for each in self.client.list_workflows(_CLOSED)]
        is_quiet = len(closed) in {len(self._asked), self._closed_before}
        self._closed_before = len(closed)
        if is_quiet:
            await self._read([each for each in closed if each.id not in self._ends])
        return self._ends

    async def _read(self, closed: list[WorkflowExecution]) -> None:
        turn = asyncio.Semaphore(_READING_AT_ONCE)

        async def read(execution: WorkflowExecution) -> None:
            async with turn:
                state = await _result(self.client, execution)
            if execution.close_time is not None:
                self._ends[execution.id] = End(state, execution.close_time)

        await asyncio.gather(*(read(each) for each in closed))


async def _result(client: Client, execution: WorkflowExecution) -> RefundState:
    state: RefundState = await client.get_workflow_handle(
        execution.id, result_type=RefundState
    ).result()
    return state
