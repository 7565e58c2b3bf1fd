"""The client for business services: start refunds, await outcomes, inspect and instruct refunds.

Errors are defined in antom_refunds/errors.py. Every method may also raise
TemporalUnavailableError (antom_refunds/connection.py); repeating the call is then always safe,
including start().
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self, overload

from pydantic import BaseModel, ConfigDict
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.connection import (
    connect,
    is_no_such_workflow,
    temporal_errors,
)
from antom_refunds.contract import RPC_TIMEOUT, Dossier, Instruction, RefundOutcome, Resolution
from antom_refunds.domain.order import DEFAULT_MERCHANT, RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import RefundState
from antom_refunds.errors import (
    InstructionRejectedError,
    RefundConflictError,
    RefundNotFoundError,
    RefundTerminatedError,
)
from antom_refunds.listing import list_filter, list_refunds
from antom_refunds.stored_order import read_stored_order
from antom_refunds.updates import send_instruction
from antom_refunds.views import RefundView, to_view
from antom_refunds.workflow_start import start_workflow


class StartedRefund(BaseModel):
    """A started refund. `is_new` is False if the same refund was already requested before."""

    model_config = ConfigDict(frozen=True)

    workflow_id: str
    run_id: str
    is_new: bool


class RefundClient:
    """Refunds for business services and operators' tools; safe to share."""

    def __init__(self, temporal: Client, *, policy: Policy | None = None) -> None:
        self._temporal = temporal
        self._policy = policy or Policy()

    @classmethod
    async def connect(cls, *, policy: Policy | None = None) -> Self:
        """Connect to the Temporal server configured in the environment (TEMPORAL_ADDRESS, ...)."""
        return cls(await connect(), policy=policy)

    @property
    def namespace(self) -> str:
        """The Temporal namespace of these refunds."""
        return self._temporal.namespace

    async def start(self, order: RefundOrder) -> StartedRefund:
        """Start this refund; durable when this returns.

        A repeated call with the same fields refers to the same refund. Raises RefundConflictError
        if the id belongs to a refund with other fields, and RefundTerminatedError if the refund's
        workflow was terminated.
        """
        with temporal_errors():
            try:
                handle = await start_workflow(self._temporal, order, self._policy)
            except WorkflowAlreadyStartedError:
                return await self._already_started(order)
        return StartedRefund(
            workflow_id=handle.id, run_id=str(handle.first_execution_run_id), is_new=True
        )

    async def _already_started(self, order: RefundOrder) -> StartedRefund:
        handle = self._handle(order.refund_request_id, order.merchant)
        view = to_view(await handle.describe(rpc_timeout=RPC_TIMEOUT))
        stored = await read_stored_order(self._temporal, handle.id)
        if stored is None:
            raise RefundTerminatedError(_no_order_message(order.refund_request_id))
        if differing := tuple(
            name
            for name in RefundOrder.model_fields
            if getattr(stored, name) != getattr(order, name)
        ):
            raise RefundConflictError(order.refund_request_id, differing)
        if view.is_stopped:
            raise RefundTerminatedError(
                _terminated_message(order.refund_request_id, view.stopped_as)
            )
        return StartedRefund(workflow_id=view.workflow_id, run_id=view.run_id, is_new=False)

    @overload
    async def outcome(
        self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT, wait: None = None
    ) -> RefundOutcome: ...
    @overload
    async def outcome(
        self,
        refund_request_id: str,
        *,
        merchant: str = DEFAULT_MERCHANT,
        wait: timedelta | None,
    ) -> RefundOutcome | None: ...
    async def outcome(
        self,
        refund_request_id: str,
        *,
        merchant: str = DEFAULT_MERCHANT,
        wait: timedelta | None = None,
    ) -> RefundOutcome | None:
        """The refund's outcome; None if there is none within `wait` (None: wait without limit).

        Raises RefundNotFoundError or RefundTerminatedError.
        """
        with temporal_errors(), _not_found_errors(refund_request_id):
            try:
                async with asyncio.timeout(None if wait is None else wait.total_seconds()):
                    return await self._result(refund_request_id, merchant)
            except TimeoutError:
                return None

    async def _result(self, refund_request_id: str, merchant: str) -> RefundOutcome:
        handle = self._handle(refund_request_id, merchant)
        try:
            return await handle.result()
        except WorkflowFailureError as error:
            raise RefundTerminatedError(
                _terminated_message(refund_request_id, error.cause)
            ) from error

    async def describe(
        self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT
    ) -> RefundView:
        """A summary of the refund; needs no worker. Raises RefundNotFoundError."""
        with temporal_errors(), _not_found_errors(refund_request_id):
            handle = self._handle(refund_request_id, merchant)
            return to_view(await handle.describe(rpc_timeout=RPC_TIMEOUT))

    async def dossier(self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT) -> Dossier:
        """Everything known about the refund; needs a running worker.

        Raises RefundNotFoundError, or TemporalUnavailableError if no worker responds in time.
        """
        with temporal_errors(), _not_found_errors(refund_request_id):
            dossier: Dossier = await self._handle(refund_request_id, merchant).query(
                contract.QUERY_DOSSIER, result_type=Dossier, rpc_timeout=RPC_TIMEOUT
            )
        return dossier

    async def list(
        self,
        *,
        state: RefundState | None = None,
        merchant: str | None = None,
        payment_id: str | None = None,
        needs_attention: bool | None = None,
        is_stopped: bool | None = None,
        limit: int = 100,
    ) -> AsyncIterator[RefundView]:
        """Refunds that match all filters, newest first, at most `limit`.

        Results may lag by a few seconds (visibility store). Not every Temporal server sorts, so
        these are the first `limit` refunds that it returns (running ones, then the most recently
        closed), sorted here. A stopped run is omitted if the same refund has a later run.
        """
        query = list_filter(
            state=state,
            merchant=merchant,
            payment_id=payment_id,
            needs_attention=needs_attention,
            is_stopped=is_stopped,
        )
        with temporal_errors():
            async for view in list_refunds(self._temporal, query, limit=limit):
                yield view

    async def check_now(
        self,
        refund_request_id: str,
        instruction: Instruction,
        *,
        merchant: str = DEFAULT_MERCHANT,
    ) -> str:
        """Trigger an inquiry immediately; returns the refund's reply.

        Raises InstructionRejectedError, RefundNotFoundError or RefundTerminatedError.
        """
        return await self._instruct(
            contract.UPDATE_CHECK_NOW, refund_request_id, instruction, merchant
        )

    async def resolve(
        self,
        refund_request_id: str,
        resolution: Resolution,
        *,
        merchant: str = DEFAULT_MERCHANT,
    ) -> str:
        """Set the terminal state manually, with proof. Raises the same errors as check_now."""
        return await self._instruct(
            contract.UPDATE_RESOLVE, refund_request_id, resolution, merchant
        )

    async def call_off(
        self,
        refund_request_id: str,
        instruction: Instruction,
        *,
        merchant: str = DEFAULT_MERCHANT,
    ) -> str:
        """Call off a refund of which nothing was executed. Raises the same errors as check_now."""
        return await self._instruct(
            contract.UPDATE_CALL_OFF, refund_request_id, instruction, merchant
        )

    async def _instruct(
        self, update: str, refund_request_id: str, instruction: Instruction, merchant: str
    ) -> str:
        view = await self.describe(refund_request_id, merchant=merchant)
        if view.is_stopped:
            raise RefundTerminatedError(
                _terminated_message(refund_request_id, "it accepts no instructions")
            )
        if not view.is_running:
            raise _already_terminal(refund_request_id, view)
        with temporal_errors():
            try:
                handle = self._handle(refund_request_id, merchant)
                return await send_instruction(handle, update, instruction, name=refund_request_id)
            except RPCError as error:
                if not is_no_such_workflow(error):
                    raise
        # The refund reached a terminal state in the meantime.
        view = await self.describe(refund_request_id, merchant=merchant)
        raise _already_terminal(refund_request_id, view)

    def _handle(self, refund_request_id: str, merchant: str) -> WorkflowHandle[Any, RefundOutcome]:
        return self._temporal.get_workflow_handle(
            contract.workflow_id(refund_request_id, merchant=merchant),
            result_type=RefundOutcome,
        )


def _already_terminal(refund_request_id: str, view: RefundView) -> InstructionRejectedError:
    return InstructionRejectedError(f"{refund_request_id} is already {view.state}")


def _terminated_message(refund_request_id: str, reason: object) -> str:
    return (
        f"{refund_request_id} was stopped in Temporal before Antom's final result ({reason}): "
        "find out its result at Antom"
    )


def _no_order_message(refund_request_id: str) -> str:
    return (
        f"{refund_request_id} was started with an input that is not a refund order: "
        "nothing was sent; choose a new id"
    )


@contextmanager
def _not_found_errors(refund_request_id: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if not is_no_such_workflow(error):
            raise
        raise RefundNotFoundError(f"there is no refund {refund_request_id} here") from error
