"""A worker is killed at every step of a refund; money moves once and the final state is correct.

A first worker is not killed; its steps are recorded. Then, for each step, a worker is killed by
SIGKILL during that step, and a new process continues its refund.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType

from antom_refunds import contract
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from tests.crash.conftest import ForkedWorker, Step, WorkerForks
from tests.harness import NOTIFY_URL, Harness

# Each refund has at most two processes; more would only wait for the CPU.
_CONCURRENT: Final = 8
_ALPATHS: Final = 100


async def _nothing(harness: Harness, order: RefundOrder) -> None:
    """The refund needs no further event."""


async def _notified(harness: Harness, order: RefundOrder) -> None:
    """The bank settles and Antom notifies while no call is in flight."""
    await harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    harness.settle(order)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPath:
    """One path to a terminal state, which must be the same if a worker is lost."""

    final_state: RefundState = RefundState.SUCCEEDED
    never_inquires: bool = False
    payment: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[FaultKind | str, ...]] = field(default_factory=dict)
    meanwhile: Callable[[Harness, RefundOrder], Coroutine[Any, Any, None]] = _nothing


PATHS: Final = {
    "immediate": RefundPath(),
    "notified": RefundPath(
        never_inquires=True,
        payment={"is_async": True},
        order={"notify_url": NOTIFY_URL},
        faults={Operation.INQUIRY: (FaultKind.STALE,) * _ALPATHS},
        meanwhile=_notified,
    ),
    "polled": RefundPath(
        payment={"is_async": True, "settle_after": timedelta()},
        faults={Operation.INQUIRY: (FaultKind.STALE,)},
    ),
    "doubt": RefundPath(faults={Operation.REFUND: (FaultKind.CUT_AFTER,)}),
    "blocked": RefundPath(faults={Operation.REFUND: ("ACCESS_DENIED",)}),
    "closed": RefundPath(
        final_state=RefundState.CLOSED,
        faults={
            Operation.REFUND: ("ORDER_IS_CLOSED",) * _ALPATHS,
            Operation.INQUIRY: ("ORDER_IS_CLOSED",) * _ALPATHS,
        },
    ),
}


@dataclass(frozen=True, slots=True)
class CrashTest:
    """The harness and the source of workers that all refunds of a test share."""

    harness: Harness
    worker_forks: WorkerForks
    environment: Mapping[str, str]
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, path: RefundPath, queues: str) -> RefundOrder:
        order = self.harness.order(**path.order)
        self.harness.add_payment(order, **path.payment)
        for operation, faults in path.faults.items():
            self.harness.script(order, operation, *faults)
        async with self.starting:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(contract, "REFUNDS_QUEUE", f"refunds-{queues}")
                return await self.harness.start(order)

    async def fork(
        self, path: RefundPath, queues: str, *, dies_at: Step | None = None
    ) -> ForkedWorker:
        return await self.worker_forks.fork(
            self.environment, queues, never_inquires=path.never_inquires, dies_at=dies_at
        )


async def _run_without_loss(crash_test: CrashTest, path: RefundPath) -> tuple[list[Step], set[int]]:
    """The steps of a worker that is not killed, and the history length at each decision."""
    queues = uuid4().hex[:8]
    worker = await crash_test.fork(path, queues)
    try:
        order = await crash_test.start(path, queues)
        await path.meanwhile(crash_test.harness, order)
        _verify(crash_test.harness, path, order, await crash_test.harness.wait_for_outcome(order))
        decided = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        events = (await crash_test.harness.history(order)).events
        lengths = {event.event_id - 1 for event in events if event.event_type == decided}
        await worker.until(("decision sent", len(lengths)))
        return list(worker.steps), lengths
    finally:
        await worker.kill()


async def _run_with_loss(crash_test: CrashTest, path: RefundPath, step: Step) -> int:
    """Kill a worker during this step; returns the history length at that time."""
    queues = uuid4().hex[:8]
    order = await crash_test.start(path, queues)
    worker = await crash_test.fork(path, queues, dies_at=step)
    meanwhile = asyncio.create_task(path.meanwhile(crash_test.harness, order))
    await worker.dead.wait()
    assert worker.steps[-1] == step
    length = await crash_test.harness.events(order)
    successor = await crash_test.fork(path, queues)
    try:
        await meanwhile
        _verify(crash_test.harness, path, order, await crash_test.harness.wait_for_outcome(order))
    finally:
        await successor.kill()
    return length


def _verify(harness: Harness, path: RefundPath, order: RefundOrder, outcome: RefundOutcome) -> None:
    assert outcome.state is path.final_state
    assert not outcome.is_contradicted
    assert harness.movements(order) == (1 if path.final_state is RefundState.SUCCEEDED else 0)
    # A worker that is lost before it sent a call may find the id closed already.
    is_unsent = path.final_state is RefundState.CLOSED and not harness.calls(order, CallKind.REFUND)
    assert harness.payloads(order) == (0 if is_unsent else 1)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.slow
async def test_a_worker_can_be_lost_at_every_step(
    harness: Harness, worker_forks: WorkerForks, environment: dict[str, str], name: str
) -> None:
    crash_test, path = CrashTest(harness, worker_forks, environment), PATHS[name]
    steps, lengths_decided_at = await _run_without_loss(crash_test, path)
    slots = asyncio.Semaphore(_CONCURRENT)

    async def lost(step: Step) -> int:
        async with slots:
            return await _run_with_loss(crash_test, path, step)

    lengths = await asyncio.gather(*(lost(step) for step in steps))

    assert lengths_decided_at <= set(lengths)
