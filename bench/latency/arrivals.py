"""An open loop: each thing is begun at its own moment, however late the ones before it end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")


async def at_rate(
    per_second: float, things: Sequence[Thing], one: Callable[[Thing], Awaitable[Made]]
) -> list[Made]:
    """This for each of them, begun so many times a second."""
    loop = asyncio.get_running_loop()
    beginning = loop.time()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, thing in enumerate(things):
            await asyncio.sleep(max(0.0, beginning + number / per_second - loop.time()))
            tasks.append(group.create_task(_awaited(one, thing)))
    return [task.result() for task in tasks]


async def _awaited(one: Callable[[Thing], Awaitable[Made]], thing: Thing) -> Made:
    return await one(thing)
