"""Signals a notification to its refund, exactly once even if Antom repeats it."""

from enum import StrEnum

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract
from antom_refunds.contract import SHORT_RPC_TIMEOUT
from antom_refunds.domain.evidence import Evidence


class SignalLimitError(Exception):
    """The run accepts no more signals: Temporal's default limit is 10,000 per run."""


class Delivery(StrEnum):
    """The outcome of delivering a notification."""

    DELIVERED = "delivered"  # it is in the refund's history
    ALREADY_TERMINAL = "already_terminal"  # it agrees with the refund's terminal state
    CONFLICTS = "conflicts"  # it contradicts the refund's terminal state
    TERMINATED = "terminated"  # the workflow was stopped before a terminal state
    UNKNOWN = "unknown"  # no such refund


async def signal_once(
    temporal: Client, workflow_id: str, evidence: Evidence, *, delivery_id: str
) -> None:
    """Signal the refund; durable when this returns.

    Temporal stores only the first signal with the same `delivery_id`. The SDK's own signal method
    generates a new id for each call, and so would store repetitions. Transient errors are retried
    for a few seconds. Raises SignalLimitError, or RPCError: NOT_FOUND if no run is open.
    """
    payloads = await temporal.data_converter.encode([evidence])
    request = SignalWorkflowExecutionRequest(
        namespace=temporal.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        signal_name=contract.SIGNAL_NOTIFY,
        input=Payloads(payloads=payloads),
        identity=temporal.identity,
        request_id=delivery_id,
    )
    try:
        await temporal.workflow_service.signal_workflow_execution(
            # Below the webhook's own time limit, so that the server's error is reported.
            request,
            retry=True,
            timeout=SHORT_RPC_TIMEOUT,
        )
    except RPCError as error:
        if _is_signal_limit(error):
            raise SignalLimitError(
                f"{workflow_id} accepts no more signals: {error.message}"
            ) from error
        raise


def _is_signal_limit(error: RPCError) -> bool:
    """Only the text distinguishes it from an invalid request."""
    is_refused = error.status is RPCStatusCode.INVALID_ARGUMENT
    return is_refused and "limit for signal" in error.message
