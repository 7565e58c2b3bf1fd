"""What was found about latency: milliseconds from a word's sending to its workflow's end."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from bench.measurement import Findings
from bench.spread import Rounds, Spread

GOAL: Final = 1.3


class Side(StrEnum):
    """Whose latency."""

    REFUND = "refund"  # told by a signed notification, through the webhook
    DIRECT = "direct"  # a refund too, told the same without a webhook
    BARE = "bare"


class Leg(StrEnum):
    """A stretch of the way; the first three follow each other, and their sum is the whole."""

    STORED = "stored"  # until Temporal has the signal
    TAKEN = "taken"  # until the worker begins with it
    ENDED = "ended"  # until the workflow has ended
    ANSWERED = "answered"  # until the sender knows that Temporal has it


class Passage(BaseModel):
    """One word's way, by the clock of the machine that everything runs on."""

    model_config = ConfigDict(frozen=True)

    sent: datetime
    answered: datetime
    stored: datetime
    taken: datetime
    ended: datetime


class Series(BaseModel):
    """One side's round at one rate: milliseconds, in the order of sending."""

    model_config = ConfigDict(frozen=True)

    stored: tuple[float, ...]
    taken: tuple[float, ...]
    ended: tuple[float, ...]
    answered: tuple[float, ...]

    @classmethod
    def of(cls, passages: list[Passage]) -> Self:
        return cls(
            stored=tuple(_ms(way.sent, way.stored) for way in passages),
            taken=tuple(_ms(way.stored, way.taken) for way in passages),
            ended=tuple(_ms(way.taken, way.ended) for way in passages),
            answered=tuple(_ms(way.sent, way.answered) for way in passages),
        )

    def leg(self, leg: Leg) -> Spread:
        numbers: tuple[float, ...] = getattr(self, leg.value)
        return Spread.of(numbers)

    @property
    def whole(self) -> Spread:
        """From the sending to the end."""
        return Spread.of(map(sum, zip(self.stored, self.taken, self.ended, strict=True)))


def _ms(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds() * 1000, 2)


class Round(BaseModel):
    """One round at one rate: all sides, one right after the other."""

    model_config = ConfigDict(frozen=True)

    per_second: int
    refund: Series
    direct: Series
    bare: Series

    def side(self, side: Side) -> Series:
        series: Series = getattr(self, side.value)
        return series

    def ratio(self, side: Side) -> float:
        """How many times longer than the bare workflow this side takes, at the median."""
        return self.side(side).whole.p50 / self.bare.whole.p50


class LatencyFindings(Findings):
    """Every round, in the order of measuring."""

    rounds: tuple[Round, ...]

    @property
    def rates(self) -> list[int]:
        return sorted({each.per_second for each in self.rounds})

    def at(self, per_second: int) -> list[Round]:
        return [each for each in self.rounds if each.per_second == per_second]

    def ratio(self, per_second: int, side: Side = Side.REFUND) -> Rounds:
        """Over the rounds at this rate; each compares what was measured side by side."""
        return Rounds.of(each.ratio(side) for each in self.at(per_second))

    def is_reached(self, per_second: int) -> bool:
        """Whether the middle round keeps to the goal."""
        return self.ratio(per_second).median <= GOAL
