"""Helpers of the simulator's tests: a fake clock, a merchant's webhook, orders and payments."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from antom_refunds.antom.wire import ACKNOWLEDGEMENT
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation

CLIENT_ID = "5X00000000000000"
NOTIFY_URL = "http://127.0.0.1:9/antom/refund-notify?shop=7"
REFUND_PATH = "/ams/api/v1/payments/refund"
START = datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)
_ACKNOWLEDGED = json.loads(ACKNOWLEDGEMENT)


class FakeClock:
    """A clock whose waits end immediately unless it is paused; all waits are recorded."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.now = START
        self.waited = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.waited.set()
        await self._running.wait()
        self.now += timedelta(seconds=seconds)

    def epoch_milliseconds(self) -> str:
        return str(int(self.now.timestamp() * 1000))

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()


@dataclass
class MerchantWebhook:
    """The merchant's webhook: records requests and acknowledges them, unless `responses` remain.

    If `barrier` is set, no request gets a response before the barrier is full.
    """

    requests: list[httpx.Request] = field(default_factory=list)
    responses: list[httpx.Response | Exception] = field(default_factory=list)
    barrier: asyncio.Barrier | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.barrier is not None:
            await self.barrier.wait()
        response = (
            self.responses.pop(0) if self.responses else httpx.Response(200, json=_ACKNOWLEDGED)
        )
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def received(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


def refund_fields(**changes: Any) -> dict[str, Any]:
    """A refund request as JSON; None leaves a field out."""
    fields = {
        "refundRequestId": "rf_1",
        "paymentId": "pay_1",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def an_order(**changes: Any) -> RefundOrder:
    fields: Mapping[str, Any] = {
        "refund_request_id": "rf_1",
        "payment_id": "pay_1",
        "amount": Money(currency="EUR", minor=1250),
        **changes,
    }
    return RefundOrder.from_fields(fields)


def a_payment(**changes: Any) -> Payment:
    fields: Mapping[str, Any] = {
        "payment_id": "pay_1",
        "client_id": CLIENT_ID,
        "amount": Money(currency="EUR", minor=10_000),
        **changes,
    }
    return Payment.model_validate(fields)


def a_script(
    operation: Operation, *faults: Fault | FaultKind, subject: str = "rf_1"
) -> FaultScript:
    """A script of these faults; a kind alone means a fault without options."""
    whole = tuple(f if isinstance(f, Fault) else Fault(kind=f) for f in faults)
    return FaultScript(subject=subject, operation=operation, faults=whole)
