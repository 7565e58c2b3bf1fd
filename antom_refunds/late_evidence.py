"""Records evidence that no running workflow accepts, and opens a case about it.

This module must not import the webhook or Antom's wire models, so that activities can use it too.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime

from antom_refunds.case_contract import (
    CaseInput,
    case_key,
    case_of_contradiction,
    known_id,
)
from antom_refunds.case_start import report_case
from antom_refunds.contract import TEXT_MAX, RefundOutcome
from antom_refunds.domain.case import CaseKind, CaseSubject, ExternalRefunds, Finding
from antom_refunds.domain.evidence import Evidence

log = logging.getLogger(__name__)

METRIC: Final = "refund_late_evidence"


class LateReason(StrEnum):
    """Why no running refund accepts this evidence."""

    CONTRADICTS_OUTCOME = "contradicts_outcome"  # the refund has another outcome
    WORKFLOW_STOPPED = "workflow_stopped"  # terminated, canceled, failed or timed out: no outcome
    UNKNOWN_REFUND = "unknown_refund"  # Temporal does not know the refund, or no longer does


_LEVELS: Final = {
    LateReason.CONTRADICTS_OUTCOME: logging.ERROR,
    LateReason.WORKFLOW_STOPPED: logging.ERROR,
    LateReason.UNKNOWN_REFUND: logging.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvidence:
    """Evidence that arrived after the workflow closed, and the refund's outcome (None: none).

    `digest` is the hexadecimal SHA-256 of the bytes from which the evidence was parsed, so that
    repetitions of one piece of evidence have equal digests.
    """

    workflow_id: str
    outcome: RefundOutcome | None
    evidence: Evidence
    digest: str
    reason: LateReason
    merchant: str
    refund_request_id: str


async def record_late_evidence(
    late: LateEvidence, temporal: Client, *, external_refunds: ExternalRefunds
) -> None:
    """Record late evidence: a case, one log line for operators, and a metric by `reason`.

    Acknowledge the evidence to Antom only after this has returned: the case is durable then.
    Raises the errors of report_case.
    """
    case = case_of(late, external_refunds)
    if case is not None:
        await report_case(temporal, case)
    runtime = temporal.service_client.config.runtime or Runtime.default()
    _log_and_count(late, runtime.metric_meter)


def case_of(late: LateEvidence, external_refunds: ExternalRefunds) -> CaseInput | None:
    """The case about this evidence; None if the settings ignore it."""
    match late.reason:
        case LateReason.CONTRADICTS_OUTCOME if late.outcome is not None:
            return case_of_contradiction(late.outcome, late.evidence)
        case LateReason.UNKNOWN_REFUND:
            return _external(late, external_refunds)
        case _:
            return _stopped(late)


def _stopped(late: LateEvidence) -> CaseInput:
    text = (
        f"Antom's {late.evidence.source} says: {late.evidence.message}; the refund's workflow was "
        "stopped and does not accept it"
    )
    return _case(CaseKind.STOPPED, late, text)


def _external(late: LateEvidence, external_refunds: ExternalRefunds) -> CaseInput | None:
    if external_refunds is ExternalRefunds.IGNORE:
        return None
    text = (
        f"Antom's {late.evidence.source} says: {late.evidence.message}; this refund does not run "
        "here: it was made in the Dashboard or by another system, or ended longer ago than "
        "Temporal keeps workflows"
    )
    case = _case(CaseKind.EXTERNAL_REFUND, late, text)
    return case.model_copy(update={"is_record_only": external_refunds is ExternalRefunds.RECORD})


def _case(kind: CaseKind, late: LateEvidence, text: str) -> CaseInput:
    evidence = late.evidence
    subject = CaseSubject(
        kind=kind,
        merchant=late.merchant,
        key=case_key(late.refund_request_id),
        refund_request_id=known_id(late.refund_request_id),
        payment_id=known_id(evidence.payment_id),
        amount=evidence.amount,
    )
    return CaseInput(subject=subject, findings=(Finding.of(text[:TEXT_MAX], evidence),))


def _log_and_count(late: LateEvidence, meter: MetricMeter) -> None:
    log.log(_LEVELS[late.reason], f"late_evidence.{late.reason}", extra=_fields(late))  # noqa: G004 - a fixed set
    counter = meter.create_counter(METRIC, "Evidence that no running refund accepts, by reason")
    counter.add(1, {"reason": late.reason.value})


def _fields(late: LateEvidence) -> dict[str, object]:
    evidence, outcome = late.evidence, late.outcome
    return {
        "workflow_id": late.workflow_id,
        "refund_request_id": evidence.refund_request_id,
        "source": evidence.source.value,
        "kind": evidence.kind.value,
        "code": evidence.code,
        "evidence_message": evidence.message,
        "amount": None if evidence.amount is None else str(evidence.amount),
        "refund_id": evidence.refund_id,
        "digest": late.digest,
        "outcome_state": None if outcome is None else outcome.state.value,
        "outcome_code": None if outcome is None else outcome.result_code,
    }
