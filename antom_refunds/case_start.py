"""Reports findings to cases: starts a case, adds to it, or leaves a closed one alone."""

from datetime import UTC, datetime

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError

from antom_refunds import attributes, case_contract, contract
from antom_refunds.case_contract import CaseInput
from antom_refunds.connection import is_no_such_workflow, temporal_errors
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.case import Case, Finding


async def report_case(temporal: Client, case_input: CaseInput) -> bool:
    """Add the findings to their case; durable when this returns. False if all were known.

    A case is started, or joined if it is open. A closed case is opened again by a finding that it
    did not have when it was closed, and by no other. Raises TemporalUnavailableError,
    TemporalSettingsError, or RPCError if Temporal refuses it for another reason.
    """
    with temporal_errors():
        new = [await _report(temporal, case_input, each) for each in case_input.findings]
    return any(new)


async def _report(temporal: Client, case_input: CaseInput, finding: Finding) -> bool:
    """Signal an open case; otherwise start it, with what is known from when it was closed."""
    handle = temporal.get_workflow_handle(
        case_contract.case_id(case_input.subject), result_type=Case
    )
    try:
        latest = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        if latest.status is WorkflowExecutionStatus.RUNNING:
            await handle.signal(case_contract.SIGNAL_REPORT, finding, rpc_timeout=RPC_TIMEOUT)
            return True
    except RPCError as error:
        if not is_no_such_workflow(error):
            raise
        # There is none, or it was closed just now.
    earlier = await _closed_case(temporal, handle.id)
    if earlier is not None and finding.digest in earlier.digests:
        return False
    await _signal_with_start(temporal, case_input, earlier, finding)
    return True


async def _signal_with_start(
    temporal: Client, case_input: CaseInput, earlier: Case | None, finding: Finding
) -> None:
    now, subject = datetime.now(UTC), case_input.subject
    started = case_input.model_copy(
        update={"findings": (finding,), "opened_at": now, "earlier": earlier}
    )
    await temporal.start_workflow(
        case_contract.CASE_WORKFLOW,
        started,
        id=case_contract.case_id(subject),
        task_queue=contract.REFUNDS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal=case_contract.SIGNAL_REPORT,
        start_signal_args=[finding],
        search_attributes=attributes.of_case(case_contract.case_at_start(started, now=now)),
        static_summary=case_contract.case_summary(subject),
        rpc_timeout=RPC_TIMEOUT,
    )


async def _closed_case(temporal: Client, workflow_id: str) -> Case | None:
    """The case as an operator closed it last; None if it was never closed.

    The run is named, because the result without it is that of the newest run, which may be open.
    """
    try:
        latest = await temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        if latest.status is not WorkflowExecutionStatus.COMPLETED:
            return None
        run = temporal.get_workflow_handle(workflow_id, run_id=latest.run_id, result_type=Case)
        closed: Case = await run.result(rpc_timeout=RPC_TIMEOUT)
    except WorkflowFailureError:
        return None
    except RPCError as error:
        if not is_no_such_workflow(error):
            raise
        return None
    return closed
