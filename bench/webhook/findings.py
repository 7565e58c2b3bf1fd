"""What was found about the webhook: bursts of notifications, and what each of them cost."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from bench.measurement import Findings

PARTS: Final = ("webhook", "temporal", "worker", "sender")


class Kind(StrEnum):
    """What a burst consists of."""

    FRESH = "fresh"  # each the first word to a refund in processing, which it ends
    REPEATED = "repeated"  # the refund has it already, and is still open
    ENDED = "ended"  # the refund has ended
    FORGED = "forged"  # signed by a stranger


class Burst(BaseModel):
    """Notifications sent as fast as they were answered.

    `lag` is how many seconds after the last answer the last refunds had ended, where they do.
    `cpu` is what each part spent on all of them, until everything had come to rest, and
    `checking` what their signature checks alone take: both in seconds of CPU time.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    sent: int
    accepted: int
    seconds: float
    lag: float = 0.0
    cpu: dict[str, float]
    checking: float

    @property
    def per_second(self) -> float:
        """Answered in a second, whatever the answer was."""
        return self.sent / self.seconds

    @property
    def share_of_checking(self) -> float:
        """What part of the webhook's CPU time is signature checking."""
        return self.checking / self.cpu["webhook"] if self.cpu["webhook"] else 0.0

    def cpu_per_thousand(self, part: str) -> float:
        """CPU seconds of this part for a thousand of them."""
        return self.cpu[part] / self.sent * 1000


class WebhookFindings(Findings):
    """Every burst of every round; `at_once` notifications were under way at the same time."""

    at_once: int
    bursts: tuple[Burst, ...]

    def of(self, kind: Kind) -> tuple[Burst, ...]:
        return tuple(burst for burst in self.bursts if burst.kind is kind)
