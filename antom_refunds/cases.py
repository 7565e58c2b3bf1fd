"""The client for operators' tools: list cases, read them, and settle them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from antom_refunds import case_contract
from antom_refunds.case_contract import Assignment, Closing, Snooze
from antom_refunds.case_views import CaseView, to_case_view
from antom_refunds.connection import is_no_such_workflow, temporal_errors
from antom_refunds.contract import RPC_TIMEOUT, Instruction
from antom_refunds.domain.case import Case, CaseKind
from antom_refunds.errors import CaseNotFoundError, InstructionRejectedError
from antom_refunds.listing import case_filter
from antom_refunds.updates import send_instruction


class CaseClient:
    """Cases for operators' tools; safe to share.

    `case_id` is the workflow id: case/<merchant>/<kind>/<refund>. Every method may raise
    TemporalUnavailableError; repeating the call is then safe.
    """

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal

    async def list(
        self,
        *,
        kind: CaseKind | None = None,
        merchant: str | None = None,
        payment_id: str | None = None,
        is_open: bool | None = None,
        is_in_inbox: bool | None = None,
        limit: int = 100,
    ) -> AsyncIterator[CaseView]:
        """Cases that match all filters, at most `limit`, those due first at the front.

        Results may lag by a few seconds (visibility store).
        """
        query = case_filter(
            kind=kind,
            merchant=merchant,
            payment_id=payment_id,
            is_open=is_open,
            is_in_inbox=is_in_inbox,
        )
        with temporal_errors():
            found = [
                to_case_view(execution)
                async for execution in self._temporal.list_workflows(
                    query, limit=limit, rpc_timeout=RPC_TIMEOUT
                )
            ]
        for view in sorted(found, key=lambda each: each.due_at or each.opened_at):
            yield view

    async def show(self, case_id: str) -> Case:
        """Everything known about the case. Raises CaseNotFoundError.

        An open case needs a running worker: raises TemporalUnavailableError if none responds.
        """
        with temporal_errors(), _not_found_errors(case_id):
            handle = self._handle(case_id)
            latest = await handle.describe(rpc_timeout=RPC_TIMEOUT)
            if latest.workflow_type != case_contract.CASE_WORKFLOW:
                raise CaseNotFoundError(f"{case_id} is not a case")
            if latest.status is WorkflowExecutionStatus.COMPLETED:
                return await handle.result(rpc_timeout=RPC_TIMEOUT)
            if latest.status is not WorkflowExecutionStatus.RUNNING:
                raise InstructionRejectedError(
                    f"{case_id} was stopped in Temporal; the workers open it again within a minute"
                )
            case: Case = await handle.query(
                case_contract.QUERY_CASE, result_type=Case, rpc_timeout=RPC_TIMEOUT
            )
        return case

    async def assign(self, case_id: str, assignment: Assignment) -> str:
        """Say who settles the case; returns its reply.

        Raises CaseNotFoundError, or InstructionRejectedError if the case is closed.
        """
        return await self._instruct(case_contract.UPDATE_ASSIGN, case_id, assignment)

    async def note(self, case_id: str, note: Instruction) -> str:
        """Add a note, whose text is the reason. Raises the same errors as assign."""
        return await self._instruct(case_contract.UPDATE_NOTE, case_id, note)

    async def snooze(self, case_id: str, snooze: Snooze) -> str:
        """Take the case out of the inbox for a while. Raises the same errors as assign."""
        return await self._instruct(case_contract.UPDATE_SNOOZE, case_id, snooze)

    async def close(self, case_id: str, closing: Closing) -> str:
        """Close the case with what was done. Raises the same errors as assign."""
        return await self._instruct(case_contract.UPDATE_CLOSE, case_id, closing)

    async def _instruct(self, update: str, case_id: str, instruction: Instruction) -> str:
        with temporal_errors():
            try:
                return await send_instruction(
                    self._handle(case_id), update, instruction, name=case_id
                )
            except RPCError as error:
                if not is_no_such_workflow(error):
                    raise
        case = await self.show(case_id)
        closure = case.closure
        how = f": {closure.result}, by {closure.by}" if closure else ""
        raise InstructionRejectedError(f"{case_id} is closed{how}")

    def _handle(self, case_id: str) -> WorkflowHandle[Any, Case]:
        return self._temporal.get_workflow_handle(case_id, result_type=Case)


@contextmanager
def _not_found_errors(case_id: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if not is_no_such_workflow(error):
            raise
        raise CaseNotFoundError(
            f"there is no case {case_id} here: `antom-refunds cases list` shows the ids"
        ) from error
