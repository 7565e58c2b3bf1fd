"""Asynchronous refunds on their way to an end, and the word that is sent about it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from antom_refunds.simulator.accounts import Ending
from antom_refunds.simulator.background import Background
from antom_refunds.simulator.gate import Gate
from antom_refunds.simulator.ledger import Ledger
from antom_refunds.simulator.notifier import Notifier
from antom_refunds.simulator.records import Refund, RefundStatus


class Settlement:
    """Ends refunds when their time has come, and has the merchant notified."""

    def __init__(
        self,
        ledger: Ledger,
        gate: Gate,
        notifier: Notifier,
        background: Background,
        *,
        settle_after: timedelta,
        pace: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._gate = gate
        self._notifier = notifier
        self._background = background
        self._settle_after = settle_after
        self._pace = pace
        self._sleep = sleep

    def begin(self, refund: Refund) -> None:
        """Let the refund end by itself, as its payment plans it."""
        self._background.start(self._settle_later(refund))

    def settle(self, refund: Refund, ending: Ending | None = None) -> Refund:
        """End it now, as planned unless told otherwise; one that has ended stays as it is."""
        current = self._ledger.books.current(refund)
        if current.status is not RefundStatus.PROCESSING:
            return current
        ended = self._ledger.settle(current, ending or self._ledger.books.payment_of(current).ends)
        url = self._url(ended)
        if url is not None:
            self._background.start(self._notifier.notify(ended, url))
        return ended

    async def overtake(self, refund: Refund) -> None:
        """End it now, and return only when the first notification has been delivered."""
        ended = self._ledger.settle(refund, self._ledger.books.payment_of(refund).ends)
        url = self._url(ended)
        if url is not None and not await self._notifier.attempt(ended, url, number=1):
            self._background.start(self._notifier.notify(ended, url, first=2))

    async def _settle_later(self, refund: Refund) -> None:
        wait = self._ledger.books.payment_of(refund).settle_after
        chosen = self._settle_after if wait is None else wait
        await self._sleep(chosen.total_seconds() / self._pace)
        self.settle(refund)

    def _url(self, refund: Refund) -> str | None:
        """The request's URL wins over the Dashboard's (docs/antom.md#notifyrefund)."""
        client = self._gate.client(refund.client_id)
        return refund.notify_url or (client.notify_url if client else None)
