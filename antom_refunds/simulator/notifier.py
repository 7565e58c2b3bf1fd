"""notifyRefund: sent until it is acknowledged, eight times at most (docs/antom.md#notifyrefund)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.journal import Journal
from antom_refunds.simulator.notices import Letter, letters
from antom_refunds.simulator.plans import Faults
from antom_refunds.simulator.post import Post, Reception
from antom_refunds.simulator.records import Refund, Sending

log = logging.getLogger(__name__)

# The wait before each try, counted from the try before it.
SCHEDULE: Final = (
    timedelta(),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=15),
)


class Notifier:
    """Sends what the faults make of each notification and writes down every answer."""

    def __init__(
        self,
        post: Post,
        journal: Journal,
        faults: Faults,
        *,
        pace: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._post = post
        self._journal = journal
        self._faults = faults
        self._pace = pace
        self._now = now
        self._sleep = sleep

    async def notify(self, refund: Refund, url: str, *, first: int = 1) -> None:
        """Try until the merchant acknowledges, from this number of Antom's eight on."""
        for number, wait in enumerate(SCHEDULE[first - 1 :], start=first):
            await self._sleep(wait.total_seconds() / self._pace)
            if await self.attempt(refund, url, number=number):
                return
        log.info("notification.given_up", extra={"refund_request_id": refund.refund_request_id})

    async def attempt(self, refund: Refund, url: str, *, number: int) -> bool:
        """One try; whether Antom itself received the acknowledgement."""
        fault = self._faults.next(refund.refund_request_id, Operation.NOTIFY)
        if fault.delay:
            await self._sleep(fault.delay.total_seconds())
        name = None if fault.kind is FaultKind.NONE else fault.kind.value
        sending = _sending(refund, url, number=number, fault=name, at=self._now())
        its_letters = letters(refund, fault)
        if fault.at_once:
            sent = await asyncio.gather(*(self._sent(each, sending) for each in its_letters))
        else:
            sent = [await self._sent(each, sending) for each in its_letters]
        for each in sent or [sending]:
            self._journal.sent(each)
        counted = (
            each for letter, each in zip(its_letters, sent, strict=True) if letter.is_counted
        )
        return any(each.is_acknowledged for each in counted)

    async def _sent(self, letter: Letter, sending: Sending) -> Sending:
        reception = await self._post.deliver(
            sending.url, letter.body, client_id=sending.client_id, seal=letter.seal
        )
        return received(_left(sending, letter, self._now()), reception)


def received(sending: Sending, reception: Reception) -> Sending:
    """The entry with what came back."""
    return sending.model_copy(
        update={
            "status_code": reception.status_code,
            "error": reception.error,
            "is_acknowledged": reception.is_acknowledgement,
        }
    )


def _left(sending: Sending, letter: Letter, at: datetime) -> Sending:
    return sending.model_copy(update={"at": at, "digest": sha256(letter.body).hexdigest()})


def _sending(refund: Refund, url: str, *, number: int, fault: str | None, at: datetime) -> Sending:
    return Sending(
        client_id=refund.client_id,
        refund_request_id=refund.refund_request_id,
        url=url,
        number=number,
        at=at,
        fault=fault,
    )
