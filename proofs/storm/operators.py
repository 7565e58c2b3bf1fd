"""Carries out interventions over Temporal's API, and resolves what only operators can."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from temporalio import client
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError, open_client
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.errors import RefundClientError
from proofs.storm.plan import Intervention, InterventionKind

_LIMIT: Final = timedelta(seconds=3)
# A server that was killed recently may delay a call.
_COUNT_LIMIT: Final = timedelta(seconds=5)
_TRIES: Final = 8
_RETRY_SECONDS: Final = 0.5
_OPEN: Final = "WorkflowType = 'Refund' AND ExecutionStatus = 'Running'"
_CALL_OFF: Final = Instruction(by="storm", reason="the buyer keeps the goods")
_RESOLUTION: Final = Resolution(
    by="storm", reason="another system used the id for another payment", state="failed",
    proof="inquiryPayment of the payment lists no such refund",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operators:
    """All interventions share one connection to Temporal."""

    temporal: client.Client

    @classmethod
    async def at(cls, address: str) -> Self:
        """Of the Temporal server at this address; that it is unavailable at times is not logged."""
        config = ClientConnectConfig(target_host=address)
        runtime = Runtime(telemetry=TelemetryConfig(logging=None))
        return cls(await open_client(config, runtime=runtime))

    async def perform(self, act: Intervention) -> None:
        """Retry until Temporal accepts or rejects it; a refund may not exist yet, or be final."""
        for _ in range(_TRIES):
            with suppress(RPCError, client.WorkflowUpdateRPCTimeoutOrCancelledError):
                with suppress(client.WorkflowUpdateFailedError):
                    await self._perform(act)
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _perform(self, act: Intervention) -> None:
        workflow_id = contract.workflow_id(act.refund, merchant=DEFAULT_MERCHANT)
        handle = self.temporal.get_workflow_handle(workflow_id)
        match act.kind:
            case InterventionKind.MALFORMED_SIGNAL:
                await handle.signal(act.name, args=act.arguments, rpc_timeout=_LIMIT)
            case InterventionKind.MALFORMED_UPDATE:
                await handle.execute_update(act.name, args=act.arguments, rpc_timeout=_LIMIT)
            case InterventionKind.CALL_OFF:
                await handle.execute_update("call_off", _CALL_OFF, rpc_timeout=_LIMIT)
            case InterventionKind.CANCEL:
                await handle.cancel(rpc_timeout=_LIMIT)

    async def resolve(self, refund_request_id: str) -> None:
        """Resolve this refund by hand, if it asks for an operator by now."""
        refunds = RefundClient(self.temporal)
        with suppress(TemporalUnavailableError, RefundClientError):
            if (await refunds.describe(refund_request_id)).needs_attention:
                await refunds.resolve(refund_request_id, _RESOLUTION)

    async def count_open_refunds(self) -> int:
        """How many workflows run; at least one while Temporal cannot answer."""
        try:
            return (await self.temporal.count_workflows(_OPEN, rpc_timeout=_COUNT_LIMIT)).count
        except RPCError:
            return 1
