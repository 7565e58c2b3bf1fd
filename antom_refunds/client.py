"""What a business service needs: start a refund, learn its end, look at it, steer it.

Its errors stand in antom_refunds/errors.py. TemporalUnavailableError (antom_refunds/connection.py)
may come from every method; repeating the call is always safe, starting a refund included.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds import attributes, contract
from antom_refunds.connection import (
    TemporalUnavailableError,
    connect,
    is_about_the_namespace,
    reaching_temporal,
)
from antom_refunds.contract import RPC_TIMEOUT, Dossier, Instruction, RefundOutcome, Resolution
from antom_refunds.delivery import Delivery, store
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import DEFAULT_MERCHANT, RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.errors import (
    InstructionRefusedError,
    RefundAbandonedError,
    RefundClientError,
    RefundConflictError,
    RefundNotFoundError,
)
from antom_refunds.late_evidence import LateEvidence, Why, hand_over
from antom_refunds.stored import stored_order
from antom_refunds.updates import instruct
from antom_refunds.views import RefundView, query_for, view_of

__all__ = [
    "Delivery",
    "InstructionRefusedError",
    "RefundAbandonedError",
    "RefundClient",
    "RefundClientError",
    "RefundConflictError",
    "RefundNotFoundError",
    "RefundView",
    "Started",
]

_STOPPED: Final = frozenset(
    {
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)

_ID_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LATE: Final = {
    Delivery.UNKNOWN: Why.UNKNOWN_REFUND,
    Delivery.ABANDONED: Why.WORKFLOW_STOPPED,
    Delivery.CONTRADICTS: Why.CONTRADICTS_OUTCOME,
}


class Started(BaseModel):
    """A refund that runs now. `is_new` is False if it had been asked for before."""

    model_config = ConfigDict(frozen=True)

    workflow_id: str
    run_id: str
    is_new: bool


class RefundClient:
    """Refunds for business services, operators' tools and the webhook; safe to share."""

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

    async def start(self, order: RefundOrder) -> Started:
        """Have this refund driven to its end; durable when this returns.

        Asking again with the same fields is the same refund. Raises RefundConflictError if the
        id stands for a refund with other fields, RefundAbandonedError if that was stopped.
        """
        with reaching_temporal():
            try:
                handle = await self._start(order)
            except WorkflowAlreadyStartedError:
                return await self._already_started(order)
        return Started(
            workflow_id=handle.id, run_id=str(handle.first_execution_run_id), is_new=True
        )

    async def _start(self, order: RefundOrder) -> WorkflowHandle[Any, Any]:
        due_at = datetime.now(UTC) + self._policy.patience
        return await self._temporal.start_workflow(
            contract.WORKFLOW,
            order,
            id=_workflow_id(order),
            task_queue=contract.REFUNDS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={contract.MEMO_OVERDUE_AFTER: self._policy.patience.total_seconds()},
            search_attributes=attributes.at_start(Refund(order=order), due_at=due_at),
            static_summary=f"refund {order.amount} of payment {order.payment_id}"[:200],
            static_details=_details(order),
            rpc_timeout=RPC_TIMEOUT,
        )

    async def _already_started(self, order: RefundOrder) -> Started:
        handle = self._temporal.get_workflow_handle(_workflow_id(order))
        described = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        known = await stored_order(self._temporal, handle.id)
        if known is None:
            raise RefundAbandonedError(_no_order(order.refund_request_id))
        if differing := tuple(
            name
            for name in RefundOrder.model_fields
            if getattr(known, name) != getattr(order, name)
        ):
            raise RefundConflictError(order.refund_request_id, differing)
        if described.status in _STOPPED:
            raise RefundAbandonedError(_abandoned(order.refund_request_id, described.status))
        return Started(workflow_id=described.id, run_id=described.run_id, is_new=False)

    async def outcome(
        self,
        refund_request_id: str,
        *,
        merchant: str = DEFAULT_MERCHANT,
        wait: timedelta | None = None,
    ) -> RefundOutcome | None:
        """How the refund ended; None if it has no end within `wait` (None: wait for ever).

        Raises RefundNotFoundError or RefundAbandonedError.
        """
        with reaching_temporal(), _finding(refund_request_id):
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
            raise RefundAbandonedError(_abandoned(refund_request_id, error.cause)) from error

    async def describe(
        self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT
    ) -> RefundView:
        """The refund at a glance; needs no worker. Raises RefundNotFoundError."""
        with reaching_temporal(), _finding(refund_request_id):
            handle = self._handle(refund_request_id, merchant)
            return view_of(await handle.describe(rpc_timeout=RPC_TIMEOUT))

    async def dossier(self, refund_request_id: str, *, merchant: str = DEFAULT_MERCHANT) -> Dossier:
        """Everything known about the refund; needs a running worker.

        Raises RefundNotFoundError, or TemporalUnavailableError if no worker answers in time.
        """
        with reaching_temporal(), _finding(refund_request_id):
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
        needs_human: bool | None = None,
        is_stopped: bool | None = None,
        limit: int = 100,
    ) -> AsyncIterator[RefundView]:
        """Refunds of this kind, at most `limit`, newest first; seconds behind the present.

        Not every Temporal sorts. So these are the `limit` that it gives first, which are running
        refunds and then those that ended last, put in order here. A stopped run is left out once
        a later run of the same refund has taken its place.
        """
        query = query_for(
            state=state,
            merchant=merchant,
            payment_id=payment_id,
            needs_human=needs_human,
            is_stopped=is_stopped,
        )
        with reaching_temporal():
            found = [
                view_of(execution)
                async for execution in self._temporal.list_workflows(
                    query, limit=limit, rpc_timeout=RPC_TIMEOUT
                )
            ]
            for view in sorted(found, key=lambda each: each.started_at, reverse=True):
                if not (view.is_stopped and await self._has_later_run(view)):
                    yield view

    async def _has_later_run(self, view: RefundView) -> bool:
        handle = self._temporal.get_workflow_handle(view.workflow_id)
        try:
            latest = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or is_about_the_namespace(error):
                raise
            return False
        return latest.run_id != view.run_id

    async def check_now(
        self,
        refund_request_id: str,
        instruction: Instruction,
        *,
        merchant: str = DEFAULT_MERCHANT,
    ) -> str:
        """Have Antom asked now.

        Raises InstructionRefusedError, RefundNotFoundError or RefundAbandonedError.
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
            raise RefundAbandonedError(_abandoned(refund_request_id, "it takes no instructions"))
        if not view.is_running:
            raise InstructionRefusedError(f"{refund_request_id} has ended: it is {view.state}")
        with reaching_temporal():
            try:
                handle = self._handle(refund_request_id, merchant)
                return await instruct(handle, update, instruction, who=refund_request_id)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND or is_about_the_namespace(error):
                    raise
        # It ended in between.
        view = await self.describe(refund_request_id, merchant=merchant)
        raise InstructionRefusedError(f"{refund_request_id} has ended: it is {view.state}")

    async def notify(
        self,
        refund_request_id: str,
        evidence: Evidence,
        *,
        delivery_id: str,
        merchant: str = DEFAULT_MERCHANT,
    ) -> Delivery:
        """Give a verified notification to its refund; durable when this returns DELIVERED.

        `delivery_id` is the SHA-256 of the notification's bytes, so that it is equal for
        repetitions of one notification: the engine then keeps the first and drops the others.
        What no running refund takes is handed over as late evidence before this returns, unless
        the refund ended as the notification says. Raises TemporalSettingsError, SignalLimitError,
        or RPCError where Temporal refuses the signal for another reason.
        """
        with reaching_temporal():
            delivery, outcome = await self._deliver(
                refund_request_id, evidence, delivery_id, merchant
            )
        if why := _LATE.get(delivery):
            late = LateEvidence(
                workflow_id=contract.workflow_id(refund_request_id, merchant=merchant),
                outcome=outcome,
                evidence=evidence,
                digest=delivery_id,
                why=why,
            )
            runtime = self._temporal.service_client.config.runtime or Runtime.default()
            await hand_over(late, runtime.metric_meter)
        return delivery

    async def _deliver(
        self, refund_request_id: str, evidence: Evidence, delivery_id: str, merchant: str
    ) -> tuple[Delivery, RefundOutcome | None]:
        # Of another form it is no refund of ours, and not every store of Temporal's can look it up.
        if not _ID_FORM.fullmatch(refund_request_id):
            return Delivery.UNKNOWN, None
        try:
            workflow_id = contract.workflow_id(refund_request_id, merchant=merchant)
            await store(self._temporal, workflow_id, evidence, delivery_id=delivery_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or is_about_the_namespace(error):
                raise
            return await self._undelivered(refund_request_id, evidence, merchant)
        return Delivery.DELIVERED, None

    async def _undelivered(
        self, refund_request_id: str, evidence: Evidence, merchant: str
    ) -> tuple[Delivery, RefundOutcome | None]:
        try:
            outcome = await self.outcome(refund_request_id, merchant=merchant, wait=RPC_TIMEOUT)
        except RefundNotFoundError:
            return Delivery.UNKNOWN, None
        except RefundAbandonedError:
            return Delivery.ABANDONED, None
        if outcome is None:
            # It was started or reset just after the signal came: the repetition will find it.
            raise TemporalUnavailableError(f"{refund_request_id} runs again: notify it once more")
        is_against = contract.contradicts_outcome(outcome, evidence)
        return (Delivery.CONTRADICTS if is_against else Delivery.ENDED), outcome

    def _handle(self, refund_request_id: str, merchant: str) -> WorkflowHandle[Any, RefundOutcome]:
        return self._temporal.get_workflow_handle(
            contract.workflow_id(refund_request_id, merchant=merchant),
            result_type=RefundOutcome,
        )


def _workflow_id(order: RefundOrder) -> str:
    return contract.workflow_id(order.refund_request_id, merchant=order.merchant)


def _abandoned(refund_request_id: str, why: object) -> str:
    reason = why.name.lower() if isinstance(why, WorkflowExecutionStatus) else why
    return (
        f"{refund_request_id} was stopped in Temporal before Antom's last word ({reason}): "
        "ask Antom what became of it"
    )


def _no_order(refund_request_id: str) -> str:
    return (
        f"{refund_request_id} was started by somebody with an input that is no refund order: "
        "nothing was sent; choose a new id"
    )


def _details(order: RefundOrder) -> str:
    return (
        f"Refund **{order.amount}** of payment `{order.payment_id}`, asked for once as "
        f"`{order.refund_request_id}` by merchant `{order.merchant}`.\n\n"
        "Where it stands is under *Current details*; what it waits for, with the next moment, "
        "under *Pending activities*."
    )


@contextmanager
def _finding(refund_request_id: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or is_about_the_namespace(error):
            raise
        raise RefundNotFoundError(f"there is no refund {refund_request_id} here") from error
