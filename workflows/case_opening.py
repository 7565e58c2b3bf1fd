"""Opens the case of a refund that ended."""

from collections.abc import Sequence
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from antom_refunds import attributes, case_contract, contract
    from antom_refunds.activity_interface import CaseReports
    from antom_refunds.case_contract import CaseInput
    from antom_refunds.domain import policy

_RETRY: Final = RetryPolicy(
    initial_interval=policy.RETRY_FIRST, maximum_interval=policy.RETRY_MAX, maximum_attempts=0
)


async def open_cases(cases: Sequence[CaseInput]) -> bool:
    """Open these cases now; False if one could not be reached in time."""
    try:
        for case in cases:
            await _open(case.model_copy(update={"opened_at": workflow.now()}))
    except ActivityError as error:
        workflow.logger.warning("refund.case_not_reached", extra={"reason": str(error.cause)})
        return False
    return True


async def _open(case_input: CaseInput) -> None:
    """Open the case as a child that outlives this workflow; add to the case if there is one.

    The UI links a child to its parent. A case that exists, whether open or closed, needs a look at
    its result, which only an activity can take.
    """
    case = case_contract.case_at_start(case_input, now=workflow.now())
    try:
        await workflow.start_child_workflow(
            case_contract.CASE_WORKFLOW,
            case_input,
            id=case_contract.case_id(case_input.subject),
            task_queue=contract.REFUNDS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=attributes.of_case(case),
            static_summary=case_contract.case_summary(case_input.subject),
        )
    except WorkflowAlreadyStartedError:
        await workflow.execute_activity_method(
            CaseReports.report_case,
            case_input,
            task_queue=contract.REFUNDS_QUEUE,
            start_to_close_timeout=2 * contract.RPC_TIMEOUT,
            schedule_to_close_timeout=policy.CASE_REPORT_LIMIT,
            retry_policy=_RETRY,
        )
