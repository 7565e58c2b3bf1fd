"""One burst of notifications against the real webhook, as fast as it answers them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.merchants import Sender
from antom_refunds.simulator.faults import WELL, Fault
from antom_refunds.simulator.records import Refund
from bench.books import cpu_seconds
from bench.stage import QuickStack, standing
from bench.webhook.checking import antom_as_sender, checking_seconds
from bench.webhook.findings import Burst, Kind
from bench.webhook.notices import Notice, Pen
from bench.webhook.pipe import pipes, poured, wire_form
from bench.webhook.processing import Queue

AT_ONCE: Final = 32
# What the last notification sets going is over by then.
_REST: Final = timedelta(seconds=1)
_ACKNOWLEDGED: Final = (200, ACKNOWLEDGEMENT)
_SERVERS: Final = ("webhook", "temporal", "worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that a burst needs."""

    stack: QuickStack
    queue: Queue
    pen: Pen
    sender: Sender

    async def written(self, records: Sequence[Refund], fault: Fault = WELL) -> list[Notice]:
        """One notification to each of them."""
        return [await self.pen.write(record, fault) for record in records]

    async def burst(self, kind: Kind, notices: Sequence[Notice]) -> Burst:
        """Send them all, and let everything come to rest."""
        messages = [wire_form(notice.request) for notice in notices]
        before = self._spent()
        answers, seconds = await self._sent(messages)
        lag = await self._lag(notices) if kind is Kind.FRESH else 0.0
        await asyncio.sleep(_REST.total_seconds())
        after = self._spent()
        return Burst(
            kind=kind,
            sent=len(notices),
            accepted=answers.count(_ACKNOWLEDGED),
            seconds=round(seconds, 4),
            lag=round(lag, 3),
            cpu={part: round(after[part] - before[part], 3) for part in before},
            checking=round(checking_seconds(notices, self.sender), 5),
        )

    async def _sent(self, messages: Sequence[bytes]) -> tuple[list[tuple[int, bytes]], float]:
        """The answers, and in how many seconds they came."""
        # Opened anew for each burst: the webhook closes those that were idle for some seconds.
        async with pipes(self.stack.notify_url, AT_ONCE) as opened:
            begun = time.perf_counter()
            answers = await poured(opened, messages)
            return answers, time.perf_counter() - begun

    async def _lag(self, notices: Sequence[Notice]) -> float:
        """Seconds from now until the refunds that were told last have ended."""
        begun = time.perf_counter()
        await self.queue.emptied([notice.refund_request_id for notice in notices[-AT_ONCE:]])
        return time.perf_counter() - begun

    def _spent(self) -> dict[str, float]:
        parts = {name: cpu_seconds(self.stack.pid_of(name)) for name in _SERVERS}
        return {**parts, "sender": time.process_time()}


@asynccontextmanager
async def set_up() -> AsyncIterator[Bench]:
    """A stack of its own while inside."""
    async with standing() as stack:
        keys = stack.home / "keys"
        yield Bench(
            stack=stack,
            queue=await Queue.open(stack),
            pen=Pen(keys / "antom-private.pem", stack.notify_url),
            sender=antom_as_sender(keys / "antom-public.pem"),
        )
