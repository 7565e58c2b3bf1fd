"""The signatures of all activities, so that workflows can start them without importing I/O."""

from abc import ABC, abstractmethod

from temporalio import activity

from antom_refunds import case_contract, contract
from antom_refunds.case_contract import CaseInput
from antom_refunds.contract import CallInput
from antom_refunds.domain.evidence import Evidence


class AntomCalls(ABC):
    """Calls to Antom. Each activity is retried until it returns new evidence."""

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    @abstractmethod
    async def request_refund(self, call_input: CallInput) -> Evidence:
        """Send the refund call: immediately in the state requested, otherwise when it is due.

        The id and the bytes are the same each time. In doubt, an inquiry precedes the call and may
        make it unnecessary. Retries while nothing was sent or the response adds nothing new.
        """

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    @abstractmethod
    async def await_result(self, call_input: CallInput) -> Evidence:
        """Inquire on the schedule until Antom reports more than that it is processing.

        Returns if Antom has no such refund and the refund call may be sent again.
        """

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    @abstractmethod
    async def inquire(self, call_input: CallInput) -> Evidence:
        """Inquire now; retries while the inquiry fails, until an operator must be alerted.

        If "no such refund" would confirm a result, the inquiry is repeated until no earlier call
        can still be in flight.
        """


class CaseReports(ABC):
    """Reports findings to cases, where a workflow cannot do it itself."""

    @activity.defn(name=case_contract.ACTIVITY_REPORT_CASE)
    @abstractmethod
    async def report_case(self, case_input: CaseInput) -> None:
        """Add the findings to their case; a closed case is opened again only by a new finding."""
