"""A business service of the storm: `python -m proofs.storm.caller PLAN NUMBER START RECORDS`.

It requests its refunds when they are due and reads their outcomes. It may be killed at any time;
when it is started again, its records tell it what it need not request again.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Final, TypeVar

from antom_refunds.client import RefundClient
from antom_refunds.connection import TemporalUnavailableError
from antom_refunds.domain.order import RefundOrder
from antom_refunds.errors import RefundConflictError, RefundNotFoundError, RefundTerminatedError
from antom_refunds.process import OK, exit_process
from proofs.storm.plan import Plan, PlannedRequest, StormModel

log = logging.getLogger(__name__)

_RETRY_AFTER: Final = timedelta(milliseconds=200)
_LIMIT: Final = timedelta(minutes=10)
Result = TypeVar("Result")


class RequestStatus(StrEnum):
    """What a caller knows about one request."""

    ACCEPTED = "accepted"  # start() returned: from now on the product must finish it
    REFUSED = "refused"  # the id is used with other fields
    ENDED = "ended"  # outcome() returned
    BROKEN = "broken"  # an error that the client does not document


class CallerRecord(StormModel):
    """One line of a caller's records; `request` is its place in the plan, `state` the outcome."""

    request: int
    status: RequestStatus
    state: str = ""


def records_in(path: Path) -> list[CallerRecord]:
    """What a caller recorded so far; nothing if it never wrote."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [CallerRecord.model_validate_json(line) for line in lines]


@dataclass(frozen=True, slots=True)
class Caller:
    """One process's part of the plan."""

    refunds: RefundClient
    started_at: float
    records: FileIO

    async def serve(self, requests: Iterable[tuple[int, PlannedRequest]]) -> None:
        """Until every refund of these requests is final."""
        async with asyncio.TaskGroup() as group:
            for place, request in requests:
                group.create_task(self._request_when_due(place, request))

    async def _request_when_due(self, place: int, request: PlannedRequest) -> None:
        await asyncio.sleep(max(0.0, self.started_at + request.at - time.time()))
        try:
            await self._request(place, request.order)
        except Exception:
            log.exception("caller.broke")
            self._record(place, RequestStatus.BROKEN)

    async def _request(self, place: int, order: RefundOrder) -> None:
        try:
            await _retried(lambda: self.refunds.start(order))
        except RefundConflictError:
            return self._record(place, RequestStatus.REFUSED)
        self._record(place, RequestStatus.ACCEPTED)
        which = order.refund_request_id
        with suppress(RefundTerminatedError):  # its history shows that
            if outcome := await _retried(lambda: self.refunds.outcome(which, wait=_LIMIT)):
                self._record(place, RequestStatus.ENDED, outcome.state)
        return None

    def _record(self, place: int, status: RequestStatus, state: str = "") -> None:
        record = CallerRecord(request=place, status=status, state=state)
        self.records.write(record.model_dump_json().encode() + b"\n")


async def _retried(call: Callable[[], Awaitable[Result]]) -> Result:
    """Retries while Temporal is unavailable; raises TimeoutError if it never comes back."""
    async with asyncio.timeout(_LIMIT.total_seconds()):
        while True:
            try:
                return await call()
            except (TemporalUnavailableError, RefundNotFoundError):
                await asyncio.sleep(_RETRY_AFTER.total_seconds())


async def serve(plan: Plan, number: int, started_at: float, path: Path) -> int:
    """This caller's requests, except the ones whose end it has recorded."""
    done = {each.request for each in records_in(path) if each.status is not RequestStatus.ACCEPTED}
    ours = [(place, each) for place, each in enumerate(plan.requests) if each.caller == number]
    with path.open("ab", buffering=0) as records:  # one write per line: SIGKILL truncates none
        caller = Caller(await _retried(RefundClient.connect), started_at, records)
        await caller.serve((place, each) for place, each in ours if place not in done)
    return OK


if __name__ == "__main__":
    _, its_file, its_number, its_start, its_records = sys.argv
    its_plan = Plan.model_validate_json(Path(its_file).read_bytes())
    serving = serve(its_plan, int(its_number), float(its_start), Path(its_records))
    exit_process(asyncio.run(serving))
