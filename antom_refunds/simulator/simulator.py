"""The simulated Antom: keys, ledger, fault plan and notifications, with an injected clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from antom_refunds.simulator.accounts import AntomMerchant
from antom_refunds.simulator.authentication import Authenticator, Signers
from antom_refunds.simulator.faults import FaultPlan, RandomFaults
from antom_refunds.simulator.handlers import ApiHandlers
from antom_refunds.simulator.ledger import ExternalRefund, Ledger
from antom_refunds.simulator.notifier import NotificationSender, Notifier
from antom_refunds.simulator.records import Journal, LedgerSnapshot, RefundRecord, RefundStatus
from antom_refunds.simulator.settlement import BackgroundTasks, Settlement


def utc_now() -> datetime:
    return datetime.now(UTC)


class AntomSimulator:
    """One simulated Antom; leaving its context cancels settlements and notifications.

    `speedup` divides Antom's own waits: settlement and the notification schedule. `transport`
    carries the notifications. `signs_gate_refusals` signs what the gate rejects, as the reference
    promises; the real gateway seems to leave it unsigned.
    """

    def __init__(
        self,
        private_key: RSAPrivateKey,
        *,
        speedup: float = 1.0,
        settle_after: timedelta = timedelta(seconds=30),
        random_faults: RandomFaults | None = None,
        signs_gate_refusals: bool = False,
        loopback_only: bool = True,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.now = now
        self.signs_gate_refusals = signs_gate_refusals
        self.signers = Signers(private_key)
        self.authenticator = Authenticator()
        self.ledger = Ledger(now)
        self.journal = Journal(now)
        self.fault_plan = FaultPlan(random_faults or RandomFaults())
        self.tasks = BackgroundTasks()
        self.sender = NotificationSender(
            self.signers, now=now, loopback_only=loopback_only, transport=transport
        )
        self.settlement = Settlement(
            self.ledger,
            self.authenticator,
            Notifier(
                self.sender,
                self.journal,
                self.fault_plan,
                speedup=speedup,
                now=now,
                sleep=sleep,
            ),
            self.tasks,
            settle_after=settle_after,
            speedup=speedup,
            sleep=sleep,
        )
        self.handlers = ApiHandlers(
            self.ledger, self.journal, self.fault_plan, self.settlement, sleep=sleep
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tasks.aclose()
        await self.sender.aclose()

    def register(self, merchant: AntomMerchant) -> None:
        """Add this merchant, or replace it with its keys and its balance."""
        self.authenticator.register(merchant)
        self.ledger.balances.set(merchant)

    def add_external_refund(self, external: ExternalRefund) -> RefundRecord:
        """Execute a refund that another system made; returns its state.

        If the id is already in use, the refund under it is returned unchanged, as Antom itself
        would reject the second one.
        """
        known = self.ledger.store.refunds
        refund = self.ledger.refund_externally(external)
        if refund.status is RefundStatus.PROCESSING and refund not in known:
            self.settlement.schedule(refund)
        return refund

    def snapshot(self) -> LedgerSnapshot:
        """Everything that has happened so far."""
        return LedgerSnapshot(
            balances=self.ledger.balances.all,
            refunds=self.ledger.store.refunds,
            movements=self.ledger.movements,
            calls=self.journal.calls,
            payloads=self.journal.payloads,
            notifications=self.journal.notifications,
        )
