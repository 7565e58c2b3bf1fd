"""Calls Antom and converts every response or error to evidence."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from aiolimiter import AsyncLimiter
from temporalio import activity

from activities.attempts import SendGuard, finish_despite_cancellation
from antom_refunds import contract
from antom_refunds.antom import interpret
from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.call_errors import (
    AntomError,
    GateRefusedError,
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
)
from antom_refunds.domain.evidence import UNUSABLE, Evidence, EvidenceKind, Source
from antom_refunds.domain.external_refunds import PaymentRefund
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import MERCHANT_NOT_CONFIGURED, Refund
from antom_refunds.log_limit import LogLimit

log = logging.getLogger(__name__)

_ABOUT_PAYMENT: Final = frozenset({EvidenceKind.SUCCEEDED, EvidenceKind.PROCESSING})
_LOG_WINDOW: Final = timedelta(minutes=10)
_LOG_KEYS_MAX: Final = 1000
Result = TypeVar("Result")


ObserveRefunds = Callable[[RefundOrder, Sequence[PaymentRefund]], Awaitable[None]]


async def _ignore_refunds(_order: RefundOrder, _refunds: Sequence[PaymentRefund]) -> None:
    """The default for `observe_refunds`."""


class EvidenceCalls:
    """Calls to Antom for the merchants that this worker serves, by name.

    Each call first acquires `rate_limiter`; with None, calls are not limited. `observe_refunds`
    receives an order, and all refunds that an inquiry about its payment lists.
    """

    def __init__(
        self,
        clients: Mapping[str, AntomClient],
        *,
        rate_limiter: AsyncLimiter | None = None,
        observe_refunds: ObserveRefunds = _ignore_refunds,
    ) -> None:
        self._clients = clients
        self._observe_refunds = observe_refunds
        self._rate_limiter = rate_limiter
        self._log_limit = LogLimit(window=_LOG_WINDOW, keys_max=_LOG_KEYS_MAX)

    async def refund(self, refund: Refund, guard: SendGuard) -> Evidence:
        """Send the refund call and return the evidence.

        Sends nothing if, by the time the rate limiter permits it, Temporal may have timed out this
        attempt.
        """
        evidence = await self._send_refund(refund, guard)
        self._record(contract.ACTIVITY_REQUEST_REFUND, refund, evidence)
        return evidence

    async def inquiry(self, refund: Refund) -> Evidence:
        """Inquire about the refund and return the evidence.

        Also inquires about its payment, if nothing else binds the refund to it.
        """
        evidence = await self._send_inquiry(refund)
        if (
            evidence.kind in _ABOUT_PAYMENT
            and not refund.is_bound
            and await self._payment_lists_refund(refund)
        ):
            evidence = evidence.model_copy(update={"payment_id": refund.order.payment_id})
        self._record(contract.ACTIVITY_INQUIRE, refund, evidence)
        return evidence

    async def _send_refund(self, refund: Refund, guard: SendGuard) -> Evidence:
        client = self._clients.get(refund.order.merchant)
        if client is None:
            return _unknown_merchant(refund.order.merchant, Source.RESPONSE)
        guard.start_waiting()
        await self._acquire_rate_limit()
        if (reason := guard.reason_not_to_send()) is not None:
            return interpret.from_not_sent(NotSentError("attempt_too_late", reason))
        try:
            return interpret.from_response(
                await finish_despite_cancellation(client.refund(refund.order))
            )
        except NotSentError as error:
            return interpret.from_not_sent(error)
        except (OutcomeUnknownError, GateRefusedError) as error:
            return interpret.from_error(error)
        except asyncio.CancelledError:
            # The worker stops while the call is in flight, so the outcome is unknown.
            return interpret.from_error(NoResponseError("no_response", "the worker was stopped"))
        except Exception:
            # A defect in our code: it is unknown whether the request was already sent.
            log.exception("refund.internal_error")
            return interpret.from_error(
                NoResponseError("internal_error", "the call failed: see the log")
            )

    async def _send_inquiry(self, refund: Refund) -> Evidence:
        client = self._clients.get(refund.order.merchant)
        if client is None:
            return _unknown_merchant(refund.order.merchant, Source.INQUIRY)
        try:
            call = client.inquire_refund(refund.order.refund_request_id)
            response = await self._rate_limited(call)
        except AntomError as error:
            return interpret.from_inquiry_error(error)
        return interpret.from_inquiry(response)

    async def _payment_lists_refund(self, refund: Refund) -> bool:
        """Whether Antom lists the refund on its payment; False if that inquiry fails."""
        client = self._clients[refund.order.merchant]
        try:
            response = await self._rate_limited(client.inquire_payment(refund.order.payment_id))
        except AntomError as error:
            log.warning("payment.not_inquired", extra={"reason": str(error)})
            return False
        await self._observe_refunds(
            refund.order, interpret.refunds_of_payment(response, refund.order)
        )
        return interpret.lists_refund(response, refund.order)

    def _record(self, call: str, refund: Refund, evidence: Evidence) -> None:
        """Update the metrics, and log one warning per merchant and cause."""
        merchant = refund.order.merchant
        _count(call, evidence)
        if (client := self._clients.get(merchant)) is not None:
            _report_pool(merchant, client)
        key = (merchant, evidence.code, evidence.claimed_code)
        is_new = evidence.kind in UNUSABLE and self._log_limit.admit(key) is not None
        if is_new:
            fields = {"merchant": merchant, "code": evidence.code, "reason": evidence.message}
            log.warning("antom.call_unusable", extra={**fields, "advice": evidence.advice})

    async def _rate_limited(self, call: Coroutine[Any, Any, Result]) -> Result:
        try:
            await self._acquire_rate_limit()
        except asyncio.CancelledError:
            call.close()
            raise
        return await call

    async def _acquire_rate_limit(self) -> None:
        """Wait for the rate limiter; a call that is cancelled meanwhile was not sent."""
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire()


def _unknown_merchant(merchant: str, source: Source) -> Evidence:
    return Evidence(
        source=source,
        kind=EvidenceKind.BLOCKED,
        code=MERCHANT_NOT_CONFIGURED,
        message=f"merchant {merchant!r} is not configured on this worker; nothing was sent",
        advice="add the merchant to the worker's settings",
        needs_attention=True,
    )


def _report_pool(merchant: str, client: AntomClient) -> None:
    meter = activity.metric_meter().with_additional_attributes({"merchant": merchant})
    gauge = meter.create_gauge("refund_antom_pool_stalled", "1 while calls get no connection")
    gauge.set(int(client.pool_is_stalled))


def _count(call: str, evidence: Evidence) -> None:
    labels = {"call": call, "outcome": evidence.kind.value}
    meter = activity.metric_meter().with_additional_attributes(labels)
    meter.create_counter("refund_antom_calls", "Calls to Antom by outcome").add(1)
