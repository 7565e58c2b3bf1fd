"""Evidence: one statement about a refund and its source. Only evidence changes a refund's state."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder


class Source(StrEnum):
    """Where evidence comes from."""

    RESPONSE = "response"  # Antom's response to a refund call, or the lack of one
    INQUIRY = "inquiry"  # Antom's response to inquiryRefund
    NOTIFICATION = "notification"  # a verified notification
    CLOCK = "clock"  # a deadline passed
    OPERATOR = "operator"  # an operator, with a name and a reason


class EvidenceKind(StrEnum):
    """What evidence states about the refund."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"  # Antom closed the id for good, and an inquiry confirmed it
    PROCESSING = "processing"
    DOUBT = "doubt"  # sent, but no usable response: the money may have moved
    FAILED_UNCONFIRMED = "failed_unconfirmed"  # refused with F; a later inquiry decides
    ID_CONFLICT = "id_conflict"  # Antom has this id with other fields
    BLOCKED = "blocked"  # refused at the gate: nothing was executed
    CLOSED_UNCONFIRMED = "closed_unconfirmed"  # ORDER_IS_CLOSED, not yet confirmed
    MISMATCH = "mismatch"  # inconsistent with itself or with the order
    NOT_FOUND = "not_found"  # an inquiry found no such refund
    NO_INFORMATION = "no_information"  # the inquiry itself failed
    UNSENT = "unsent"  # no connection was opened: nothing was sent
    OVERDUE = "overdue"
    CALL_OFF = "call_off"
    CHECK = "check"


TERMINAL_KINDS: Final = frozenset(
    {EvidenceKind.SUCCEEDED, EvidenceKind.FAILED, EvidenceKind.CLOSED}
)

# Results of our own calls that contain no information about the refund.
UNUSABLE: Final = frozenset(
    {EvidenceKind.DOUBT, EvidenceKind.BLOCKED, EvidenceKind.NO_INFORMATION, EvidenceKind.UNSENT}
)


class Evidence(BaseModel):
    """One statement about a refund.

    `code` is Antom's result code in upper case, or one of our own in lower case. The ids and the
    amount are those in the evidence itself, None where it has none; they are compared with the
    order before the evidence is used. `advice` is for operators; `needs_attention` means that an
    operator must look if this evidence decides the state. `claimed_code` is a result code from a
    response whose signature could not be verified. `is_repeated` is True if an operator must be
    alerted because too many calls in a row were unusable (FailureStreak).
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
        """Names of the fields that differ from the order, or that are required and missing."""
        return tuple(
            name
            for name in ("refund_request_id", "payment_id", "amount")
            if (value := getattr(self, name)) != getattr(order, name)
            and (value is not None or name in self._required_echo)
        )

    @property
    def _required_echo(self) -> frozenset[str]:
        """The fields Antom echoes with this kind (docs/antom.md#refund, #inquiryrefund)."""
        if self.kind is EvidenceKind.SUCCEEDED and self.source is Source.RESPONSE:
            return frozenset({"refund_request_id", "payment_id", "amount"})
        if self.source not in {Source.INQUIRY, Source.NOTIFICATION}:
            return frozenset()
        if self.kind is EvidenceKind.SUCCEEDED:
            return frozenset({"refund_request_id", "amount"})
        # A failed refund moved no money, so its amount is irrelevant.
        return frozenset({"refund_request_id"} if self.kind is EvidenceKind.FAILED else ())

    @property
    def is_usable(self) -> bool:
        """Whether this is a response to one of our calls with information about the refund."""
        is_reply = self.source in {Source.RESPONSE, Source.INQUIRY}
        return is_reply and self.kind not in UNUSABLE


def check_against_order(order: RefundOrder, evidence: Evidence) -> Evidence:
    """Return the evidence unchanged, or as MISMATCH if it does not match the order."""
    mismatches = evidence.mismatches(order)
    if not mismatches:
        return evidence
    message = (
        f"{evidence.source} says {evidence.kind}, but {', '.join(mismatches)} "
        "differ from the order or are missing"
    )
    return evidence.model_copy(update={"kind": EvidenceKind.MISMATCH, "message": message})
