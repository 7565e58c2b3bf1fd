"""Texts for operators in the Temporal UI, in Markdown where the UI renders it."""

from datetime import datetime
from typing import Final, assert_never

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState, Step
from workflows.markdown import escape, table

_STATE_TEXT: Final = {
    RefundState.REQUESTED: "the refund call is being sent",
    RefundState.BLOCKED: "refused at Antom's gate; nothing was executed",
    RefundState.IN_DOUBT: "no usable or confirmed response yet; the money may have moved",
    RefundState.PROCESSING: "Antom accepted the refund; the result is pending",
    RefundState.SUCCEEDED: "Antom completed the refund",
    RefundState.FAILED: "the refund failed; a new attempt needs a new id",
    RefundState.CLOSED: "the refund is closed; a new attempt needs a new id",
}
_STEP_TEXT: Final = {
    Step.SEND: "the refund call, with the same id and the same bytes each time",
    Step.POLL: "a notification, or the next inquiry",
    Step.INQUIRE: "the response to an inquiry",
}
_ALLOWED_ACTIONS: Final = {
    RefundState.REQUESTED: "`call_off`, as long as nothing was sent",
    RefundState.BLOCKED: (
        "fix the cause, and the refund continues; `call_off`; `resolve` with proof"
    ),
    RefundState.IN_DOUBT: "`check_now`; `resolve` with proof from Antom",
    RefundState.PROCESSING: "`check_now`; `resolve` with proof from Antom",
}


def summary(step: Step, refund: Refund) -> str:
    """The label of an activity in the UI's timeline; the UI adds the number of attempts."""
    match step:
        case Step.SEND:
            again = "" if refund.state is RefundState.REQUESTED else " again, same id"
            return f"request a refund of {refund.order.amount}{again}"
        case Step.POLL:
            poll = "inquire until the result is final"
            return f"overdue: {poll}" if refund.is_overdue else poll
        case Step.INQUIRE:
            is_confirming = refund.awaits_confirmation
            return "confirm the result by an inquiry" if is_confirming else "inquire now"
        case _:
            assert_never(step)


def details(refund: Refund, *, overdue_at: datetime | None) -> str:
    """The refund's state, for the UI's current details."""
    reason = refund.attention_reason
    lines = [
        f"### {refund.state}: {_STATE_TEXT[refund.state]}",
        *([f"> **An operator must look.** {escape(reason)}", ""] if reason else []),
        *table(_facts(refund, overdue_at)),
    ]
    return "\n".join(lines)


def _facts(refund: Refund, overdue_at: datetime | None) -> list[tuple[str, str]]:
    order: RefundOrder = refund.order
    deciding = refund.deciding_evidence
    step = refund.next_step
    return [
        ("amount", str(order.amount)),
        ("payment", order.payment_id),
        ("merchant", order.merchant),
        (
            "latest evidence",
            f"{deciding.source} `{deciding.code}`: {deciding.message}" if deciding else "",
        ),
        ("advice", deciding.advice if deciding else ""),
        ("unconfirmed", "; ".join(each.message for each in _unconfirmed(refund))),
        ("Antom's refund id", (deciding.refund_id or "") if deciding else ""),
        ("waits for", _STEP_TEXT[step] if step else ""),
        ("overdue from", f"{overdue_at:%Y-%m-%d %H:%M} UTC" if step and overdue_at else ""),
        ("you may", "" if refund.call_off else _ALLOWED_ACTIONS.get(refund.state, "")),
        ("contradicted by", "; ".join(each.message for each in refund.contradictions)),
    ]


def _unconfirmed(refund: Refund) -> list[Evidence]:
    """Announced results that are final once they are confirmed."""
    announced = (refund.call_off, refund.failure, refund.closure, refund.unbound_success)
    return [] if refund.is_terminal else [each for each in announced if each is not None]
