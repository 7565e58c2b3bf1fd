"""Whether an inquiry confirms a result that Antom or an operator announced earlier."""

from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.refund import Refund


def confirm_by_inquiry(refund: Refund, evidence: Evidence, *, is_quiet: bool) -> Evidence:
    """Return the inquiry's evidence, as a terminal kind if it confirms an announced result.

    `refund` is the refund as it was known when the inquiry was sent. "No such refund" confirms a
    result only if `is_quiet`: no earlier refund call can still be in flight. SUCCESS and PROCESSING
    are returned unchanged, because they override any announced result.
    """
    is_absent = evidence.kind is EvidenceKind.NOT_FOUND
    if evidence.kind not in {EvidenceKind.FAILED, EvidenceKind.CLOSED, EvidenceKind.NOT_FOUND} or (
        is_absent and not is_quiet
    ):
        return evidence
    if not is_absent and evidence.mismatches(refund.order):
        return evidence  # it names another refund, or none, so it confirms nothing
    # "No such refund" repeats no id; the inquiry's request named ours.
    own = refund.order.refund_request_id
    named = evidence.model_copy(update={"refund_request_id": own}) if is_absent else evidence
    if refund.closure is not None:
        return _confirmed_as(EvidenceKind.CLOSED, named, refund.closure)
    if refund.failure is not None and evidence.kind is not EvidenceKind.CLOSED:
        return _confirmed_as(EvidenceKind.FAILED, named, refund.failure)
    if refund.call_off is not None and is_absent:
        return _confirmed_as(EvidenceKind.CLOSED, named, refund.call_off)
    return evidence


def awaits_quiet(refund: Refund, evidence: Evidence) -> bool:
    """Whether the inquiry must be repeated later because a call may still be in flight."""
    return evidence.kind is EvidenceKind.NOT_FOUND and refund.awaits_confirmation


def _confirmed_as(kind: EvidenceKind, evidence: Evidence, announced: Evidence) -> Evidence:
    """The announced result with its code and advice, and the inquiry's ids."""
    return evidence.model_copy(
        update={
            "kind": kind,
            "code": announced.code,
            "message": f"{announced.message}; confirmed: {evidence.message}",
            "advice": announced.advice,
            "needs_attention": announced.needs_attention,
        }
    )
