"""What we learn about a refund, and from whom: the only thing that moves its state."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder


class Source(StrEnum):
    """Who says it."""

    RESPONSE = "response"  # Antom's answer to a refund call, or the lack of one
    INQUIRY = "inquiry"  # Antom's answer to inquiryRefund
    NOTIFICATION = "notification"  # a verified notification
    CLOCK = "clock"  # time passed
    OPERATOR = "operator"  # a person, with a name and a reason


class EvidenceKind(StrEnum):
    """What it says."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"  # the id is dead at Antom, and an inquiry confirmed it
    PROCESSING = "processing"
    DOUBT = "doubt"  # asked, but no usable answer: the money may have moved
    FAILED_UNCONFIRMED = "failed_unconfirmed"  # refused with F; an inquiry made after it decides
    ID_CONFLICT = "id_conflict"  # Antom has this id with other fields
    BLOCKED = "blocked"  # refused at the gate: nothing was executed
    CLOSED_UNCONFIRMED = "closed_unconfirmed"  # ORDER_IS_CLOSED, not yet confirmed
    MISMATCH = "mismatch"  # disagrees with itself or with the order
    NOT_FOUND = "not_found"  # the inquiry knows no such refund
    NO_INFORMATION = "no_information"  # the inquiry itself failed: no news
    UNSENT = "unsent"  # no connection ever opened: nothing was sent
    OVERDUE = "overdue"
    CALL_OFF = "call_off"
    CHECK = "check"


TERMINAL_KINDS: Final = frozenset(
    {EvidenceKind.SUCCEEDED, EvidenceKind.FAILED, EvidenceKind.CLOSED}
)

# Kinds of a call of ours that told nothing of the refund.
UNUSABLE: Final = frozenset(
    {EvidenceKind.DOUBT, EvidenceKind.BLOCKED, EvidenceKind.NO_INFORMATION, EvidenceKind.UNSENT}
)


class Evidence(BaseModel):
    """One thing learnt. `code` is Antom's result code in capitals, or ours in small letters.

    The ids and the amount are what the evidence itself names, None where it names none; they are
    held against the order before anything is believed. `advice` is for people; `needs_attention`
    says that this evidence, if it decides, wants a person to look. `claimed_code` is a code that a
    response claims without proof. `is_repeated` marks a call that was unusable so often in a row
    that a person must know (FailureStreak).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    kind: EvidenceKind
    code: str
    message: str = ""
    advice: str = ""
    needs_attention: bool = False
    refund_request_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    amount: Money | None = None
    refund_time: datetime | None = None
    claimed_code: str = ""
    is_repeated: bool = False

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL_KINDS

    def mismatches(self, order: RefundOrder) -> tuple[str, ...]:
        """The fields that name another refund than the order, or that a terminal kind left out."""
        return tuple(
            name
            for name in ("refund_request_id", "payment_id", "amount")
            if (said := getattr(self, name)) != getattr(order, name)
            and (said is not None or name in self._required_echo)
        )

    @property
    def _required_echo(self) -> frozenset[str]:
        """What Antom promises to echo with this kind (docs/antom.md#refund, #inquiryrefund)."""
        if self.kind is EvidenceKind.SUCCEEDED and self.source is Source.RESPONSE:
            return frozenset({"refund_request_id", "payment_id", "amount"})
        if self.source not in {Source.INQUIRY, Source.NOTIFICATION}:
            return frozenset()
        if self.kind is EvidenceKind.SUCCEEDED:
            return frozenset({"refund_request_id", "amount"})
        # What failed moved nothing: its amount decides nothing.
        return frozenset({"refund_request_id"} if self.kind is EvidenceKind.FAILED else ())

    @property
    def is_usable(self) -> bool:
        """Whether Antom answered a call of ours in a way that tells something of the refund."""
        is_reply = self.source in {Source.RESPONSE, Source.INQUIRY}
        return is_reply and self.kind not in UNUSABLE


def check_against_order(order: RefundOrder, evidence: Evidence) -> Evidence:
    """The evidence as far as it may be believed: MISMATCH where it is about something else."""
    mismatches = evidence.mismatches(order)
    if not mismatches:
        return evidence
    said = f"{evidence.source} says {evidence.kind}"
    message = f"{said}, but {', '.join(mismatches)} differ from the order or are missing"
    return evidence.model_copy(update={"kind": EvidenceKind.MISMATCH, "message": message})
