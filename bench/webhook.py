"""Notifications at the webhook: how many it accepts, and what each kind costs."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final, Self

from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.keys import KeyFile
from antom_refunds.antom.signing import SignatureError, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from bench.environment import UnlimitedStack, running_stack
from bench.figures import FrozenModel, MedianRange
from bench.harness import Findings, Log, MachineInfo
from bench.notifications import (
    FIRST_INQUIRY_PAST,
    FORGED,
    MISMATCHED,
    ConnectionPool,
    NotificationSigner,
    ProcessingRefunds,
    SignedNotification,
)  # fmt: skip
from bench.process_stats import cpu_by_process

_SERVERS: Final = ("webhook", "temporal", "worker")
_CONCURRENCY: Final = 32
# Everything that the last notification triggers is done by then.
_REST_SECONDS: Final = 1.0
_WARM_UP: Final = 64
_OPEN: Final = 80
# Cheap ones are sent more often: Linux counts CPU time in hundredths of a second.
_REPEATED_TIMES: Final = 2
_FORGED_TIMES: Final = 4


class NotificationKind(StrEnum):
    """What a burst consists of."""

    FRESH = "fresh"  # each the first one to a refund in processing, which it ends
    REPEATED = "repeated"  # the refund has it already, and is still open
    ENDED = "ended"  # the refund has ended
    FORGED = "forged"  # signed with another key


class Burst(FrozenModel):
    """Notifications sent as fast as they were answered.

    `lag` is how many seconds after the last response the last refunds were final. `cpu` is what
    each process spent until everything was done, and `checking` what the signature checks alone
    take: both in seconds of CPU time.
    """

    kind: NotificationKind
    sent: int
    accepted: int
    seconds: float
    lag: float = 0.0
    cpu: dict[str, float]
    checking: float


class WebhookFindings(Findings):
    """Every burst of every round; `concurrency` notifications were in flight at a time."""

    title: ClassVar[str] = "Notifications at the webhook"

    concurrency: int
    bursts: tuple[Burst, ...]

    def of(self, kind: str) -> list[Burst]:
        return [burst for burst in self.bursts if burst.kind == kind]

    def rate(self, kind: str) -> MedianRange:
        """Responses per second, refusals included."""
        return self._over(kind, lambda burst: burst.sent / burst.seconds)

    def lag(self, kind: str) -> MedianRange:
        return self._over(kind, lambda burst: burst.lag)

    def cpu(self, kind: str, process: str) -> MedianRange:
        """CPU seconds of this process for a thousand notifications."""
        return self._over(kind, lambda burst: burst.cpu[process] / burst.sent * 1000)

    def check_percent(self, kind: str) -> MedianRange:
        """The part of the webhook's CPU time that is signature checking."""
        return self._over(kind, lambda each: each.checking / (each.cpu["webhook"] or 1) * 100)

    def check_microseconds(self, kind: str) -> MedianRange:
        return self._over(kind, lambda burst: burst.checking / burst.sent * 1e6)

    def _over(self, kind: str, number: Callable[[Burst], float]) -> MedianRange:
        return MedianRange.of(map(number, self.of(kind)))

    @classmethod
    async def measure(cls, log: Log, *, quick: bool) -> Self:
        """A burst of each kind, round after round."""
        machine = MachineInfo.now("starlette", "cryptography")
        rounds, size = (1, 160) if quick else (5, 400)
        bursts: list[Burst] = []
        async with running_stack() as stack:
            load = WebhookLoad(
                stack, await ProcessingRefunds.open(stack), NotificationSigner.of(stack)
            )
            open_ones = await load.signer.sign(await load.refunds.add("open", _OPEN), MISMATCHED)
            await load.burst(NotificationKind.REPEATED, open_ones)
            fresh = await load.signer.sign(await load.refunds.add("warm-up", _WARM_UP))
            await load.burst(NotificationKind.FRESH, fresh)
            for number in range(1, rounds + 1):
                log(f"webhook: round {number} of {rounds}")
                bursts += await load.round(f"round-{number}", size, open_ones)
        return cls(machine=machine, concurrency=_CONCURRENCY, bursts=tuple(bursts))


@dataclass(frozen=True, slots=True)
class WebhookLoad:
    """Sends bursts to the webhook of this stack."""

    stack: UnlimitedStack
    refunds: ProcessingRefunds
    signer: NotificationSigner

    async def round(self, name: str, size: int, open_ones: list[SignedNotification]) -> list[Burst]:
        """A burst of each kind."""
        refunds = await self.refunds.add(name, size)
        forged, sent = await self.signer.sign(refunds, FORGED), await self.signer.sign(refunds)
        # Between the first inquiry and the second, so that neither coincides with a notification.
        await asyncio.sleep(FIRST_INQUIRY_PAST.total_seconds())
        fresh = await self.burst(NotificationKind.FRESH, sent)
        await self.refunds.wait_until_succeeded([each.refund_request_id for each in sent])
        repeated = open_ones * (_REPEATED_TIMES * size // _OPEN)
        return [
            fresh,
            await self.burst(NotificationKind.ENDED, sent),
            await self.burst(NotificationKind.REPEATED, repeated),
            await self.burst(NotificationKind.FORGED, forged * _FORGED_TIMES),
        ]

    async def burst(
        self, kind: NotificationKind, notifications: Sequence[SignedNotification]
    ) -> Burst:
        """Send them all, and wait until everything is done."""
        messages, before = [each.wire_form for each in notifications], self._cpu()
        # New connections for each burst: the webhook closes connections that are idle for seconds.
        async with ConnectionPool(self.stack.notify_url) as connections:
            started = time.perf_counter()
            responses = await connections.exchange_all(messages, _CONCURRENCY)
            answered = time.perf_counter()
        lag = 0.0
        if kind is NotificationKind.FRESH:
            last = [each.refund_request_id for each in notifications[-_CONCURRENCY:]]
            await self.refunds.wait_until_succeeded(last)
            lag = time.perf_counter() - answered
        await asyncio.sleep(_REST_SECONDS)
        after = self._cpu()
        public_key = self.stack.home / "keys" / "antom-public.pem"
        return Burst(
            kind=kind,
            sent=len(notifications),
            accepted=responses.count((200, ACKNOWLEDGEMENT)),
            seconds=round(answered - started, 4),
            lag=round(lag, 3),
            cpu={name: round(after[name] - before[name], 3) for name in before},
            checking=round(check_seconds(notifications, public_key), 5),
        )

    def _cpu(self) -> dict[str, float]:
        return cpu_by_process({name: self.stack.pid_of(name) for name in _SERVERS}, own="sender")


def check_seconds(notifications: Iterable[SignedNotification], public_key: Path) -> float:
    """CPU time to verify each of them, with the webhook's own call and key lookup."""
    file = KeyFile(public_key, read_public_key)
    received = [(each.signed, each.signature) for each in notifications]
    started = time.thread_time()
    for signed, signature in received:
        with suppress(SignatureError):
            verify(signed, signature, [file.key])
    return time.thread_time() - started
