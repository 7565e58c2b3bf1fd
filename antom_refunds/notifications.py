"""Verified notifications on their way to their refunds: what the webhook needs of Temporal."""

import re
from typing import Final

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.client import RefundClient
from antom_refunds.connection import (
    TemporalUnavailableError,
    is_no_such_workflow,
    temporal_errors,
)
from antom_refunds.contract import RPC_TIMEOUT, RefundOutcome
from antom_refunds.delivery import Delivery, signal_once
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.errors import RefundNotFoundError, RefundTerminatedError
from antom_refunds.late_evidence import LateEvidence, LateReason, record_late_evidence

_ID_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LATE: Final = {
    Delivery.UNKNOWN: LateReason.UNKNOWN_REFUND,
    Delivery.TERMINATED: LateReason.WORKFLOW_STOPPED,
    Delivery.CONFLICTS: LateReason.CONTRADICTS_OUTCOME,
}


class NotificationDelivery:
    """Gives verified notifications to their refunds; safe to share."""

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal
        self._refunds = RefundClient(temporal)

    async def deliver(
        self,
        refund_request_id: str,
        evidence: Evidence,
        *,
        delivery_id: str,
        merchant: str = DEFAULT_MERCHANT,
    ) -> Delivery:
        """Give a verified notification to its refund; durable when this returns DELIVERED.

        `delivery_id` is the SHA-256 of the notification's bytes, so that it is equal for
        repetitions of one notification: the engine then keeps the first and drops the others.
        What no running refund takes is handed over as late evidence before this returns, unless
        the refund ended as the notification says. Raises TemporalUnavailableError,
        TemporalSettingsError, SignalLimitError, or RPCError where Temporal refuses the signal for
        another reason.
        """
        with temporal_errors():
            delivery, outcome = await self._deliver(
                refund_request_id, evidence, delivery_id, merchant
            )
        if why := _LATE.get(delivery):
            late = LateEvidence(
                workflow_id=contract.workflow_id(refund_request_id, merchant=merchant),
                outcome=outcome,
                evidence=evidence,
                digest=delivery_id,
                reason=why,
            )
            runtime = self._temporal.service_client.config.runtime or Runtime.default()
            await record_late_evidence(late, runtime.metric_meter)
        return delivery

    async def _deliver(
        self, refund_request_id: str, evidence: Evidence, delivery_id: str, merchant: str
    ) -> tuple[Delivery, RefundOutcome | None]:
        # Of another form it is no refund of ours, and not every store of Temporal's can look it up.
        if not _ID_FORM.fullmatch(refund_request_id):
            return Delivery.UNKNOWN, None
        try:
            workflow_id = contract.workflow_id(refund_request_id, merchant=merchant)
            await signal_once(self._temporal, workflow_id, evidence, delivery_id=delivery_id)
        except RPCError as error:
            if not is_no_such_workflow(error):
                raise
            return await self._undelivered(refund_request_id, evidence, merchant)
        return Delivery.DELIVERED, None

    async def _undelivered(
        self, refund_request_id: str, evidence: Evidence, merchant: str
    ) -> tuple[Delivery, RefundOutcome | None]:
        try:
            outcome = await self._refunds.outcome(
                refund_request_id, merchant=merchant, wait=RPC_TIMEOUT
            )
        except RefundNotFoundError:
            return Delivery.UNKNOWN, None
        except RefundTerminatedError:
            return Delivery.TERMINATED, None
        if outcome is None:
            # It was started or reset just after the signal came: the repetition will find it.
            raise TemporalUnavailableError(f"{refund_request_id} runs again: notify it once more")
        is_against = contract.contradicts_outcome(outcome, evidence)
        return (Delivery.CONFLICTS if is_against else Delivery.ALREADY_TERMINAL), outcome
