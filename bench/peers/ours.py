"""The product itself, as it is shipped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from antom_refunds.client import RefundClient
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import END_STATES
from bench.peers.peer import Antom, End
from bench.peers.temporal import TemporalPeer

_LIMIT: Final = 100_000


class OurPeer(TemporalPeer):
    """`antom-refunds worker` and `webhook`, without the rate limit that protects Antom."""

    name = "antom-refunds"

    def __init__(self, folder: Path, antom: Antom) -> None:
        super().__init__(folder, antom)
        self._policy = Policy.at_pace(antom.pace)

    async def ask(self, order: RefundOrder) -> None:
        """Raises TemporalUnavailableError while the server is away."""
        await self._refunds.start(order)

    async def ends(self) -> Mapping[str, End]:
        """As the engine lists them, so some time after they ended."""
        return {
            view.refund_request_id: End(view.state, view.ended_at)
            async for view in self._refunds.list(limit=_LIMIT)
            if view.ended_at is not None and view.state in END_STATES
        }

    @property
    def _refunds(self) -> RefundClient:
        return RefundClient(self.client, policy=self._policy)
