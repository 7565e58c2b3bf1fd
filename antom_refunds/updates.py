"""Sends an operator's instruction to its refund or case as an update, and retries on contention."""

import asyncio
from typing import Any, Final
from uuid import uuid4

from temporalio.client import (
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.contract import RPC_TIMEOUT, Instruction
from antom_refunds.errors import InstructionRejectedError

# Temporal rejects an update that collides with another event in its workflow task, or that
# exceeds its limit of ten updates in flight.
_CONTENTION: Final = frozenset(
    {RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED}
)
_WAITS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds


async def send_instruction(
    handle: WorkflowHandle[Any, Any],
    update: str,
    instruction: Instruction,
    *,
    name: str,
) -> str:
    """Send the instruction and return the workflow's reply; `name` is how errors call it.

    All attempts use one update id, so that the instruction is applied once. Raises
    InstructionRejectedError with the workflow's own reason, TemporalUnavailableError if no worker
    processes it in time, and RPCError if Temporal itself refuses it.
    """
    update_id = uuid4().hex
    for wait in _WAITS:
        try:
            return await _send(
                handle,
                update,
                instruction,
                update_id=update_id,
                name=name,
            )
        except RPCError as error:
            if error.status not in _CONTENTION:
                raise
        await asyncio.sleep(wait)
    raise TemporalUnavailableError(
        f"{name} is too busy for the instruction now: nothing was changed, try again"
    )


async def _send(
    handle: WorkflowHandle[Any, Any],
    update: str,
    instruction: Instruction,
    *,
    update_id: str,
    name: str,
) -> str:
    try:
        reply: str = await handle.execute_update(
            update, instruction, id=update_id, result_type=str, rpc_timeout=RPC_TIMEOUT
        )
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        reason = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise InstructionRejectedError(f"{name}: {reason}") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise TemporalUnavailableError("no worker processed the instruction in time") from error
    return reply
