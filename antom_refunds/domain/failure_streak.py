"""How often in a row calls at Antom were unusable: the measure of when an operator must know."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.policy import (
    UNSENT_IN_A_ROW,
    UNUSABLE_IDENTICAL,
    UNUSABLE_IN_A_ROW,
)


class FailureStreak(BaseModel):
    """Unusable responses in a row. `identical` counts the last ones that say the same."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cause: str = ""
    identical: int = 0
    total: int = 0
    is_unsent: bool = False

    @classmethod
    def starting_with(cls, evidence: Evidence | None) -> Self:
        """A streak of this one unusable response, or of none."""
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
        """Whether an operator must know of the cause."""
        if self.is_unsent:
            return self.total >= UNSENT_IN_A_ROW
        return self.identical >= UNUSABLE_IDENTICAL or self.total >= UNUSABLE_IN_A_ROW
