"""Reads the order of an existing refund from its workflow history."""

from pydantic import ValidationError
from temporalio.client import Client

from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.order import RefundOrder


async def read_stored_order(temporal: Client, workflow_id: str) -> RefundOrder | None:
    """The order in the first event of the history; None if the input is not an order.

    A memo may be missing or wrong; the first event has the workflow's actual input.
    """
    handle = temporal.get_workflow_handle(workflow_id)
    events = handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT)
    event = await anext(aiter(events))
    payloads = event.workflow_execution_started_event_attributes.input.payloads
    try:
        arguments = await temporal.data_converter.decode(payloads)
        return RefundOrder.model_validate(arguments[0])
    except (ValidationError, LookupError, ValueError, RuntimeError):
        return None
