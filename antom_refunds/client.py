"""What a business service needs: start a refund, learn its end, look at it, steer it.

Its errors stand in antom_refunds/errors.py. TemporalUnavailableError (antom_refunds/connection.py)
may come from every method; repeating the call is always safe, starting a refund included.
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
from antom_refunds.listing import listed, query_for
from antom_refunds.starting import start_workflow
from antom_refunds.stored_order import read_stored_order
from antom_refunds.updates import send_instruction
from antom_refunds.views import RefundView, to_view


class StartedRefund(BaseModel):
    """A refund that runs now. `is_new` is False if it had been asked for before."""

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
        """A client for the Temporal that the environment names (TEMPORAL_ADDRESS, ...)."""
        return cls(await connect(), policy=policy)

    @property
    def namespace(self) -> str:
        """The Temporal namespace in which these refunds live."""
        return self._temporal.namespace

    async def start(self, order: RefundOrder) -> StartedRefund:
        """Have this refund driven to its end; durable when this returns.

        Asking again with the same fields is the same refund. Raises RefundConflictError if the
        id stands for a refund with other fields, RefundTerminatedError if that was stopped.
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
        known = await read_stored_order(self._temporal, handle.id)
        if known is None:
            raise RefundTerminatedError(_no_order_message(order.refund_request_id))
        if differing := tuple(
            name
            for name in RefundOrder.model_fields
            if getattr(known, name) != getattr(order, name)
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
        """How the refund ended; None if it has no end within `wait` (None: wait for ever).

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
        """The refund at a glance; needs no worker. Raises RefundNotFoundError."""
        with temporal_errors(), _not_found_errors(refund_request_id):
            handle = self._handle(refund_request_id, merchant)
            return to_view(await handle.describe(rpc_timeout=RPC_TIMEOUT))

    async def dossier(self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT) -> Dossier:
        """Everything known about the refund; needs a running worker.

        Raises RefundNotFoundError, or TemporalUnavailableError if no worker answers in time.
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
        """Refunds of this kind, at most `limit`, newest first; seconds behind the present.

        Not every Temporal sorts. So these are the `limit` that it gives first, which are running
        refunds and then those that ended last, put in order here. A stopped run is left out once
        a later run of the same refund has taken its place.
        """
        wanted = query_for(
            state=state,
            merchant=merchant,
            payment_id=payment_id,
            needs_attention=needs_attention,
            is_stopped=is_stopped,
        )
        with temporal_errors():
            async for view in listed(self._temporal, wanted, limit=limit):
                yield view

    async def check_now(
        self,
        refund_request_id: str,
        instruction: Instruction,
        *,
        merchant: str = DEFAULT_MERCHANT,
    ) -> str:
        """Have Antom asked now.

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
        """End the refund by hand, with proof; raises what check_now raises."""
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
        """Give the refund up while nothing was sent; raises what check_now raises."""
        return await self._instruct(
            contract.UPDATE_CALL_OFF, refund_request_id, instruction, merchant
        )

    async def _instruct(
        self, update: str, refund_request_id: str, instruction: Instruction, merchant: str
    ) -> str:
        view = await self.describe(refund_request_id, merchant=merchant)
        if view.is_stopped:
            raise RefundTerminatedError(
                _terminated_message(refund_request_id, "it takes no instructions")
            )
        if not view.is_running:
            raise InstructionRejectedError(f"{refund_request_id} has ended: it is {view.state}")
        with temporal_errors():
            try:
                handle = self._handle(refund_request_id, merchant)
                return await send_instruction(handle, update, instruction, who=refund_request_id)
            except RPCError as error:
                if not is_no_such_workflow(error):
                    raise
        # It ended in between.
        view = await self.describe(refund_request_id, merchant=merchant)
        raise InstructionRejectedError(f"{refund_request_id} has ended: it is {view.state}")

    def _handle(self, refund_request_id: str, merchant: str) -> WorkflowHandle[Any, RefundOutcome]:
        return self._temporal.get_workflow_handle(
            contract.workflow_id(refund_request_id, merchant=merchant),
            result_type=RefundOutcome,
        )


def _terminated_message(refund_request_id: str, reason: object) -> str:
    return (
        f"{refund_request_id} was stopped in Temporal before Antom's last word ({reason}): "
        "ask Antom what became of it"
    )


def _no_order_message(refund_request_id: str) -> str:
    return (
        f"{refund_request_id} was started by somebody with an input that is no refund order: "
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
