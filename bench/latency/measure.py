"""Notifications at a steady rate to refunds in processing, and beside them signals to the floor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import Client

from bench.latency.arrivals import at_rate
from bench.latency.findings import LatencyFindings, Pair, Passage, Series
from bench.latency.record import Told, passage
from bench.latency.sides import Bare, Refunds
from bench.machine import About
from bench.measurement import Say
from bench.stage import beside, standing
from bench.webhook.notices import Pen
from bench.webhook.pipe import Pool
from bench.webhook.processing import FIRST_INQUIRY_PAST, Queue, by_few

Thing = TypeVar("Thing")
# What the last word sets going is over by then.
_REST: Final = timedelta(seconds=0.5)
_WARM_UP: Final = 20
# Words a second, and how many of them a round has.
_FULL: Final = ((1, 8), (10, 50), (50, 150))
_QUICK: Final = ((10, 20), (50, 50))
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Match:
    """Both sides on one server."""

    temporal: Client
    refunds: Refunds
    bare: Bare

    async def warm_up(self) -> None:
        """So that nobody connects for the first time while it counts."""
        await self._told(_WARM_UP, await self.bare.opened("warm-up", _WARM_UP), self.bare.tell)
        notices = await self.refunds.opened("warm-up", _WARM_UP)
        await self._told(_WARM_UP, notices, self.refunds.tell)

    async def pair(self, name: str, per_second: int, count: int, *, is_bare_first: bool) -> Pair:
        """One round: everything is opened beforehand, and has come to rest."""
        signals = await self.bare.opened(name, count)
        notices = await self.refunds.opened(name, count)
        await asyncio.sleep(FIRST_INQUIRY_PAST.total_seconds())
        floor = await self._told(per_second, signals, self.bare.tell) if is_bare_first else []
        ours = await self._told(per_second, notices, self.refunds.tell)
        floor = floor or await self._told(per_second, signals, self.bare.tell)
        return Pair(
            per_second=per_second, refund=await self._read(ours), bare=await self._read(floor)
        )

    async def _told(
        self, per_second: int, things: Sequence[Thing], tell: Callable[[Thing], Awaitable[Told]]
    ) -> list[Told]:
        told = await at_rate(per_second, things, tell)
        await asyncio.sleep(_REST.total_seconds())
        return told

    async def _read(self, told: list[Told]) -> Series:
        async def read(each: Told) -> Passage:
            return await passage(self.temporal, each)

        return Series.of(await by_few(told, read))


async def measured(is_quick: bool, say: Say) -> LatencyFindings:  # noqa: FBT001 - as it is called
    """Every rate, round after round; who goes first changes each time."""
    about = About.now("fastapi", "cryptography")
    pairs = []
    async with _match() as match:
        await match.warm_up()
        for number in range(1 if is_quick else _ROUNDS):
            for rate, count in _QUICK if is_quick else _FULL:
                say(f"latency: round {number + 1}, {rate} a second")
                name = f"{number}-{rate}"
                first = number % 2 == 1
                pairs.append(await match.pair(name, rate, count, is_bare_first=first))
    return LatencyFindings(about=about, pairs=tuple(pairs))


@asynccontextmanager
async def _match() -> AsyncIterator[Match]:
    async with (
        standing() as stack,
        beside(stack, "bench.latency.worker"),
        Pool(stack.notify_url) as pool,
    ):
        temporal = await stack.temporal()
        pen = Pen(stack.home / "keys" / "antom-private.pem", stack.notify_url)
        yield Match(temporal, Refunds(await Queue.open(stack), pen, pool), Bare(temporal))
