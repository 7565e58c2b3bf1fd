"""Requests are repeated, processes are killed and restarted, and a broken engine is left out."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.peers import runs
from bench.peers.engine import End, Engine
from bench.peers.job import draw_job
from bench.peers.runs import EngineRun, Kill

ORDERS = draw_job(10, 1).orders


class FakeEngine:
    """Keeps orders in memory; unavailable for this many calls."""

    def __init__(self, *, unavailable_for: int = 0) -> None:
        self.unavailable_for = unavailable_for
        self.taken: list[str] = []
        self.requesting = self.requesting_most = 0
        self.done: list[str] = []
        self.running = {"app": 1, "webhook": 2}

    async def request(self, order: RefundOrder) -> None:
        self.requesting += 1
        self.requesting_most = max(self.requesting_most, self.requesting)
        await asyncio.sleep(0)
        self.requesting -= 1
        if self.unavailable_for:
            self.unavailable_for -= 1
            raise ConnectionError
        self.taken.append(order.refund_request_id)

    async def ends(self) -> Mapping[str, End]:
        if self.unavailable_for:
            raise ConnectionError
        return {each: End(RefundState.SUCCEEDED, datetime.now(UTC)) for each in self.taken}

    def pids(self) -> Mapping[str, int]:
        return self.running

    async def kill_and_wait(self, name: str) -> None:
        self.done.append(f"kill {name}")
        del self.running[name]

    async def start(self, name: str) -> None:
        self.done.append(f"start {name}")
        if self.unavailable_for:
            self.unavailable_for -= 1
            raise SettingsError("not yet")
        self.running[name] = 3


def run_of(engine: FakeEngine) -> EngineRun:
    return EngineRun(cast("Engine", engine), cast("Any", None))


async def test_a_burst_requests_everything_with_limited_concurrency() -> None:
    engine = FakeEngine()
    run = run_of(engine)

    await run.burst(ORDERS, concurrency=3)

    assert sorted(engine.taken) == sorted(run.requested)
    assert len(engine.taken) == len(ORDERS)
    assert engine.requesting_most == 3


async def test_a_refused_request_is_repeated_and_counted_once() -> None:
    engine = FakeEngine(unavailable_for=2)
    run = run_of(engine)

    await run.burst(ORDERS[:1], concurrency=1)

    assert engine.taken == [ORDERS[0].refund_request_id]
    assert run.refused == {ORDERS[0].refund_request_id}


async def test_times_run_from_when_a_request_was_due() -> None:
    run = run_of(FakeEngine())

    await run.steady(ORDERS[:3], per_second=100)

    first, second, third = (run.requested[order.refund_request_id] for order in ORDERS[:3])
    assert (second - first).total_seconds() == pytest.approx(0.01, abs=1e-5)
    assert (third - second).total_seconds() == pytest.approx(0.01, abs=1e-5)


async def test_an_unavailable_engine_reports_no_ends() -> None:
    assert await run_of(FakeEngine(unavailable_for=1)).ends() == {}


async def test_only_running_processes_are_killed_and_started_until_they_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_DOWN_SECONDS", 0)
    engine, happened = FakeEngine(unavailable_for=1), list[Kill]()
    kills = [Kill(at=0, process="server"), Kill(at=0, process="webhook")]

    await runs._kill(cast("Engine", engine), kills, happened)

    assert [kill.process for kill in happened] == ["webhook"]
    assert engine.done == ["kill webhook", "start webhook", "start webhook"]
