"""How a notification gets into the history of its refund, once however often it is sent."""

from enum import StrEnum

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import contract
from antom_refunds.contract import SHORT_RPC_TIMEOUT
from antom_refunds.domain.evidence import Evidence


class SignalLimitError(Exception):
    """The refund's run takes no more signals: Temporal's limit is 10,000 per run by default."""


class Delivery(StrEnum):
    """What became of a notification."""

    DELIVERED = "delivered"  # it is in the refund's history
    ALREADY_TERMINAL = "already_terminal"  # the refund has ended, and agrees
    CONFLICTS = "conflicts"  # the refund has ended otherwise
    TERMINATED = "terminated"  # its workflow was stopped before an end
    UNKNOWN = "unknown"  # no such refund


async def signal_once(
    temporal: Client, workflow_id: str, evidence: Evidence, *, delivery_id: str
) -> None:
    """Signal the refund; durable when this returns.

    Of equal delivery ids the engine keeps the first: the SDK's own signal call makes a new one
    each time, which would store repetitions. Passing troubles are tried again for a few seconds.
    Raises SignalLimitError, or RPCError: NOT_FOUND if nobody runs.
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
                f"{workflow_id} takes no more signals: {error.message}"
            ) from error
        raise


def _is_signal_limit(error: RPCError) -> bool:
    """Only the text tells it from a request that is wrong in itself."""
    is_refused = error.status is RPCStatusCode.INVALID_ARGUMENT
    return is_refused and "limit for signal" in error.message
