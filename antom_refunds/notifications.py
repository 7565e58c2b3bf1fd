"""Delivers verified notifications to their refunds; used by the webhook."""

import re
from collections.abc import Mapping
from typing import Final

from temporalio.client import Client
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
from antom_refunds.domain.case import ExternalRefunds
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
    """Delivers verified notifications to their refunds; safe to share.

    `external_refunds` says for each merchant what happens with notifications of refunds that do
    not run here: by default, a case.
    """

    def __init__(
        self, temporal: Client, *, external_refunds: Mapping[str, ExternalRefunds] | None = None
    ) -> None:
        self._temporal = temporal
        self._external_refunds = external_refunds or {}
        self._refunds = RefundClient(temporal)

    async def deliver(
        self,
        refund_request_id: str,
        evidence: Evidence,
        *,
        delivery_id: str,
        merchant: str = DEFAULT_MERCHANT,
    ) -> Delivery:
        """Deliver a verified notification to its refund; durable when this returns DELIVERED.

        `delivery_id` is the SHA-256 of the notification's bytes. It is equal for repetitions of
        one notification, so that Temporal stores only the first. A notification that no running
        refund accepts is in a case before this returns, unless it agrees with the refund's outcome
        or the settings ignore external refunds. Raises TemporalUnavailableError,
        TemporalSettingsError, SignalLimitError, or RPCError if Temporal refuses the signal for
        another reason.
        """
        with temporal_errors():
            delivery, outcome = await self._deliver(
                refund_request_id, evidence, delivery_id, merchant
            )
        if reason := _LATE.get(delivery):
            late = LateEvidence(
                workflow_id=contract.workflow_id(refund_request_id, merchant=merchant),
                outcome=outcome,
                evidence=evidence,
                digest=delivery_id,
                reason=reason,
                merchant=merchant,
                refund_request_id=refund_request_id,
            )
            await record_late_evidence(
                late,
                self._temporal,
                external_refunds=self._external_refunds.get(merchant, ExternalRefunds.CASE),
            )
        return delivery

    async def _deliver(
        self, refund_request_id: str, evidence: Evidence, delivery_id: str, merchant: str
    ) -> tuple[Delivery, RefundOutcome | None]:
        # An id of another form is not one of ours, and some of Temporal's stores reject it.
        if not _ID_FORM.fullmatch(refund_request_id):
            return Delivery.UNKNOWN, None
        try:
            workflow_id = contract.workflow_id(refund_request_id, merchant=merchant)
            await signal_once(self._temporal, workflow_id, evidence, delivery_id=delivery_id)
        except RPCError as error:
            if not is_no_such_workflow(error):
                raise
            return await self._compare_with_outcome(refund_request_id, evidence, merchant)
        return Delivery.DELIVERED, None

    async def _compare_with_outcome(
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
            # It was started or reset just after the signal failed: Antom's repetition will work.
            raise TemporalUnavailableError(
                f"{refund_request_id} is running again: repeat the notification"
            )
        is_conflict = contract.contradicts_outcome(outcome, evidence)
        return (Delivery.CONFLICTS if is_conflict else Delivery.ALREADY_TERMINAL), outcome
