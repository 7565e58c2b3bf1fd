"""Reads the input of an existing workflow from its history."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.client import Client

from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.order import RefundOrder

Model = TypeVar("Model", bound=BaseModel)


async def read_stored_order(temporal: Client, workflow_id: str) -> RefundOrder | None:
    """The order in the first event of the history; None if the input is not an order."""
    return await read_input(temporal, workflow_id, RefundOrder)


async def read_input(
    temporal: Client, workflow_id: str, model: type[Model], *, run_id: str | None = None
) -> Model | None:
    """The first argument of this run (None: the latest); None if it is not of this model.

    A memo may be missing or wrong; the first event has the workflow's actual input.
    """
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    events = handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT)
    event = await anext(aiter(events))
    payloads = event.workflow_execution_started_event_attributes.input.payloads
    try:
        arguments = await temporal.data_converter.decode(payloads)
        return model.model_validate(arguments[0])
    except (ValidationError, LookupError, ValueError, RuntimeError):
        return None
