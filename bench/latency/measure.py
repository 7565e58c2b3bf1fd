"""Last words at a steady rate: to refunds by notification, to refunds directly, to the floor."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.client import Client

from bench.latency.arrivals import at_rate
from bench.latency.findings import LatencyFindings, Passage, Round, Series, Side
from bench.latency.record import Told, passage
from bench.latency.sides import Bare, Direct, Notified, Teller, Tells
from bench.machine import About
from bench.measurement import Say
from bench.stage import beside, standing
from bench.webhook.notices import Pen
from bench.webhook.pipe import Pool
from bench.webhook.processing import FIRST_INQUIRY_PAST, Queue, by_few

# What the last word sets going is over by then.
_REST: Final = timedelta(seconds=0.5)
_WARM_UP: Final = 20
# Words a second, and how many of them a round has.
_FULL: Final = ((1, 8), (10, 50), (50, 150))
_QUICK: Final = ((10, 20), (50, 50))
# So that each side is the first equally often.
_ROUNDS: Final = 2 * len(Side)
# In so many shares the sides take turns within a round: what disturbs the machine for a few
# seconds then disturbs all of them.
_SHARES: Final = 4


@dataclass(frozen=True, slots=True)
class Match:
    """All sides on one server."""

    temporal: Client
    sides: Mapping[Side, Teller]

    async def warm_up(self) -> None:
        """So that nobody connects for the first time while it counts."""
        for name, side in self.sides.items():
            await _told(_WARM_UP, await side.opened(f"warm-up-{name}", _WARM_UP))

    async def round(self, number: int, per_second: int, count: int) -> Round:
        """Everything is opened beforehand, and has come to rest; then share after share."""
        words = {
            name: await side.opened(f"{name}-{number}-{per_second}", count)
            for name, side in self.sides.items()
        }
        await asyncio.sleep(FIRST_INQUIRY_PAST.total_seconds())
        told: dict[Side, list[Told]] = {name: [] for name in Side}
        for share in range(_SHARES):
            for name in _turned(number + share):
                told[name] += await _told(per_second, words[name][share::_SHARES])
        series = {name.value: await self._read(told[name]) for name in Side}
        return Round(per_second=per_second, **series)

    async def _read(self, told: list[Told]) -> Series:
        async def read(each: Told) -> Passage:
            return await passage(self.temporal, each)

        return Series.of(await by_few(told, read))


async def _told(per_second: int, words: Sequence[Tells]) -> list[Told]:
    told = await at_rate(per_second, words, lambda tell: tell())
    await asyncio.sleep(_REST.total_seconds())
    return told


def _turned(number: int) -> list[Side]:
    first = number % len(Side)
    return [*list(Side)[first:], *list(Side)[:first]]


async def measured(is_quick: bool, say: Say) -> LatencyFindings:  # noqa: FBT001 - as it is called
    """Every rate, round after round."""
    about = About.now("starlette", "cryptography")
    rounds = []
    async with _match() as match:
        await match.warm_up()
        for number in range(1 if is_quick else _ROUNDS):
            for rate, count in _QUICK if is_quick else _FULL:
                say(f"latency: round {number + 1}, {rate} a second")
                rounds.append(await match.round(number, rate, count))
    return LatencyFindings(about=about, rounds=tuple(rounds))


@asynccontextmanager
async def _match() -> AsyncIterator[Match]:
    async with (
        standing() as stack,
        beside(stack, "bench.latency.worker"),
        Pool(stack.notify_url) as pool,
    ):
        temporal = await stack.temporal()
        pen = Pen(stack.home / "keys" / "antom-private.pem", stack.notify_url)
        queue = await Queue.open(stack)
        sides: dict[Side, Teller] = {
            Side.REFUND: Notified(queue, pen, pool),
            Side.DIRECT: Direct(queue, pen),
            Side.BARE: Bare(temporal),
        }
        yield Match(temporal, sides)
