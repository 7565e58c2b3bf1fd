"""What a workflow may ask of the world: signatures only, so that workflows import no I/O."""

from abc import ABC, abstractmethod

from temporalio import activity

from antom_refunds import contract
from antom_refunds.contract import Question
from antom_refunds.domain.evidence import Evidence


class AntomCalls(ABC):
    """Calls at Antom. Each returns evidence that teaches something new, and retries until then."""

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    @abstractmethod
    async def request_refund(self, question: Question) -> Evidence:
        """Send the refund call: at once while requested, else when the schedule says so.

        Same id and same bytes each time. Retries by itself while nothing was sent and while the
        answer is no news.
        """

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    @abstractmethod
    async def await_result(self, question: Question) -> Evidence:
        """Inquire on the schedule until Antom says more than that it is processing.

        If Antom knows no such refund, the refund call is sent again with the same id.
        """

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    @abstractmethod
    async def inquire(self, question: Question) -> Evidence:
        """Inquire now; retries only while the inquiry itself fails."""
