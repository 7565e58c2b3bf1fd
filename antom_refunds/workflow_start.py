"""Starts the workflow of a refund, with its search attributes and texts for Temporal's UI."""

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
    """Start the refund's workflow; it is overdue after `policy.scaled_overdue_after`.

    Raises WorkflowAlreadyStartedError if it exists, whether running or closed, or RPCError.
    """
    overdue_at = datetime.now(UTC) + policy.scaled_overdue_after
    return await temporal.start_workflow(
        contract.WORKFLOW,
        order,
        id=contract.workflow_id(order.refund_request_id, merchant=order.merchant),
        task_queue=contract.REFUNDS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        memo={contract.MEMO_OVERDUE_AFTER: policy.scaled_overdue_after.total_seconds()},
        search_attributes=attributes.initial(Refund(order=order), overdue_at=overdue_at),
        static_summary=f"refund {order.amount} of payment {order.payment_id}"[:200],
        static_details=_details(order),
        rpc_timeout=RPC_TIMEOUT,
    )


def _details(order: RefundOrder) -> str:
    return (
        f"Refund **{order.amount}** of payment `{order.payment_id}` for merchant "
        f"`{order.merchant}`, with the idempotency key `{order.refund_request_id}`.\n\n"
        "*Current details* shows the state; *Pending activities* shows what the refund waits for, "
        "and when the next attempt is due."
    )
