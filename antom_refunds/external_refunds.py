"""Records refunds of our payments that do not run here, when an inquiry lists them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from antom_refunds import contract
from antom_refunds.case_contract import CaseInput, case_key
from antom_refunds.case_start import report_case
from antom_refunds.connection import is_no_such_workflow
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.domain.case import ExternalRefunds
from antom_refunds.domain.external_refunds import PaymentRefund, finding_of, subject_of
from antom_refunds.domain.order import RefundOrder

log = logging.getLogger(__name__)

_KNOWN_MAX: Final = 10_000
_LIMIT: Final = timedelta(seconds=5)


class ExternalRefundRecorder:
    """Opens a case about each refund of a payment that does not run here; safe to share.

    `settings` says for each merchant what happens with such refunds: by default, a case.
    """

    def __init__(self, temporal: Client, settings: Mapping[str, ExternalRefunds]) -> None:
        self._temporal = temporal
        self._settings = settings
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def record(self, order: RefundOrder, listed: Iterable[PaymentRefund]) -> None:
        """Record what an inquiry about the order's payment lists; never raises, and never lasts.

        The inquiry is about `order`: a failure here must not spoil it, and the next inquiry lists
        the same refunds again.
        """
        try:
            async with asyncio.timeout(_LIMIT.total_seconds()):
                for refund in listed:
                    await self._record_one(order, refund)
        except Exception as error:  # noqa: BLE001 - see above
            fields = {"payment_id": order.payment_id, "reason": str(error) or repr(error)}
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
        self._known[order.merchant, name] = None
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)

    async def _runs_here(self, merchant: str, refund: PaymentRefund) -> bool:
        """Whether Temporal knows it; an id of another form is not one of ours."""
        own = refund.refund_request_id
        if own is None or case_key(own) != own:
            return False
        handle = self._temporal.get_workflow_handle(contract.workflow_id(own, merchant=merchant))
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
