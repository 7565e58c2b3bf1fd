"""How a notification gets into the history of its refund, once however often it is sent."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client

from antom_refunds import contract
from antom_refunds.domain.evidence import Evidence

_RPC_TIMEOUT: Final = timedelta(seconds=10)


class Delivery(StrEnum):
    """What became of a notification."""

    DELIVERED = "delivered"  # it is in the refund's history
    ENDED = "ended"  # the refund has ended, and agrees
    CONTRADICTS = "contradicts"  # the refund has ended otherwise
    ABANDONED = "abandoned"  # its workflow was stopped before an end
    UNKNOWN = "unknown"  # no such refund


async def store(
    temporal: Client, workflow_id: str, evidence: Evidence, *, delivery_id: str
) -> None:
    """Signal the refund; durable when this returns.

    Of equal delivery ids the engine keeps the first: the SDK's own signal call makes a new one
    each time, which would store repetitions. Raises RPCError, NOT_FOUND if nobody runs.
    """
    payloads = await temporal.data_converter.encode([evidence])
    await temporal.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=contract.SIGNAL_NOTIFY,
            input=Payloads(payloads=payloads),
            identity=temporal.identity,
            request_id=delivery_id,
        ),
        retry=True,
        timeout=_RPC_TIMEOUT,
    )
