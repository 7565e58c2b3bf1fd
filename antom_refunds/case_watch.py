"""Watches the namespace: opens cases about stopped refunds, and measures the inbox."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.service import RPCError

from antom_refunds.case_contract import CaseInput, case_key, case_of_outcome, known_id
from antom_refunds.case_start import report_case
from antom_refunds.case_views import CaseView
from antom_refunds.cases import CaseClient
from antom_refunds.connection import TemporalSettingsError, TemporalUnavailableError
from antom_refunds.contract import RPC_TIMEOUT, RefundOutcome
from antom_refunds.domain.case import CaseKind, CaseState, CaseSubject, Finding
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.listing import ENDED_AND_FLAGGED, list_filter, list_refunds
from antom_refunds.stopped_cases import stopped_cases
from antom_refunds.views import RefundView

log = logging.getLogger(__name__)

_LISTED_MAX: Final = 10_000
_MERCHANT_FORM: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class CaseWatch:
    """What every worker looks after, so that at least one does. All of it is idempotent.

    `reported` are the run ids of stopped refunds whose case this process has seen to.
    """

    def __init__(self, temporal: Client, meter: MetricMeter) -> None:
        self._temporal = temporal
        self.reported: set[str] = set()
        self._open = meter.create_gauge("refund_cases_open", "Open cases, by kind")
        self._oldest = meter.create_gauge_float(
            "refund_cases_oldest_seconds", "Age of the oldest open case, by kind, in seconds"
        )
        self._unassigned = meter.create_gauge_float(
            "refund_cases_unassigned_seconds",
            "Age of the oldest case that nobody works on, by kind, in seconds",
        )

    async def run(self, interval: timedelta) -> NoReturn:
        """Look again after each interval; a failed look is logged, and the next one follows."""
        while True:
            try:
                await self.look()
            except (TemporalUnavailableError, TemporalSettingsError, RPCError) as error:
                log.warning("case_watch.failed", extra={"reason": str(error)})
            except Exception:
                log.exception("case_watch.defect")
            await asyncio.sleep(interval.total_seconds())

    async def look(self) -> None:
        """Open the missing cases and measure the inbox; raises the errors of RefundClient.

        What cannot be reported is logged and tried again: it must not hide the others.
        """
        async for workflow_id, run_id, case in self._missing():
            try:
                await report_case(self._temporal, case)
            except (ValueError, RPCError) as error:
                fields = {"workflow_id": workflow_id, "reason": str(error)}
                log.warning("case_watch.not_reported", extra=fields)
            else:
                self.reported.add(run_id)
        cases = CaseClient(self._temporal).list(is_open=True, limit=_LISTED_MAX)
        self._measure([view async for view in cases], datetime.now(UTC))

    async def _missing(self) -> AsyncIterator[tuple[str, str, CaseInput]]:
        """What lacks a case, and what this process has not seen to yet: stopped refunds and cases,

        and refunds that ended before they could reach their case.
        """
        seen = self.reported
        async for view in list_refunds(
            self._temporal, list_filter(is_stopped=True), limit=_LISTED_MAX, known=seen
        ):
            yield view.workflow_id, view.run_id, case_of_stopped(view)
        async for view in list_refunds(
            self._temporal, ENDED_AND_FLAGGED, limit=_LISTED_MAX, known=seen
        ):
            outcome = await self._outcome(view)
            yield view.workflow_id, view.run_id, case_of_outcome(outcome)
        async for stopped in stopped_cases(self._temporal, limit=_LISTED_MAX, known=seen):
            yield stopped.workflow_id, stopped.run_id, stopped.case

    async def _outcome(self, view: RefundView) -> RefundOutcome:
        run = self._temporal.get_workflow_handle(
            view.workflow_id, run_id=view.run_id, result_type=RefundOutcome
        )
        outcome: RefundOutcome = await run.result(rpc_timeout=RPC_TIMEOUT)
        return outcome

    def _measure(self, views: list[CaseView], now: datetime) -> None:
        for kind in CaseKind:
            own = [view for view in views if view.kind is kind]
            unassigned = [view for view in own if view.state is CaseState.OPEN]
            self._open.set(len(own), {"kind": kind.value})
            self._oldest.set(_oldest(own, now), {"kind": kind.value})
            self._unassigned.set(_oldest(unassigned, now), {"kind": kind.value})


def case_of_stopped(view: RefundView) -> CaseInput:
    """The case of a refund whose workflow was stopped before a terminal state.

    Any client can start workflows with any id: what has not our form is left out.
    """
    text = (
        f"the workflow was {view.stopped_as} in Temporal (run {view.run_id}) while the refund was "
        f"{view.state or 'in an unknown state'}: nobody follows it up"
    )
    is_ours = view.merchant is not None and _MERCHANT_FORM.fullmatch(view.merchant) is not None
    subject = CaseSubject(
        kind=CaseKind.STOPPED,
        merchant=view.merchant if is_ours and view.merchant else DEFAULT_MERCHANT,
        key=case_key(view.refund_request_id),
        refund_request_id=known_id(view.refund_request_id),
        payment_id=known_id(view.payment_id),
        amount=view.amount,
    )
    return CaseInput(subject=subject, findings=(Finding(digest=view.run_id, text=text),))


def _oldest(views: list[CaseView], now: datetime) -> float:
    """Seconds since the oldest one was opened; 0 if there is none."""
    return max(((now - view.opened_at).total_seconds() for view in views), default=0.0)
