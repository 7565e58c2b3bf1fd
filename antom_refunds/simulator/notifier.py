"""notifyRefund: sent until acknowledged, at most eight times (docs/antom.md#notifyrefund)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from antom_refunds.antom.wire import Amount, RefundNotification
from antom_refunds.simulator.fault_plan import FaultPlan
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.records import NotificationAttempt, RefundRecord, RefundStatus
from antom_refunds.simulator.response_faults import malformed_notification
from antom_refunds.simulator.responses import notification, serialise
from antom_refunds.simulator.sender import DeliveryResult, NotificationSender
from antom_refunds.simulator.signers import SignedBy
from antom_refunds.simulator.store import Journal

log = logging.getLogger(__name__)

# The wait before each attempt, counted from the attempt before it.
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


@dataclass(frozen=True, slots=True)
class OutgoingNotification:
    """One message; `ends_retries` says whether its acknowledgement ends Antom's attempts."""

    body: bytes
    signed_by: SignedBy = SignedBy.ANTOM
    ends_retries: bool = True


def messages_for(refund: RefundRecord, fault: Fault) -> tuple[OutgoingNotification, ...]:
    """The messages of one attempt about a refund that has ended, in order; possibly none."""
    has_succeeded = refund.status is RefundStatus.SUCCESS
    truth = notification(refund, succeeded=has_succeeded)
    opposite = notification(refund, succeeded=not has_succeeded)
    true = OutgoingNotification(serialise(truth))
    match fault.kind:
        case FaultKind.NOT_SENT:
            return ()
        case FaultKind.REPEATED:
            return (true,) * fault.times
        case FaultKind.FORGED:
            return (
                OutgoingNotification(serialise(opposite), SignedBy.WRONG_KEY, ends_retries=False),
            )
        case FaultKind.INCONSISTENT:
            return (replace(true, body=serialise(_inconsistent(truth, opposite))),)
        case FaultKind.WRONG_AMOUNT:
            return (replace(true, body=serialise(_one_minor_unit_more(truth))),)
        case FaultKind.CONTRADICTING:
            return true, replace(true, body=serialise(opposite), ends_retries=False)
        case FaultKind.WITHOUT_AMOUNT:
            return (replace(true, body=serialise(truth, without="refund_amount")),)
        case FaultKind.ODD_FIELDS:
            return (replace(true, body=malformed_notification(true.body)),)
        case _:
            return (true,)


def _inconsistent(truth: RefundNotification, opposite: RefundNotification) -> RefundNotification:
    return truth.model_copy(update={"refund_status": opposite.refund_status})


def _one_minor_unit_more(truth: RefundNotification) -> RefundNotification:
    amount = truth.refund_amount
    wrong = Amount(currency=amount.currency, value=str(int(amount.value) + 1))
    return truth.model_copy(update={"refund_amount": wrong})


class Notifier:
    """Sends notifications on Antom's schedule and records every response."""

    def __init__(
        self,
        sender: NotificationSender,
        journal: Journal,
        fault_plan: FaultPlan,
        *,
        speedup: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sender = sender
        self._journal = journal
        self._fault_plan = fault_plan
        self._speedup = speedup
        self._now = now
        self._sleep = sleep

    async def notify(self, refund: RefundRecord, url: str, *, first: int = 1) -> None:
        """Send until the merchant acknowledges, beginning with attempt number `first` of eight."""
        for number, wait in enumerate(SCHEDULE[first - 1 :], start=first):
            await self._sleep(wait.total_seconds() / self._speedup)
            if await self.attempt(refund, url, number=number):
                return
        log.info("notification.given_up", extra={"refund_request_id": refund.refund_request_id})

    async def attempt(self, refund: RefundRecord, url: str, *, number: int) -> bool:
        """Make one attempt; returns whether it was acknowledged."""
        fault = self._fault_plan.next(refund.refund_request_id, Operation.NOTIFY)
        if fault.delay:
            await self._sleep(fault.delay.total_seconds())
        name = None if fault.kind is FaultKind.NONE else fault.kind.value
        attempt = _attempt(refund, url, number=number, fault=name, at=self._now())
        messages = messages_for(refund, fault)
        if fault.concurrent:
            sent = await asyncio.gather(*(self._send(each, attempt) for each in messages))
        else:
            sent = [await self._send(each, attempt) for each in messages]
        for each in sent or [attempt]:
            self._journal.record_notification(each)
        pairs = zip(messages, sent, strict=True)
        return any(each.is_acknowledged for message, each in pairs if message.ends_retries)

    async def _send(
        self, message: OutgoingNotification, attempt: NotificationAttempt
    ) -> NotificationAttempt:
        delivery = await self._sender.send(
            attempt.url, message.body, client_id=attempt.client_id, signed_by=message.signed_by
        )
        digest = sha256(message.body).hexdigest()
        return with_result(
            attempt.model_copy(update={"at": self._now(), "digest": digest}), delivery
        )


def with_result(attempt: NotificationAttempt, delivery: DeliveryResult) -> NotificationAttempt:
    """The attempt with the response to it."""
    return attempt.model_copy(
        update={
            "status_code": delivery.status_code,
            "error": delivery.error,
            "is_acknowledged": delivery.is_acknowledgement,
        }
    )


def _attempt(
    refund: RefundRecord, url: str, *, number: int, fault: str | None, at: datetime
) -> NotificationAttempt:
    return NotificationAttempt(
        client_id=refund.client_id,
        refund_request_id=refund.refund_request_id,
        url=url,
        number=number,
        at=at,
        fault=fault,
    )
