"""The one place for evidence that no running refund can take: it came after the end.

Nothing here may import the webhook or Antom's wire: activities hand over late evidence too.
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
    """Why no running refund takes this evidence."""

    CONTRADICTS_OUTCOME = "contradicts_outcome"  # the refund ended otherwise
    WORKFLOW_STOPPED = "workflow_stopped"  # terminated, canceled, failed or timed out: no outcome
    UNKNOWN_REFUND = "unknown_refund"  # Temporal knows no such refund, or no longer


_LEVELS: Final = {
    LateReason.CONTRADICTS_OUTCOME: logging.ERROR,
    LateReason.WORKFLOW_STOPPED: logging.ERROR,
    LateReason.UNKNOWN_REFUND: logging.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvidence:
    """Evidence after the end, with the outcome it meets (None if there is none).

    `digest` is the SHA-256, in hexadecimal, of the bytes from which the evidence was read: equal
    digests are one piece of evidence, however often it arrives.
    """

    workflow_id: str
    outcome: RefundOutcome | None
    evidence: Evidence
    digest: str
    reason: LateReason


async def record_late_evidence(late: LateEvidence, meter: MetricMeter) -> None:
    """Records late evidence, once per call: a log line for operators, and a count by `reason`.

    Whoever acknowledges the evidence to Antom does so only after this has returned.
    """
    log.log(_LEVELS[late.reason], f"late_evidence.{late.reason}", extra=_fields(late))  # noqa: G004 - a fixed set
    counter = meter.create_counter(METRIC, "Evidence that arrived after the end, by reason")
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
