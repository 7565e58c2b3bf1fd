"""Refunds that wait, more and more of them on one stack, and then a worker that is lost.

At each level nothing is started for a while: what is spent then is the price of waiting.
"""

import asyncio
import time
from typing import Final

from bench.books import cpu_seconds
from bench.machine import About
from bench.measurement import Say
from bench.waiting.findings import Level, Pressure, Rush, WaitingFindings
from bench.waiting.hall import Hall, hall
from bench.waiting.plan import FULL, QUICK, Plan
from bench.waiting.pressure import by_second

# What was begun is over by then: modules are read, and the engine has put everything away.
_WARM_SECONDS: Final = 4


async def measure(quick: bool, say: Say) -> WaitingFindings:  # noqa: FBT001 - a measurement's form
    """Fill, look, fill further; at the end take the worker away and bring a new one."""
    plan = QUICK if quick else FULL
    about = About.now()
    async with hall(plan) as stage:
        nothing = await _level(stage, plan, 0.0)
        levels = await _levels(stage, plan, say)
        events, size = await stage.crowd.history()
        moments = sorted(await stage.arrivals.so_far())
        rush = await _rush(stage, plan, say)
    return WaitingFindings(
        about=about,
        limit=plan.limit,
        pace=plan.pace,
        cached_max=plan.cached_max,
        history_events=events,
        history_bytes=size,
        nothing=nothing,
        levels=tuple(levels),
        pressure=Pressure.of(moments, plan.limit),
        by_second=by_second(moments),
        trace=tuple(stage.trace),
        rush=rush,
    )


async def _levels(stage: Hall, plan: Plan, say: Say) -> list[Level]:
    until = time.monotonic() + plan.filling_max
    levels = []
    for number in plan.levels:
        begun = time.monotonic()
        if begun >= until:
            break
        async with stage.traced():
            await stage.crowd.grow(number, until=until)
            waiting = await stage.crowd.settle()
        filling = time.monotonic() - begun
        say(f"{waiting:,} of {stage.crowd.asked:,} wait after {filling:.0f} s")
        levels.append(await _level(stage, plan, filling))
    return levels


async def _rush(stage: Hall, plan: Plan, say: Say) -> Rush:
    stack = stage.stack
    say(f"no worker for {plan.away:.0f} s")
    stack.kill("worker")
    before = cpu_seconds(stack.pid_of("temporal"))
    await asyncio.sleep(plan.away)
    idle = cpu_seconds(stack.pid_of("temporal")) - before
    earlier = len(await stage.arrivals.so_far())
    await stack.start("worker")
    await asyncio.sleep(_WARM_SECONDS)
    window = await stage.window(plan.rush)
    moments = sorted((await stage.arrivals.so_far())[earlier:])
    return Rush(
        away=plan.away,
        server_cpu=idle,
        window=window,
        pressure=Pressure.of(moments, plan.limit),
        by_second=by_second(moments),
        held=stage.held(),
    )


async def _level(stage: Hall, plan: Plan, filling: float) -> Level:
    await asyncio.sleep(_WARM_SECONDS)
    windows = [await stage.window(plan.window) for _ in range(plan.windows)]
    return Level(
        waiting=stage.crowd.seen, held=stage.held(), filling=filling, windows=tuple(windows)
    )
