"""The two calls at Antom, one activity each: they return what was learnt, doubt included."""

from temporalio import activity

from antom_refunds.antom import reading
from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.errors import AntomError, OutcomeUnknownError, RefusedError
from antom_refunds.domain.confirmation import confirmed
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund


class TimerLoopActivities:
    """Each is one attempt at one call; what raises here is retried by the usual policy."""

    def __init__(self, antom: AntomClient) -> None:
        self._antom = antom

    @activity.defn
    async def ask(self, order: RefundOrder) -> Evidence:
        """Send the refund call; raises NotSentError if no connection opened."""
        try:
            return reading.answered(await self._antom.refund(order))
        except (OutcomeUnknownError, RefusedError) as error:
            return reading.unanswered(error)

    @activity.defn
    async def inquire(self, refund: Refund) -> Evidence:
        """Ask Antom how the refund stands; the answer confirms an end that was announced before.

        An inquiry without an answer teaches nothing.
        """
        try:
            answer = await self._antom.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return reading.uninquired(error)
        # Each call is over before the next one begins, so none is in flight.
        return confirmed(refund, reading.inquired(answer), is_quiet=True)
