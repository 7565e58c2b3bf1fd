"""A worker is lost at every single step of a refund; money moves once and the end is the right one.

A first refund is driven by a worker that lives, and its steps are written down. Then, for each of
them, a refund is driven by a worker that dies by SIGKILL in the middle of that step, and after
that by a fresh process with nothing in its memory.
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

# Each refund has two processes of its own at most; more would only wait for the processor.
_AT_ONCE: Final = 8
_ALWAYS: Final = 100


async def _nothing(harness: Harness, order: RefundOrder) -> None:
    """The refund needs nobody else."""


async def _notified(harness: Harness, order: RefundOrder) -> None:
    """The bank is done, and Antom says so, while nobody is asking."""
    await harness.until_pending(order, contract.ACTIVITY_AWAIT_RESULT, "next in")
    harness.settle(order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to an end, the same whoever gets lost on it."""

    ends: RefundState = RefundState.SUCCEEDED
    never_inquires: bool = False
    payment: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[FaultKind | str, ...]] = field(default_factory=dict)
    meanwhile: Callable[[Harness, RefundOrder], Coroutine[Any, Any, None]] = _nothing


WAYS: Final = {
    "at once": Way(),
    "notified": Way(
        never_inquires=True,
        payment={"is_async": True},
        order={"notify_url": NOTIFY_URL},
        faults={Operation.INQUIRY: (FaultKind.STALE,) * _ALWAYS},
        meanwhile=_notified,
    ),
    "polled": Way(
        payment={"is_async": True, "settle_after": timedelta()},
        faults={Operation.INQUIRY: (FaultKind.STALE,)},
    ),
    "doubt": Way(faults={Operation.REFUND: (FaultKind.CUT_AFTER,)}),
    "blocked": Way(faults={Operation.REFUND: ("ACCESS_DENIED",)}),
    "closed": Way(
        ends=RefundState.CLOSED,
        faults={
            Operation.REFUND: ("ORDER_IS_CLOSED",) * _ALWAYS,
            Operation.INQUIRY: ("ORDER_IS_CLOSED",) * _ALWAYS,
        },
    ),
}


@dataclass(frozen=True, slots=True)
class CrashTest:
    """Where all of it happens."""

    stage: Harness
    nursery: WorkerForks
    environment: Mapping[str, str]
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, way: Way, queues: str) -> RefundOrder:
        order = self.stage.order(**way.order)
        self.stage.add_payment(order, **way.payment)
        for operation, faults in way.faults.items():
            self.stage.script(order, operation, *faults)
        async with self.starting:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(contract, "REFUNDS_QUEUE", f"refunds-{queues}")
                return await self.stage.start(order)

    async def bear(self, way: Way, queues: str, *, dies_at: Step | None = None) -> ForkedWorker:
        return await self.nursery.fork(
            self.environment, queues, never_inquires=way.never_inquires, dies_at=dies_at
        )


async def _alive(crash_test: CrashTest, way: Way) -> tuple[list[Step], set[int]]:
    """The steps of a worker that lives, and how many events there were at each decision."""
    queues = uuid4().hex[:8]
    worker = await crash_test.bear(way, queues)
    try:
        order = await crash_test.start(way, queues)
        await way.meanwhile(crash_test.stage, order)
        _judge(crash_test.stage, way, order, await crash_test.stage.wait_for_outcome(order))
        decided = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        events = (await crash_test.stage.history(order)).events
        lengths = {event.event_id - 1 for event in events if event.event_type == decided}
        await worker.until(("decision told", len(lengths)))
        return list(worker.steps), lengths
    finally:
        await worker.kill()


async def _lost(crash_test: CrashTest, way: Way, step: Step) -> int:
    """Lose a worker in the middle of this step; how many events there were then."""
    queues = uuid4().hex[:8]
    order = await crash_test.start(way, queues)
    worker = await crash_test.bear(way, queues, dies_at=step)
    meanwhile = asyncio.create_task(way.meanwhile(crash_test.stage, order))
    await worker.dead.wait()
    assert worker.steps[-1] == step
    length = await crash_test.stage.events(order)
    successor = await crash_test.bear(way, queues)
    try:
        await meanwhile
        _judge(crash_test.stage, way, order, await crash_test.stage.wait_for_outcome(order))
    finally:
        await successor.kill()
    return length


def _judge(harness: Harness, way: Way, order: RefundOrder, outcome: RefundOutcome) -> None:
    assert outcome.state is way.ends
    assert not outcome.is_contradicted
    assert harness.movements(order) == (1 if way.ends is RefundState.SUCCEEDED else 0)
    # A worker that is lost before it sent anything may find the id closed already.
    is_unsent = way.ends is RefundState.CLOSED and not harness.calls(order, CallKind.REFUND)
    assert harness.payloads(order) == (0 if is_unsent else 1)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.slow
async def test_a_worker_can_be_lost_at_every_step(
    harness: Harness, worker_forks: WorkerForks, environment: dict[str, str], name: str
) -> None:
    crash_test, way = CrashTest(harness, worker_forks, environment), WAYS[name]
    steps, lengths_decided_at = await _alive(crash_test, way)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def lost(step: Step) -> int:
        async with gate:
            return await _lost(crash_test, way, step)

    lengths = await asyncio.gather(*(lost(step) for step in steps))

    assert lengths_decided_at <= set(lengths)
