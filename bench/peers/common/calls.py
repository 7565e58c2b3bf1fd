"""The two calls at Antom, as every competitor makes them: always one piece of evidence each."""

import asyncio
from types import TracebackType
from typing import Final, Self

from antom_refunds.antom import reading
from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.errors import (
    AntomError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
)
from antom_refunds.antom.keys import KeyRing
from antom_refunds.domain.confirmation import confirmed
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund
from bench.peers.peer import Antom

# As many as the product's worker makes at a time, and as the client has connections.
_CALLS_AT_ONCE_MAX: Final = 100


class Calls:
    """One merchant's calls over the product's own client; no answer is evidence too.

    Nothing is retried here: when to call again is for the engine to say.
    """

    def __init__(self, client: AntomClient) -> None:
        self._client = client
        self._gate = asyncio.Semaphore(_CALLS_AT_ONCE_MAX)

    @classmethod
    def at(cls, antom: Antom) -> Self:
        """Raises KeyFileError if a key file is none."""
        keys = KeyRing(antom.private_key, (antom.antom_public_key,))
        account = Account(client_id=antom.client_id, keys=keys, gateway=antom.gateway)
        return cls(AntomClient(account))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def ask(self, order: RefundOrder) -> Evidence:
        """Ask for this refund, always with the same id and the same bytes."""
        try:
            async with self._gate:
                return reading.answered(await self._client.refund(order))
        except NotSentError as error:
            return reading.unsent(error)
        except (OutcomeUnknownError, RefusedError) as error:
            return reading.unanswered(error)

    async def inquire(self, refund: Refund) -> Evidence:
        """Ask how it stands; the answer confirms an end that was announced before."""
        try:
            async with self._gate:
                answer = await self._client.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return reading.uninquired(error)
        # Each call is over before the next one begins, so none is in flight.
        return confirmed(refund, reading.inquired(answer), is_quiet=True)
