"""What the simulator's tests are played with: held time, a merchant's webhook, orders."""

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
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.plans import Script

CLIENT_ID = "5X00000000000000"
NOTIFY_URL = "http://127.0.0.1:9/antom/refund-notify?shop=7"
REFUND_PATH = "/ams/api/v1/payments/refund"
BEGINNING = datetime(2026, 9, 11, 2, 4, 9, tzinfo=UTC)
_ACKNOWLEDGED = json.loads(ACKNOWLEDGEMENT)


class Timeline:
    """Time that passes at once, unless it is held; every wait is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.now = BEGINNING
        self.waited = asyncio.Event()
        self._flows = asyncio.Event()
        self._flows.set()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.waited.set()
        await self._flows.wait()
        self.now += timedelta(seconds=seconds)

    def epoch_milliseconds(self) -> str:
        return str(int(self.now.timestamp() * 1000))

    def hold(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()


@dataclass
class Merchant:
    """The merchant's webhook: keeps what it got, acknowledges unless told otherwise.

    With `together` no request is answered before that many have arrived.
    """

    requests: list[httpx.Request] = field(default_factory=list)
    answers: list[httpx.Response | Exception] = field(default_factory=list)
    together: asyncio.Barrier | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.together is not None:
            await self.together.wait()
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json=_ACKNOWLEDGED)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


def asking(**changes: Any) -> dict[str, Any]:
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
    return RefundOrder.checked(fields)


def a_payment(**changes: Any) -> Payment:
    fields: Mapping[str, Any] = {
        "payment_id": "pay_1",
        "client_id": CLIENT_ID,
        "amount": Money(currency="EUR", minor=10_000),
        **changes,
    }
    return Payment.model_validate(fields)


def a_script(operation: Operation, *faults: Fault | FaultKind, subject: str = "rf_1") -> Script:
    """A script from faults, or from kinds of faults where nothing else is to be said."""
    whole = tuple(f if isinstance(f, Fault) else Fault(kind=f) for f in faults)
    return Script(subject=subject, operation=operation, faults=whole)
