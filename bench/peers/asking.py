"""How refunds are asked for and waited for: as fast as they are taken, or at a steady rate."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from antom_refunds.domain.order import RefundOrder
from bench.peers.peer import End, Peer

# The bound of one try: an engine that was struck may keep the asker waiting.
_TRY_LIMIT: Final = timedelta(seconds=10)
_AGAIN: Final = timedelta(seconds=0.2)


class Asker:
    """A business service before one engine. Whoever calls it sets the bound.

    `asked` tells when each refund was asked for, or was due to be, `taken` when the engine had
    it durably; `refused` are those that it did not take at the first asking.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.asked: dict[str, datetime] = {}
        self.taken: dict[str, datetime] = {}
        self.refused: set[str] = set()

    async def flood(self, orders: Sequence[RefundOrder], *, at_once: int) -> None:
        """Ask for all of them, so many at a time: each that is taken makes room for another."""
        turn = asyncio.Semaphore(at_once)

        async def ask(order: RefundOrder) -> None:
            async with turn:
                self.asked[order.refund_request_id] = datetime.now(UTC)
                await self._insist(order)

        await asyncio.gather(*(ask(order) for order in orders))

    async def drip(self, orders: Sequence[RefundOrder], *, per_second: float) -> None:
        """Ask at this rate, whatever becomes of those before."""
        beginning = time.time()

        async def ask(order: RefundOrder, due: float) -> None:
            self.asked[order.refund_request_id] = datetime.fromtimestamp(due, UTC)
            await asyncio.sleep(max(0.0, due - time.time()))
            await self._insist(order)

        timed = enumerate(orders)
        await asyncio.gather(*(ask(order, beginning + n / per_second) for n, order in timed))

    async def _insist(self, order: RefundOrder) -> None:
        while True:
            try:
                async with asyncio.timeout(_TRY_LIMIT.total_seconds()):
                    await self._peer.ask(order)
            except Exception:  # noqa: BLE001 - each engine has its own errors for being away
                self.refused.add(order.refund_request_id)
                await asyncio.sleep(_AGAIN.total_seconds())
            else:
                self.taken[order.refund_request_id] = datetime.now(UTC)
                return


async def ends_of(peer: Peer) -> Mapping[str, End]:
    """Those that it names in time; none while it is away."""
    with suppress(Exception):
        async with asyncio.timeout(_TRY_LIMIT.total_seconds()):
            return await peer.ends()
    return {}
