"""Faults that a storm found once."""

from itertools import permutations
from typing import Literal

import pytest
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.antom.interpret import from_notification
from antom_refunds.antom.wire import Amount, RefundNotification, Result
from antom_refunds.connection import TemporalUnavailableError, temporal_errors
from antom_refunds.contract import contradicts_outcome, outcome_of
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.refund import Refund, RefundState, Step
from antom_refunds.domain.state_machine import apply
from tests.storm.builders import ORDER


@pytest.mark.parametrize(
    "status", [RPCStatusCode.UNKNOWN, RPCStatusCode.INTERNAL, RPCStatusCode.ABORTED]
)
def test_a_server_that_dies_during_a_call_is_unavailable(status: RPCStatusCode) -> None:
    """A caller that waited for an end met a bare "transport error" when the server was killed."""
    with pytest.raises(TemporalUnavailableError), temporal_errors():
        raise RPCError("transport error", status, b"")


def notified(code: str, result_status: Literal["S", "F"], refund_status: str) -> Evidence:
    result = Result(result_code=code, result_status=result_status, result_message="")
    return from_notification(
        RefundNotification(
            result=result,
            refund_status=refund_status,
            refund_request_id=ORDER.refund_request_id,
            refund_id="antom-1",
            refund_amount=Amount.of(ORDER.amount),
        )
    )


CLOSED = notified("ORDER_IS_CLOSED", "F", "FAIL")
SUCCEEDED = notified("SUCCESS", "S", "SUCCESS")
ACCEPTED = apply(
    Refund(order=ORDER),
    Evidence(source=Source.RESPONSE, kind=EvidenceKind.PROCESSING, code="REFUND_IN_PROCESS"),
)


@pytest.mark.parametrize("notifications", list(permutations((CLOSED, SUCCEEDED))))
def test_a_closure_and_a_success_that_were_both_notified_are_flagged(
    notifications: tuple[Evidence, ...],
) -> None:
    """Antom signed both; the refund succeeded, and no operator was notified of the closure."""
    refund = ACCEPTED
    for notification in notifications:
        refund = apply(refund, notification)

    assert refund.contradictions == (CLOSED,)
    assert outcome_of(refund).is_contradicted


def test_a_closure_notified_after_the_workflow_closed_contradicts_a_success() -> None:
    outcome = outcome_of(apply(ACCEPTED, SUCCEEDED))

    assert contradicts_outcome(outcome, CLOSED)


def test_a_notified_success_within_a_closure_contradicts_a_closed_refund() -> None:
    """Antom signed ORDER_IS_CLOSED and SUCCESS in one notification, treated as a repetition."""
    both = notified("ORDER_IS_CLOSED", "F", "SUCCESS")
    closed = Evidence(source=Source.INQUIRY, kind=EvidenceKind.CLOSED, code="ORDER_IS_CLOSED")
    refund = apply(Refund(order=ORDER), closed)

    assert contradicts_outcome(outcome_of(refund), both)
    assert outcome_of(apply(refund, both)).is_contradicted


def test_a_notified_success_within_a_closure_flags_a_refund_before_its_end() -> None:
    refund = apply(Refund(order=ORDER), notified("ORDER_IS_CLOSED", "F", "SUCCESS"))

    assert (refund.state, refund.next_step) == (RefundState.IN_DOUBT, Step.INQUIRE)
    assert refund.attention_reason is not None
