"""The order that a running or ended refund was started with, as Temporal stores it."""

from pydantic import ValidationError
from temporalio.client import Client

from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.order import RefundOrder


async def read_stored_order(temporal: Client, workflow_id: str) -> RefundOrder | None:
    """The order in the first event of the history, whoever wrote it; None if it is no order.

    A memo may be missing or lie; this is what the workflow itself was given.
    """
    handle = temporal.get_workflow_handle(workflow_id)
    events = handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT)
    event = await anext(aiter(events))
    payloads = event.workflow_execution_started_event_attributes.input.payloads
    try:
        given = await temporal.data_converter.decode(payloads)
        return RefundOrder.model_validate(given[0])
    except (ValidationError, LookupError, ValueError, RuntimeError):
        return None
