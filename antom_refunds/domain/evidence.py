"""What we learn about a refund, and from whom: the only thing that moves its state."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder


class Source(StrEnum):
    """Who says it."""

    ANSWER = "answer"  # Antom's answer to a refund call, or the lack of one
    INQUIRY = "inquiry"  # Antom's answer to inquiryRefund
    NOTICE = "notice"  # a verified notification
    CLOCK = "clock"  # time passed
    OPERATOR = "operator"  # a person, with a name and a reason


class Word(StrEnum):
    """What it says."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"  # the id is dead at Antom, and an inquiry confirmed it
    PROCESSING = "processing"
    DOUBT = "doubt"  # asked, but no usable answer: the money may have moved
    FAILED_UNCONFIRMED = "failed_unconfirmed"  # refused with F; an inquiry made after it decides
    ID_CONFLICT = "id_conflict"  # Antom has this id with other fields
    BLOCKED = "blocked"  # refused at the gate: nothing was executed
    CLOSING = "closing"  # ORDER_IS_CLOSED, not yet confirmed
    SUSPECT = "suspect"  # disagrees with itself or with the order
    ABSENT = "absent"  # the inquiry knows no such refund
    SILENT = "silent"  # the inquiry itself failed: no news
    UNSENT = "unsent"  # no connection ever opened: nothing was sent
    OVERDUE = "overdue"
    CALL_OFF = "call_off"
    CHECK = "check"


FINAL_WORDS: Final = frozenset({Word.SUCCEEDED, Word.FAILED, Word.CLOSED})

# Words of a call of ours that told nothing of the refund.
UNUSABLE: Final = frozenset({Word.DOUBT, Word.BLOCKED, Word.SILENT, Word.UNSENT})


class Evidence(BaseModel):
    """One thing learnt. `code` is Antom's result code in capitals, or ours in small letters.

    The ids and the amount are what the evidence itself names, None where it names none; they are
    held against the order before anything is believed. `advice` is for people; `needs_human`
    says that this evidence, if it decides, wants a person to look. `claimed_code` is a code that a
    response claims without proof. `is_repeated` marks a call that was unusable so often in a row
    that a person must know (Streak).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    word: Word
    code: str
    message: str = ""
    advice: str = ""
    needs_human: bool = False
    refund_request_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    amount: Money | None = None
    refund_time: datetime | None = None
    claimed_code: str = ""
    is_repeated: bool = False

    @property
    def is_final(self) -> bool:
        return self.word in FINAL_WORDS

    def differences(self, order: RefundOrder) -> tuple[str, ...]:
        """The fields that name another refund than the order, or that a final word left out."""
        return tuple(
            name
            for name in ("refund_request_id", "payment_id", "amount")
            if (said := getattr(self, name)) != getattr(order, name)
            and (said is not None or name in self._owed)
        )

    @property
    def _owed(self) -> frozenset[str]:
        """What Antom promises to echo with this word (docs/antom.md#refund, #inquiryrefund)."""
        if self.word is Word.SUCCEEDED and self.source is Source.ANSWER:
            return frozenset({"refund_request_id", "payment_id", "amount"})
        if self.source not in {Source.INQUIRY, Source.NOTICE}:
            return frozenset()
        if self.word is Word.SUCCEEDED:
            return frozenset({"refund_request_id", "amount"})
        # What failed moved nothing: its amount decides nothing.
        return frozenset({"refund_request_id"} if self.word is Word.FAILED else ())

    @property
    def is_usable(self) -> bool:
        """Whether Antom answered a call of ours in a way that tells something of the refund."""
        is_reply = self.source in {Source.ANSWER, Source.INQUIRY}
        return is_reply and self.word not in UNUSABLE


def weigh(order: RefundOrder, evidence: Evidence) -> Evidence:
    """The evidence as far as it may be believed: SUSPECT where it is about something else."""
    differing = evidence.differences(order)
    if not differing:
        return evidence
    said = f"{evidence.source} says {evidence.word}"
    message = f"{said}, but {', '.join(differing)} differ from the order or are missing"
    return evidence.model_copy(update={"word": Word.SUSPECT, "message": message})
