"""The control door from afar: what the demo, the tests and the storm use."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Self, TypeVar

import httpx
from pydantic import BaseModel

from antom_refunds.simulator.accounts import Client, Ending, Payment
from antom_refunds.simulator.orders import (
    BATCH_MAX,
    PREFIX,
    Forged,
    Forgery,
    OtherRefund,
    Payments,
    Scripts,
    Settle,
)
from antom_refunds.simulator.plans import Script
from antom_refunds.simulator.records import LedgerView, Refund

_POLL_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 30.0

Item = TypeVar("Item")


class OrderRefusedError(Exception):
    """The control door did not do what was asked; the text says why."""


class SimulatorRemote:
    """One simulator's control door.

    Every method but wait_until_ready raises httpx.HTTPError if there is no simulator, and
    OrderRefusedError if it refuses.
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
        """Returns when the simulator answers; raises TimeoutError if it does not in time."""
        async with asyncio.timeout(within.total_seconds()):
            while not await self._is_ready():  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(_POLL_SECONDS)

    async def register_client(self, client: Client) -> None:
        """Make the merchant known, or replace what is known of it, its balance included."""
        await self._post("clients", client)

    async def add_payments(self, *payments: Payment) -> None:
        """Enter or replace payments, as many as you like."""
        for batch in _batches(payments):
            await self._post("payments", Payments(payments=batch))

    async def script(self, *scripts: Script) -> None:
        """Have these faults played, after those that already wait for the same id."""
        for batch in _batches(scripts):
            await self._post("scripts", Scripts(scripts=batch))

    async def settle(
        self, client_id: str, refund_request_id: str, *, ends: Ending | None = None
    ) -> Refund:
        """End a refund in process now, as planned unless told otherwise; how it stands then."""
        order = Settle(client_id=client_id, refund_request_id=refund_request_id, ends=ends)
        return Refund.model_validate_json(await self._post("settle", order))

    async def refund_elsewhere(self, order: OtherRefund) -> Refund:
        """Enter a refund that another system made, and so use up its id; how it stands.

        An id that is in use already stays what it is.
        """
        return Refund.model_validate_json(await self._post("refunds", order))

    async def forge(self, forgery: Forgery) -> Forged:
        """Send a notification that Antom did not decide to send; what was answered to it."""
        return Forged.model_validate_json(await self._post("forge", forgery))

    async def ledger(self) -> LedgerView:
        """Everything that happened so far."""
        answer = await self._http.get(f"{PREFIX}/ledger")
        return LedgerView.model_validate_json(_accepted(answer))

    async def _is_ready(self) -> bool:
        try:
            answer = await self._http.get(f"{PREFIX}/health")
        except httpx.TransportError:
            return False
        return answer.is_success

    async def _post(self, path: str, order: BaseModel) -> bytes:
        headers = {"content-type": "application/json"}
        content = order.model_dump_json()
        return _accepted(
            await self._http.post(f"{PREFIX}/{path}", content=content, headers=headers)
        )


def _accepted(answer: httpx.Response) -> bytes:
    if not answer.is_success:
        raise OrderRefusedError(f"HTTP {answer.status_code}: {answer.text}")
    return answer.content


def _batches(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    starts = range(0, len(items), BATCH_MAX)
    return [tuple(items[start : start + BATCH_MAX]) for start in starts]
