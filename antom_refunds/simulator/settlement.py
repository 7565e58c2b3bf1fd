"""Settlement of asynchronous refunds: ends them after their delay and starts the notification."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.authentication import Authenticator
from antom_refunds.simulator.ledger import Ledger
from antom_refunds.simulator.notifier import Notifier
from antom_refunds.simulator.records import RefundRecord, RefundStatus

log = logging.getLogger(__name__)


class BackgroundTasks:
    """Tasks that run beyond the request that started them; a failure is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    async def idle(self) -> None:
        """Returns as soon as no task is running, including tasks that other tasks start."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Cancel all tasks and wait for their end."""
        for task in self._tasks:
            task.cancel()
        await self.idle()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background_task.failed", exc_info=error)


class Settlement:
    """Ends refunds, and has the merchant notified of each end."""

    def __init__(
        self,
        ledger: Ledger,
        authenticator: Authenticator,
        notifier: Notifier,
        tasks: BackgroundTasks,
        *,
        settle_after: timedelta,
        speedup: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._authenticator = authenticator
        self._notifier = notifier
        self._tasks = tasks
        self._settle_after = settle_after
        self._speedup = speedup
        self._sleep = sleep

    def schedule(self, refund: RefundRecord) -> None:
        """End the refund after the delay, and with the outcome, of its payment."""
        self._tasks.start(self._settle_later(refund))

    def settle(
        self, refund: RefundRecord, outcome: SettlementOutcome | None = None
    ) -> RefundRecord:
        """End the refund now; returns its new state.

        `outcome` None takes the payment's. A refund that has ended is returned unchanged.
        """
        current = self._ledger.store.current(refund)
        if current.status is not RefundStatus.PROCESSING:
            return current
        planned = self._ledger.store.payment_of(current).ends
        settled = self._ledger.settle(current, outcome or planned)
        url = self._notify_url(settled)
        if url is not None:
            self._tasks.start(self._notifier.notify(settled, url))
        return settled

    async def settle_before_response(self, refund: RefundRecord) -> None:
        """End the refund now, and return after the first attempt to notify."""
        settled = self._ledger.settle(refund, self._ledger.store.payment_of(refund).ends)
        url = self._notify_url(settled)
        if url is not None and not await self._notifier.attempt(settled, url, number=1):
            self._tasks.start(self._notifier.notify(settled, url, first=2))

    async def _settle_later(self, refund: RefundRecord) -> None:
        wait = self._ledger.store.payment_of(refund).settle_after
        chosen = self._settle_after if wait is None else wait
        await self._sleep(chosen.total_seconds() / self._speedup)
        self.settle(refund)

    def _notify_url(self, refund: RefundRecord) -> str | None:
        """The request's URL wins over the Dashboard's (docs/antom.md#notifyrefund)."""
        merchant = self._authenticator.merchant(refund.client_id)
        return refund.notify_url or (merchant.notify_url if merchant else None)
