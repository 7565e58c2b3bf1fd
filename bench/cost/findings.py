"""What was counted: for each way, what a refund cost in our pattern and in the timer loop."""

from pydantic import BaseModel, ConfigDict

from bench.measurement import Findings


class Toll(BaseModel):
    """One refund on one way: of all runs of its workflow, and of every attempt of its calls.

    `stored` is the size of the whole history in bytes, as the server encodes it.
    """

    model_config = ConfigDict(frozen=True)

    events: int
    actions: int
    calls: int
    stored: int
    end: str


class Fare(BaseModel):
    """One way, driven by us and by the timer loop, which cannot go every way.

    `inquiries` is how many it takes to the end, where that is what the way is about.
    """

    model_config = ConfigDict(frozen=True)

    way: str
    ours: Toll
    loop: Toll | None
    events_max: int | None = None
    inquiries: int | None = None

    @property
    def is_within(self) -> bool:
        """Whether our history is no longer than it may be."""
        return self.events_max is None or self.ours.events <= self.events_max


class CostFindings(Findings):
    """Every way with what it cost."""

    fares: tuple[Fare, ...]

    def by_inquiries(self) -> tuple[Fare, Fare]:
        """The ways that differ in nothing but the number of inquiries: fewest first, most last."""
        polled = [fare for fare in self.fares if fare.inquiries is not None]
        ordered = sorted(polled, key=lambda fare: fare.inquiries or 0)
        return ordered[0], ordered[-1]
