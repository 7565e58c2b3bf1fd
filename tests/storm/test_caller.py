"""A caller of the storm records each answer, and each error that is not documented."""

from pathlib import Path

from antom_refunds.client import RefundClient, StartedRefund
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import RefundOrder
from antom_refunds.errors import RefundConflictError
from proofs.storm.caller import Caller, CallerRecord, RequestStatus, records_in
from proofs.storm.plan import PlannedRequest
from tests.storm.builders import ORDER, outcome

REQUEST = PlannedRequest(at=0, caller=0, order=ORDER)


class Refunds(RefundClient):
    """Takes every order and ends it, or raises the given error."""

    def __init__(self, *, start: Exception | None = None, end: Exception | None = None) -> None:
        self._at_start = start
        self._at_end = end

    async def start(self, order: RefundOrder) -> StartedRefund:  # noqa: ARG002
        if self._at_start:
            raise self._at_start
        return StartedRefund(workflow_id="w", run_id="r", is_new=True)

    async def outcome(self, *_: object, **__: object) -> RefundOutcome:
        if self._at_end:
            raise self._at_end
        return outcome()


async def recorded(refunds: Refunds, tmp_path: Path) -> list[CallerRecord]:
    path = tmp_path / "notes.jsonl"
    with path.open("ab", buffering=0) as records:
        await Caller(refunds, 0.0, records).serve([(7, REQUEST)])
    return records_in(path)


async def test_an_accepted_refund_and_its_outcome_are_recorded(tmp_path: Path) -> None:
    accepted = CallerRecord(request=7, status=RequestStatus.ACCEPTED)

    assert await recorded(Refunds(), tmp_path) == [
        accepted,
        CallerRecord(request=7, status=RequestStatus.ENDED, state="succeeded"),
    ]


async def test_a_refused_request_is_recorded(tmp_path: Path) -> None:
    refused = Refunds(start=RefundConflictError("r-1", ("amount",)))

    assert await recorded(refused, tmp_path) == [
        CallerRecord(request=7, status=RequestStatus.REFUSED)
    ]


async def test_an_undocumented_error_of_start_is_recorded(tmp_path: Path) -> None:
    assert await recorded(Refunds(start=LookupError()), tmp_path) == [
        CallerRecord(request=7, status=RequestStatus.BROKEN)
    ]


async def test_an_undocumented_error_of_outcome_is_recorded(tmp_path: Path) -> None:
    records = await recorded(Refunds(end=LookupError()), tmp_path)

    assert [record.status for record in records] == [RequestStatus.ACCEPTED, RequestStatus.BROKEN]
