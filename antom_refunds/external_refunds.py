"""Records refunds of our payments that do not run here, when an inquiry lists them."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.case_contract import CaseInput, case_key
from antom_refunds.case_start import report_case
from antom_refunds.connection import (
    TemporalSettingsError,
    TemporalUnavailableError,
    is_no_such_workflow,
    temporal_errors,
)
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.case import ExternalRefunds
from antom_refunds.domain.external_refunds import PaymentRefund, finding_of, subject_of
from antom_refunds.domain.order import RefundOrder

log = logging.getLogger(__name__)

_KNOWN_MAX: Final = 10_000


class ExternalRefundRecorder:
    """Opens a case about each refund of a payment that does not run here; safe to share.

    `settings` says for each merchant what happens with such refunds: by default, a case.
    """

    def __init__(self, temporal: Client, settings: Mapping[str, ExternalRefunds]) -> None:
        self._temporal = temporal
        self._settings = settings
        self._known: set[tuple[str, str]] = set()

    async def record(self, order: RefundOrder, listed: Iterable[PaymentRefund]) -> None:
        """Record what an inquiry about the order's payment lists; never raises.

        The inquiry is about `order`: a failure here must not spoil it, and the next inquiry lists
        the same refunds again.
        """
        try:
            for refund in listed:
                await self._record_one(order, refund)
        except (TemporalUnavailableError, TemporalSettingsError, RPCError) as error:
            fields = {"payment_id": order.payment_id, "reason": str(error)}
            log.warning("external_refunds.not_recorded", extra=fields)

    async def _record_one(self, order: RefundOrder, refund: PaymentRefund) -> None:
        mode = self._settings.get(order.merchant, ExternalRefunds.CASE)
        name = refund.name
        if name is None or name == order.refund_request_id or mode is ExternalRefunds.IGNORE:
            return
        if (order.merchant, name) in self._known:
            return
        if not await self._runs_here(order.merchant, refund):
            await report_case(self._temporal, _case(order, refund, name, mode))
        if len(self._known) < _KNOWN_MAX:
            self._known.add((order.merchant, name))

    async def _runs_here(self, merchant: str, refund: PaymentRefund) -> bool:
        """Whether Temporal knows it; an id of another form is not one of ours."""
        own = refund.refund_request_id
        if own is None or case_key(own) != own:
            return False
        handle = self._temporal.get_workflow_handle(contract.workflow_id(own, merchant=merchant))
        with temporal_errors():
            try:
                await handle.describe(rpc_timeout=RPC_TIMEOUT)
            except RPCError as error:
                if not is_no_such_workflow(error):
                    raise
                return False
        return True


def _case(order: RefundOrder, refund: PaymentRefund, name: str, mode: ExternalRefunds) -> CaseInput:
    return CaseInput(
        subject=subject_of(refund, order, key=case_key(name)),
        findings=(finding_of(refund, order),),
        is_record_only=mode is ExternalRefunds.RECORD,
    )
