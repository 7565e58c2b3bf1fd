"""Reports findings to cases as an activity."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from antom_refunds import case_contract
from antom_refunds.activity_interface import CaseReports
from antom_refunds.case_contract import CaseInput


class CaseActivities(CaseReports):
    """`report` adds findings to their case, durably when it returns."""

    def __init__(self, report: Callable[[CaseInput], Awaitable[object]]) -> None:
        self._report = report

    @activity.defn(name=case_contract.ACTIVITY_REPORT_CASE)
    async def report_case(self, case_input: CaseInput) -> None:
        await self._report(case_input)
