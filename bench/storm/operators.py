"""Does to running refunds what operators and strangers do, and settles by hand what is left."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self, assert_never

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError, client_of
from antom_refunds.contract import Instruction, Resolution
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.errors import RefundClientError
from bench.storm.interference import Act, ActKind

_LIMIT: Final = timedelta(seconds=3)
_TRIES: Final = 8
_AGAIN: Final = 0.5
_CALL_OFF: Final = Instruction(by="storm", reason="the buyer keeps the goods")
_RESOLUTION: Final = Resolution(
    by="storm",
    reason="another system used the id for another payment",
    state="failed",
    proof="inquiryPayment of the payment lists no such refund",
)


@dataclass(frozen=True, slots=True)
class Operators:
    """Everybody who interferes, over one connection to Temporal."""

    temporal: Client

    @classmethod
    async def at(cls, address: str) -> Self:
        """Those of the Temporal at this address; its absence is expected, and not logged."""
        told = ClientConnectConfig(target_host=address)
        return cls(await client_of(told, runtime=Runtime(telemetry=TelemetryConfig(logging=None))))

    async def perform(self, act: Act) -> None:
        """Try until Temporal took it or refused it; a refund may be started late, or be over."""
        for _ in range(_TRIES):
            with suppress(RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
                with suppress(WorkflowUpdateFailedError):
                    await self._perform(act)
                return
            await asyncio.sleep(_AGAIN)

    async def _perform(self, act: Act) -> None:
        handle = self.temporal.get_workflow_handle(
            contract.workflow_id(act.refund, merchant=DEFAULT_MERCHANT)
        )
        match act.kind:
            case ActKind.MALFORMED_SIGNAL:
                await handle.signal(act.name, args=act.arguments, rpc_timeout=_LIMIT)
            case ActKind.MALFORMED_UPDATE:
                await handle.execute_update(act.name, args=act.arguments, rpc_timeout=_LIMIT)
            case ActKind.CALL_OFF:
                await handle.execute_update("call_off", _CALL_OFF, rpc_timeout=_LIMIT)
            case ActKind.CANCEL:
                await handle.cancel(rpc_timeout=_LIMIT)
            case _:
                assert_never(act.kind)

    async def resolve(self, refund_request_id: str) -> None:
        """End this refund by hand, if it has called for an operator by now."""
        refunds = RefundClient(self.temporal)
        with suppress(TemporalUnavailableError, RefundClientError):
            if (await refunds.describe(refund_request_id)).needs_human:
                await refunds.resolve(refund_request_id, _RESOLUTION)
