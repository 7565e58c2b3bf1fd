"""Records evidence that arrived too late for a running workflow.

This module must not import the webhook or Antom's wire models, so that activities can use it too.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from temporalio.common import MetricMeter

from antom_refunds.contract import RefundOutcome
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


async def record_late_evidence(late: LateEvidence, meter: MetricMeter) -> None:
    """Record late evidence: one log line for operators, and a metric by `reason`.

    Acknowledge the evidence to Antom only after this has returned.
    """
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
