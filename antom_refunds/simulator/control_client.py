"""A client of the simulator's control API, for the demo, the tests and the storm."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Self, TypeVar

import httpx
from pydantic import BaseModel

from antom_refunds.simulator.accounts import AntomMerchant, Payment, SettlementOutcome
from antom_refunds.simulator.control_api import (
    BATCH_MAX,
    PREFIX,
    AddPayments,
    AddScripts,
    SendNotification,
    SendResult,
    SettleRefund,
)
from antom_refunds.simulator.faults import FaultScript
from antom_refunds.simulator.ledger import ExternalRefund
from antom_refunds.simulator.records import LedgerSnapshot, RefundRecord

_POLL_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 30.0

Item = TypeVar("Item")


class ControlRequestError(Exception):
    """The control API rejected a request; the message holds its status and its reason."""


class SimulatorClient:
    """The control API of one simulator.

    Every method but wait_until_ready raises httpx.HTTPError if the simulator is unavailable, and
    ControlRequestError if it rejects the request.
    """

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def wait_until_ready(self, *, within: timedelta = timedelta(seconds=10)) -> None:
        """Returns as soon as the simulator responds; raises TimeoutError if it does not in time."""
        async with asyncio.timeout(within.total_seconds()):
            while not await self._is_ready():  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(_POLL_SECONDS)

    async def register_merchant(self, merchant: AntomMerchant) -> None:
        """Add the merchant, or replace it with its keys and its balance."""
        await self._post("merchants", merchant)

    async def add_payments(self, *payments: Payment) -> None:
        """Add or replace payments, in batches of BATCH_MAX."""
        for batch in _batches(payments):
            await self._post("payments", AddPayments(payments=batch))

    async def add_scripts(self, *scripts: FaultScript) -> None:
        """Schedule these faults, after those already scheduled for the same id and operation."""
        for batch in _batches(scripts):
            await self._post("scripts", AddScripts(scripts=batch))

    async def settle(
        self, client_id: str, refund_request_id: str, *, ends: SettlementOutcome | None = None
    ) -> RefundRecord:
        """End a refund in process; returns its new state.

        None ends it as its payment says. A refund that has already ended is returned unchanged.
        """
        asked = SettleRefund(client_id=client_id, refund_request_id=refund_request_id, ends=ends)
        return RefundRecord.model_validate_json(await self._post("settle", asked))

    async def add_external_refund(self, refund: ExternalRefund) -> RefundRecord:
        """Add a refund made by another system, which uses up its id; returns its state.

        If the id is already in use, the refund under it is returned unchanged.
        """
        return RefundRecord.model_validate_json(await self._post("refunds", refund))

    async def send_notification(self, notification: SendNotification) -> SendResult:
        """Send a notification outside Antom's schedule; returns the response to it."""
        return SendResult.model_validate_json(await self._post("notifications", notification))

    async def ledger(self) -> LedgerSnapshot:
        """All refunds, movements of money, calls and notifications so far."""
        response = await self._http.get(f"{PREFIX}/ledger")
        return LedgerSnapshot.model_validate_json(_accepted(response))

    async def _is_ready(self) -> bool:
        try:
            response = await self._http.get(f"{PREFIX}/health")
        except httpx.TransportError:
            return False
        return response.is_success

    async def _post(self, path: str, request: BaseModel) -> bytes:
        headers = {"content-type": "application/json"}
        content = request.model_dump_json()
        return _accepted(
            await self._http.post(f"{PREFIX}/{path}", content=content, headers=headers)
        )


def _accepted(response: httpx.Response) -> bytes:
    if not response.is_success:
        raise ControlRequestError(f"HTTP {response.status_code}: {response.text}")
    return response.content


def _batches(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    starts = range(0, len(items), BATCH_MAX)
    return [tuple(items[start : start + BATCH_MAX]) for start in starts]
