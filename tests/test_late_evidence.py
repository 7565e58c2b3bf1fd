"""Late evidence is reported in one place, which logs it for operators and counts it."""

import logging

import pytest
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from antom_refunds import late_evidence
from antom_refunds.connection import open_client
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import ExternalRefunds
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.late_evidence import LateEvidence, LateReason, record_late_evidence
from tests.harness import Harness

AMOUNT = Money(currency="EUR", minor=1250)
EVIDENCE = Evidence(
    source=Source.INQUIRY,
    kind=EvidenceKind.FAILED,
    code="PROCESS_FAIL",
    message="the inquiry says FAIL",
    refund_request_id="rf-1",
    amount=AMOUNT,
)
OUTCOME = RefundOutcome(
    refund_request_id="rf-1",
    payment_id="pay-1",
    merchant="default",
    amount=AMOUNT,
    state=RefundState.SUCCEEDED,
    result_code="SUCCESS",
)


@pytest.mark.parametrize(
    ("reason", "outcome", "level"),
    [
        (LateReason.CONTRADICTS_OUTCOME, OUTCOME, logging.ERROR),
        (LateReason.WORKFLOW_STOPPED, None, logging.ERROR),
        (LateReason.UNKNOWN_REFUND, None, logging.WARNING),
    ],
)
async def test_late_evidence_is_one_log_line_and_counted_by_its_reason(
    reason: LateReason,
    outcome: RefundOutcome | None,
    level: int,
    idle_harness: Harness,
    caplog: pytest.LogCaptureFixture,
) -> None:
    buffer = MetricBuffer(1000)
    address = idle_harness.temporal.service_client.config.target_host
    temporal = await open_client(
        {"target_host": address}, runtime=Runtime(telemetry=TelemetryConfig(metrics=buffer))
    )
    idle_harness.cases.append("rf-1")
    late = LateEvidence(
        workflow_id="refund/default/rf-1",
        outcome=outcome,
        evidence=EVIDENCE,
        digest="ab12",
        reason=reason,
        merchant="default",
        refund_request_id="rf-1",
    )

    await record_late_evidence(late, temporal, external_refunds=ExternalRefunds.CASE)

    (record,) = (each for each in caplog.records if each.name == late_evidence.__name__)
    assert (record.levelno, record.message) == (level, f"late_evidence.{reason}")
    fields = record.__dict__
    assert (fields["workflow_id"], fields["digest"]) == ("refund/default/rf-1", "ab12")
    assert (fields["source"], fields["kind"], fields["amount"]) == (
        "inquiry",
        "failed",
        "12.50 EUR",
    )
    assert fields["outcome_state"] == (outcome and outcome.state)
    counted = [
        (update.attributes["reason"], update.value)
        for update in buffer.retrieve_updates()
        if update.metric.name == "refund_late_evidence"
    ]
    assert counted == [(reason.value, 1)]
