"""Hand-made observations: one refund without any violation, to be changed one field at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from antom_refunds.antom.wire import Result
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import CaseKind
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.records import (
    CallCount,
    LedgerSnapshot,
    Movement,
    NotificationAttempt,
    PayloadDigests,
    RefundRecord,
    RefundStatus,
)
from antom_refunds.simulator.requests import CallKind, KeyFields
from antom_refunds.simulator.responses import notification, serialise
from proofs.storm.observations import History, Observations

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORDER = RefundOrder(
    refund_request_id="r-1", payment_id="pay", amount=Money(currency="EUR", minor=1250)
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def outcome(state: RefundState = RefundState.SUCCEEDED, **changes: Any) -> RefundOutcome:
    fields = {**ORDER.model_dump(), "state": state, "result_code": "SUCCESS", **changes}
    return RefundOutcome.model_validate(fields)


def history(**changes: Any) -> History:
    """Started at noon, closed ten seconds later."""
    usual = History(started_at=NOON, closed_at=at(10), outcome=outcome(), events=13)
    return replace(usual, **changes)


def refund(status: RefundStatus = RefundStatus.SUCCESS, **changes: Any) -> RefundRecord:
    usual = RefundRecord(
        client_id="shop",
        refund_request_id="r-1",
        refund_id="antom-1",
        key_fields=KeyFields(payment_id="pay", currency="EUR", value="1250"),
        status=status,
        result=Result(result_code="SUCCESS", result_status="S", result_message=""),
        was_accepted=True,
        requested_at=NOON,
        ended_at=at(9),
    )
    return usual.model_copy(update=changes)


def movement(**changes: Any) -> Movement:
    usual = {
        "client_id": "shop",
        "refund_request_id": "r-1",
        "payment_id": "pay",
        "amount": ORDER.amount,
        "at": at(9),
    }
    return Movement.model_validate({**usual, **changes})


def sending(*, succeeded: bool = True, **changes: Any) -> NotificationAttempt:
    """Acknowledged while the refund was open, unless changed."""
    body = serialise(notification(refund(), succeeded=succeeded))
    usual = {
        "client_id": "shop",
        "refund_request_id": "r-1",
        "url": "http://127.0.0.1/",
        "number": 1,
        "at": at(9),
        "digest": sha256(body).hexdigest(),
        "is_acknowledged": True,
    }
    return NotificationAttempt.model_validate({**usual, **changes})


def calls(kind: CallKind, count: int, *, last_at: datetime = NOON) -> CallCount:
    return CallCount(client_id="shop", subject="r-1", kind=kind, count=count, last_at=last_at)


def payloads(refund_request_id: str = "r-1", *digests: str) -> PayloadDigests:
    return PayloadDigests(
        client_id="shop", refund_request_id=refund_request_id, digests=digests or ("d",)
    )


def ledger(**changes: Any) -> LedgerSnapshot:
    usual = LedgerSnapshot(refunds=(refund(),), movements=(movement(),), payloads=(payloads(),))
    return usual.model_copy(update=changes)


def observations(*, its: History | None = None, **changes: Any) -> Observations:
    usual = Observations(
        chosen=frozenset({"r-1"}),
        accepted=(ORDER,),
        reported=(("r-1", "succeeded"),),
        histories={"r-1": its or history()},
        ledger=ledger(),
        cases=frozenset({(kind.value, "r-1") for kind in CaseKind}),
    )
    return replace(usual, **changes)
