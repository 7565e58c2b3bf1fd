"""What a workflow may ask of the world: signatures only, so that workflows import no I/O."""

from abc import ABC, abstractmethod

from temporalio import activity

from antom_refunds import contract
from antom_refunds.contract import CallInput
from antom_refunds.domain.evidence import Evidence


class AntomCalls(ABC):
    """Calls at Antom. Each returns evidence that teaches something new, and retries until then."""

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    @abstractmethod
    async def request_refund(self, call_input: CallInput) -> Evidence:
        """Send the refund call: at once while requested, else when the schedule says so.

        Same id and same bytes each time. In doubt an inquiry goes first, and may make the call
        unnecessary. Retries while nothing was sent and while the response teaches nothing.
        """

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    @abstractmethod
    async def await_result(self, call_input: CallInput) -> Evidence:
        """Inquire on the schedule until Antom says more than that it is processing.

        If Antom knows no such refund, and the refund call may be sent, it is sent again.
        """

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    @abstractmethod
    async def inquire(self, call_input: CallInput) -> Evidence:
        """Inquire now; retries while the inquiry fails, until an operator must know of it.

        "No such refund" where that would end the refund is asked again until no earlier call can
        still be in flight.
        """
