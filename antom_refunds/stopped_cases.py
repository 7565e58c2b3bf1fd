"""Cases whose workflow was stopped in Temporal: no operator closed them, so they must come back."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from temporalio.client import Client

from antom_refunds.case_contract import CASE_WORKFLOW, CaseInput
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.case import LISTED_MAX, Finding
from antom_refunds.listing import IS_STOPPED
from antom_refunds.stored_order import read_input


@dataclass(frozen=True, slots=True)
class StoppedCase:
    """A stopped run, and what opens its case again."""

    workflow_id: str
    run_id: str
    case: CaseInput


async def stopped_cases(
    temporal: Client, *, limit: int, known: Collection[str]
) -> AsyncIterator[StoppedCase]:
    """Stopped runs of cases, without the run ids in `known`; a case has all findings it began with.

    A run whose input is not a case of ours is left out.
    """
    query = f"WorkflowType = '{CASE_WORKFLOW}' AND {IS_STOPPED}"
    async for run in temporal.list_workflows(query, limit=limit, rpc_timeout=RPC_TIMEOUT):
        if run.run_id in known:
            continue
        given = await read_input(temporal, run.id, CaseInput, run_id=run.run_id)
        if given is not None:
            yield StoppedCase(run.id, run.run_id, _again(given, run.run_id))


def _again(given: CaseInput, run_id: str) -> CaseInput:
    text = f"the case was stopped in Temporal (run {run_id}), and no operator had closed it"
    findings = (*given.findings, Finding(digest=run_id, text=text))
    return given.model_copy(update={"findings": findings[-LISTED_MAX:]})
