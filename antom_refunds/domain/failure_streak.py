"""Counts unusable calls to Antom in a row, to decide when to alert an operator."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.policy import (
    UNSENT_IN_A_ROW,
    UNUSABLE_IDENTICAL,
    UNUSABLE_IN_A_ROW,
)


class FailureStreak(BaseModel):
    """Unusable responses in a row; `identical` counts the latest ones with the same cause."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cause: str = ""
    identical: int = 0
    total: int = 0
    is_unsent: bool = False

    @classmethod
    def starting_with(cls, evidence: Evidence | None) -> Self:
        """A streak that contains only this unusable response; an empty one for None."""
        return cls() if evidence is None else cls().after(evidence)

    def after(self, evidence: Evidence) -> Self:
        """The streak with one more unusable response."""
        cause = f"{evidence.code} {evidence.claimed_code}"
        identical = self.identical + 1 if cause == self.cause else 1
        return self.model_copy(
            update={
                "cause": cause,
                "identical": identical,
                "total": self.total + 1,
                "is_unsent": evidence.kind is EvidenceKind.UNSENT,
            }
        )

    @property
    def is_alarming(self) -> bool:
        """Whether an operator must be alerted."""
        if self.is_unsent:
            return self.total >= UNSENT_IN_A_ROW
        return self.identical >= UNUSABLE_IDENTICAL or self.total >= UNUSABLE_IN_A_ROW
