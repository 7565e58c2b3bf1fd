"""How the workflow of a refund is started, and what Temporal's UI says of it from the start."""

from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from antom_refunds import attributes, contract
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund


async def start_workflow(
    temporal: Client, order: RefundOrder, policy: Policy
) -> WorkflowHandle[Any, Any]:
    """Start the one workflow that this refund can have; it is overdue after `policy.patience`.

    Raises WorkflowAlreadyStartedError if there is one already, running or ended, or RPCError.
    """
    due_at = datetime.now(UTC) + policy.scaled_overdue_after
    return await temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=contract.workflow_id(order.refund_request_id, merchant=order.merchant),
        task_queue=contract.REFUNDS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        memo={contract.MEMO_OVERDUE_AFTER: policy.scaled_overdue_after.total_seconds()},
        search_attributes=attributes.initial(Refund(order=order), overdue_at=due_at),
        static_summary=f"refund {order.amount} of payment {order.payment_id}"[:200],
        static_details=_details(order),
        rpc_timeout=RPC_TIMEOUT,
    )


def _details(order: RefundOrder) -> str:
    return (
        f"Refund **{order.amount}** of payment `{order.payment_id}`, asked for once as "
        f"`{order.refund_request_id}` by merchant `{order.merchant}`.\n\n"
        "Where it stands is under *Current details*; what it waits for, with the next moment, "
        "under *Pending activities*."
    )
