"""The texts operators read in the Temporal UI. Markdown where the UI renders it."""

from datetime import datetime
from typing import Final, assert_never

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState, Step

_STATE_TEXT: Final = {
    RefundState.REQUESTED: "Antom is being asked",
    RefundState.BLOCKED: "Antom refuses at its gate; nothing was executed",
    RefundState.IN_DOUBT: "no usable or confirmed answer yet; the money may have moved",
    RefundState.PROCESSING: "Antom accepted; its result is pending",
    RefundState.SUCCEEDED: "Antom says the refund is done",
    RefundState.FAILED: "this id failed; a new attempt needs a new id",
    RefundState.CLOSED: "this id is dead; a new attempt needs a new id",
}
_STEP_TEXT: Final = {
    Step.SEND: "the refund call, with the same id and the same bytes each time",
    Step.POLL: "a notification, or the next inquiry",
    Step.INQUIRE: "the answer to an inquiry",
}
_ALLOWED_ACTIONS: Final = {
    RefundState.REQUESTED: "`call_off`, as long as nothing was sent",
    RefundState.BLOCKED: (
        "fix the configuration, and it continues; `call_off`; `resolve` with proof"
    ),
    RefundState.IN_DOUBT: "`check_now`; `resolve` with proof from Antom",
    RefundState.PROCESSING: "`check_now`; `resolve` with proof from Antom",
}


def summary(step: Step, refund: Refund) -> str:
    """The timeline's label for a call; the UI shows attempts beside it."""
    match step:
        case Step.SEND:
            again = "" if refund.state is RefundState.REQUESTED else " again, same id"
            return f"ask Antom to refund {refund.order.amount}{again}"
        case Step.POLL:
            return (
                "overdue: inquire until it ends" if refund.is_overdue else "inquire until it ends"
            )
        case Step.INQUIRE:
            return "confirm the end by an inquiry" if refund.awaits_confirmation else "inquire now"
        case _:
            assert_never(step)


def details(refund: Refund, *, overdue_at: datetime | None) -> str:
    """Where the refund stands, as the UI's current details."""
    reason = refund.attention_reason
    lines = [
        f"### {refund.state}: {_STATE_TEXT[refund.state]}",
        *([f"> **A person must look.** {_escape(reason)}", ""] if reason else []),
        "| | |",
        "|---|---|",
        *(f"| {name} | {_escape(value)} |" for name, value in _facts(refund, overdue_at) if value),
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
            "last word",
            f"{deciding.source} `{deciding.code}`: {deciding.message}" if deciding else "",
        ),
        ("advice", deciding.advice if deciding else ""),
        ("announced end", "; ".join(each.message for each in _announced(refund))),
        ("Antom's refund id", (deciding.refund_id or "") if deciding else ""),
        ("waits for", _STEP_TEXT[step] if step else ""),
        ("overdue from", f"{overdue_at:%Y-%m-%d %H:%M} UTC" if step and overdue_at else ""),
        ("you may", "" if refund.call_off else _ALLOWED_ACTIONS.get(refund.state, "")),
        ("contradicted by", "; ".join(each.message for each in refund.contradictions)),
    ]


def _announced(refund: Refund) -> list[Evidence]:
    """What would end the refund once an inquiry confirms it."""
    each = (refund.call_off, refund.failure, refund.closure, refund.unbound_success)
    return [] if refund.is_terminal else [evidence for evidence in each if evidence is not None]


def _escape(text: str) -> str:
    """Text from outside must not break the table or smuggle markup in."""
    escaped = text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
    return " ".join(escaped.split())
