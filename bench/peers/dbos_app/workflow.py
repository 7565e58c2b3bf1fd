"""The refund as a DBOS workflow: each call a step, each wait a `recv` with a timeout.

`recv` is DBOS's durable race: it ends with the next message or when its recorded time is up, also
after a restart. What is asked next, and when, is the same as everywhere (bench/peers/common).
"""

from datetime import UTC, datetime
from typing import Final

from dbos import DBOS, DBOSConfiguredInstance

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, Step
from bench.peers.common.calls import Calls
from bench.peers.common.pursuit import Pursuit
from bench.peers.peer import End

NOTICES: Final = "notices"
# Recovery finds the instance by this name.
_INSTANCE: Final = "refunds"


@DBOS.dbos_class()
class Refunds(DBOSConfiguredInstance):
    """One merchant's refunds, over its calls at Antom."""

    def __init__(self, calls: Calls, policy: Policy) -> None:
        self._calls = calls
        self._policy = policy
        super().__init__(config_name=_INSTANCE)

    @DBOS.workflow()
    async def refund(self, order: RefundOrder) -> End:
        """One refund until Antom's last word; its output is the state, and when it was known.

        The output is recorded once, so the clock does not harm a replay.
        """
        pursuit = Pursuit(Refund(order=order))
        while pursuit.step is not None:
            pursuit = await self._pursued(pursuit)
        return End(pursuit.refund.state, datetime.now(UTC))

    @DBOS.step()
    async def ask(self, order: RefundOrder) -> Evidence:
        """The refund call; repeated with the same id and bytes if this process dies meanwhile."""
        return await self._calls.ask(order)

    @DBOS.step()
    async def inquire(self, refund: Refund) -> Evidence:
        """The inquiry."""
        return await self._calls.inquire(refund)

    async def _pursued(self, pursuit: Pursuit) -> Pursuit:
        """After the next notification or the next call, whichever comes first."""
        wait = pursuit.wait(self._policy)
        if wait:
            notice = await DBOS.recv_async(NOTICES, timeout_seconds=wait.total_seconds())
            if notice is not None:
                return pursuit.heard(notice)
        return pursuit.heard(await self._called(pursuit), waited=wait)

    async def _called(self, pursuit: Pursuit) -> Evidence:
        refund = pursuit.refund
        is_ask = pursuit.step is Step.ASK
        call = self.ask(refund.order) if is_ask else self.inquire(refund)
        evidence: Evidence = await call
        return evidence
