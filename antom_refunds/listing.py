"""Lists refunds and cases: filters for Temporal's visibility store, and the order of results."""

from collections.abc import AsyncIterator, Collection
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from antom_refunds.case_contract import CASE_WORKFLOW
from antom_refunds.connection import is_no_such_workflow
from antom_refunds.contract import RPC_TIMEOUT, WORKFLOW, Attribute
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.refund import RefundState
from antom_refunds.views import RefundView, to_view

_QUOTES: Final = str.maketrans({"\\": "\\\\", "'": "\\'"})
IS_STOPPED: Final = "ExecutionStatus IN ('Failed', 'Canceled', 'Terminated', 'TimedOut')"
_IS_NOT_STOPPED: Final = "ExecutionStatus IN ('Running', 'Completed', 'ContinuedAsNew')"

# Refunds that ended in need of an operator, and have not been handed over to a case.
ENDED_AND_FLAGGED: Final = (
    f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = 'Completed' "
    f"AND {Attribute.NEEDS_ATTENTION} = true"
)


def list_filter(
    *,
    state: RefundState | None = None,
    merchant: str | None = None,
    payment_id: str | None = None,
    needs_attention: bool | None = None,
    is_stopped: bool | None = None,
) -> str:
    """Temporal's list filter for these refunds; a stopped refund always needs attention."""
    values = {
        Attribute.STATE: state,
        Attribute.MERCHANT: merchant,
        Attribute.PAYMENT_ID: payment_id,
    }
    terms = [f"WorkflowType = '{WORKFLOW}' AND WorkflowId STARTS_WITH 'refund/'"]
    terms += [f"{name} = '{value.translate(_QUOTES)}'" for name, value in values.items() if value]
    if needs_attention is True:
        terms.append(f"({Attribute.NEEDS_ATTENTION} = true OR {IS_STOPPED})")
    if needs_attention is False:
        is_unset = f"{Attribute.NEEDS_ATTENTION} IS NULL"
        terms.append(f"({Attribute.NEEDS_ATTENTION} = false OR {is_unset}) AND {_IS_NOT_STOPPED}")
    if is_stopped is not None:
        terms.append(IS_STOPPED if is_stopped else _IS_NOT_STOPPED)
    return " AND ".join(terms)


def case_filter(
    *,
    kind: CaseKind | None = None,
    merchant: str | None = None,
    payment_id: str | None = None,
    is_open: bool | None = None,
    is_in_inbox: bool | None = None,
) -> str:
    """Temporal's list filter for these cases."""
    values = {
        Attribute.CASE_KIND: kind,
        Attribute.MERCHANT: merchant,
        Attribute.PAYMENT_ID: payment_id,
    }
    terms = [
        f"WorkflowType = '{CASE_WORKFLOW}' AND WorkflowId STARTS_WITH 'case/'",
        "ExecutionStatus != 'ContinuedAsNew'",
    ]
    terms += [f"{name} = '{value.translate(_QUOTES)}'" for name, value in values.items() if value]
    if is_open is not None:
        terms.append(f"ExecutionStatus {'=' if is_open else '!='} 'Running'")
    if is_in_inbox is not None:
        terms.append(f"{Attribute.NEEDS_ATTENTION} = {str(is_in_inbox).lower()}")
    return " AND ".join(terms)


async def list_refunds(
    temporal: Client, query: str, *, limit: int, known: Collection[str] = ()
) -> AsyncIterator[RefundView]:
    """The first `limit` executions that Temporal returns, sorted newest first.

    A stopped run is omitted if the same refund has a later run. Runs in `known` are omitted.
    """
    found = [
        to_view(execution)
        async for execution in temporal.list_workflows(query, limit=limit, rpc_timeout=RPC_TIMEOUT)
    ]
    new = (view for view in found if view.run_id not in known)
    for view in sorted(new, key=lambda each: each.started_at, reverse=True):
        if not (view.is_stopped and await _has_later_run(temporal, view)):
            yield view


async def _has_later_run(temporal: Client, view: RefundView) -> bool:
    handle = temporal.get_workflow_handle(view.workflow_id)
    try:
        latest = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if not is_no_such_workflow(error):
            raise
        return False
    return latest.run_id != view.run_id
