"""How an operator's instruction gets to its refund: taken, refused with a sentence, or repeated."""

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

# An update that meets another event in its workflow task is sent back, and ten may run at once.
_COLLIDED: Final = frozenset(
    {RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.ABORTED}
)
_WAITS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds


async def send_instruction(
    handle: WorkflowHandle[Any, Any], update: str, instruction: Instruction, *, who: str
) -> str:
    """The refund's reply; under one update id, so that a repetition is the same instruction.

    Raises InstructionRejectedError with the refund's own sentence, TemporalUnavailableError if no
    worker takes it in time, and RPCError for what Temporal itself refuses.
    """
    update_id = uuid4().hex
    for wait in _WAITS:
        try:
            return await _send(handle, update, instruction, update_id=update_id, who=who)
        except RPCError as error:
            if error.status not in _COLLIDED:
                raise
        await asyncio.sleep(wait)
    raise TemporalUnavailableError(
        f"{who} is too busy to take the instruction now: nothing was changed, try again"
    )


async def _send(
    handle: WorkflowHandle[Any, Any],
    update: str,
    instruction: Instruction,
    *,
    update_id: str,
    who: str,
) -> str:
    try:
        reply: str = await handle.execute_update(
            update, instruction, id=update_id, result_type=str, rpc_timeout=RPC_TIMEOUT
        )
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        said = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise InstructionRejectedError(f"{who}: {said}") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise TemporalUnavailableError("no worker took the instruction in time") from error
    return reply
