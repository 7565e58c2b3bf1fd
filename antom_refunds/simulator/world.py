"""One Antom with everything it consists of; the clock and the waiting come from outside."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from antom_refunds.simulator.accounts import Client
from antom_refunds.simulator.background import Background
from antom_refunds.simulator.desk import Desk
from antom_refunds.simulator.gate import Gate
from antom_refunds.simulator.journal import Journal
from antom_refunds.simulator.ledger import Ledger
from antom_refunds.simulator.notifier import Notifier
from antom_refunds.simulator.orders import OtherRefund
from antom_refunds.simulator.plans import Faults, Weather
from antom_refunds.simulator.post import Post
from antom_refunds.simulator.records import LedgerView, Refund, RefundStatus
from antom_refunds.simulator.seals import Seals
from antom_refunds.simulator.settlement import Settlement


def utc_now() -> datetime:
    return datetime.now(UTC)


class World:
    """Antom's keys, books, moods and mail.

    `pace` divides Antom's own waits: settling and the notification schedule. `transport` is
    how notifications travel. `signs_gate_refusals` is for rehearsing what the reference promises;
    the real gateway seems to leave them unsigned. Close it to stop what goes on in the background.
    """

    def __init__(
        self,
        private_key: RSAPrivateKey,
        *,
        pace: float = 1.0,
        settle_after: timedelta = timedelta(seconds=30),
        weather: Weather | None = None,
        signs_gate_refusals: bool = False,
        loopback_only: bool = True,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.now = now
        self.signs_gate_refusals = signs_gate_refusals
        self.seals = Seals(private_key)
        self.gate = Gate()
        self.ledger = Ledger(now)
        self.journal = Journal(now)
        self.faults = Faults(weather or Weather())
        self.background = Background()
        self.post = Post(self.seals, now=now, loopback_only=loopback_only, transport=transport)
        notifier = Notifier(self.post, self.journal, self.faults, pace=pace, now=now, sleep=sleep)
        self.settlement = Settlement(
            self.ledger,
            self.gate,
            notifier,
            self.background,
            settle_after=settle_after,
            pace=pace,
            sleep=sleep,
        )
        self.desk = Desk(self.ledger, self.journal, self.faults, self.settlement, sleep=sleep)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.background.aclose()
        await self.post.aclose()

    def register(self, client: Client) -> None:
        """Know this merchant by these keys, with this balance, from now on."""
        self.gate.register(client)
        self.ledger.purses.fill(client)

    def refund_elsewhere(self, order: OtherRefund) -> Refund:
        """Enter a refund that another system made; how it stands.

        An id that is in use stays what it is, as Antom itself would refuse it.
        """
        known = self.ledger.books.refunds
        refund = self.ledger.refund_elsewhere(order)
        if refund.status is RefundStatus.PROCESSING and refund not in known:
            self.settlement.begin(refund)
        return refund

    def view(self) -> LedgerView:
        """Everything that happened so far."""
        return LedgerView(
            balances=self.ledger.purses.balances,
            refunds=self.ledger.books.refunds,
            movements=self.ledger.movements,
            calls=self.journal.calls,
            payloads=self.journal.payloads,
            notifications=self.journal.sendings,
        )
