"""How large a storm is: the numbers that a schedule is drawn for."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0)]


class StormModel(BaseModel):
    """Base of everything in a plan: immutable, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StormSize(StormModel):
    """One size of storm; all times are real seconds after its start.

    Process faults start within `fault_seconds`, so that calls lost with their worker, which
    Temporal gives up after 30 s, can end. `fault_gap` is the minimum and maximum between two of
    them. Refunds that are not final `drain_seconds` after the last request count as lost.
    """

    name: str
    request_seconds: Seconds
    fault_seconds: Seconds
    pause_seconds: Seconds
    fault_gap: tuple[Seconds, Seconds]
    drain_seconds: Seconds
    per_second: Annotated[float, Field(gt=0)] = 6
    payments: Annotated[int, Field(gt=0)] = 40
    workers: Annotated[int, Field(gt=0)] = 3
    callers: Annotated[int, Field(gt=1)] = 3

    @property
    def refunds(self) -> int:
        return int(self.request_seconds * self.per_second)


# A minute leaves no time for a pause longer than the 30 s timeout of a call, so the short storm
# only pauses longer than the 10 s of a workflow task; the others exceed both.
SHORT: Final = StormSize(
    name="short", request_seconds=12, fault_seconds=7, pause_seconds=11, fault_gap=(0.5, 0.8),
    drain_seconds=110, per_second=5,
)  # fmt: skip
USUAL: Final = StormSize(
    name="usual", request_seconds=110, fault_seconds=95, pause_seconds=36, fault_gap=(2, 6),
    drain_seconds=240, per_second=5,
)  # fmt: skip
LONG: Final = StormSize(
    name="long", request_seconds=1700, fault_seconds=1690, pause_seconds=36, fault_gap=(3, 12),
    drain_seconds=240, payments=400,
)  # fmt: skip
SIZES: Final = {size.name: size for size in (SHORT, USUAL, LONG)}
