"""Whether an inquiry confirms a result that Antom or an operator announced earlier."""

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
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


def is_outdated(sent_with: Refund, refund: Refund) -> bool:
    """Whether an inquiry that was started with `sent_with` could mislead about `refund` as it is.

    It could confirm a result that was refuted meanwhile, miss one that was announced, or withhold
    evidence as nothing new although it would change the refund now.
    """
    return _interpreting(sent_with) != _interpreting(refund)


def confirms_outdated_result(evidence: Evidence, sent_with: Refund, refund: Refund) -> bool:
    """Whether the evidence may confirm what the refund no longer awaits; another inquiry decides.

    SUCCESS and PROCESSING confirm nothing: they count whenever the inquiry was started.
    """
    is_end = evidence.kind in {EvidenceKind.FAILED, EvidenceKind.CLOSED}
    is_confirmation = is_end and evidence.source is Source.INQUIRY and sent_with.awaits_confirmation
    return is_confirmation and _awaited(sent_with) != _awaited(refund)


def _awaited(refund: Refund) -> tuple[Evidence | None, ...]:
    return refund.failure, refund.closure, refund.call_off


def _interpreting(refund: Refund) -> tuple[object, ...]:
    """What decides how an inquiry's response is interpreted."""
    is_open = (refund.is_bound, refund.is_undecided)
    return (*_awaited(refund), refund.alarm, refund.unbound_success, *is_open)


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
