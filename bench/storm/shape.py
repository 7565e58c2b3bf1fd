"""How large a storm is: the numbers that a schedule is drawn for."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """One size of storm; all times are real seconds after its beginning.

    Refunds are asked for until `asking`. Processes are struck until `striking`: a call that was
    lost with its worker is given up by the engine 30 s later, so a storm may last that much
    longer. A paused worker stands still for `pause`. `gap` is the least and the most time
    between two blows. Refunds that have not ended `draining` after the asking count as lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    asking: Seconds
    striking: Seconds
    pause: Seconds
    gap: tuple[Seconds, Seconds]
    draining: Seconds
    per_second: Annotated[float, Field(gt=0)] = 6
    payments: Annotated[int, Field(gt=0)] = 40
    workers: Annotated[int, Field(gt=0)] = 3
    callers: Annotated[int, Field(gt=1)] = 3

    @property
    def refunds(self) -> int:
        return int(self.asking * self.per_second)


# A minute has no room for a pause beyond the 30 s that the engine grants a call, so the short
# storm pauses beyond the 10 s of a workflow task only; the others pause beyond both.
SHORT: Final = Shape(
    name="short", asking=12, striking=7, pause=11, gap=(0.5, 0.8), draining=110, per_second=5
)
USUAL: Final = Shape(
    name="usual", asking=110, striking=95, pause=36, gap=(2, 6), draining=240, per_second=5
)
LONG: Final = Shape(
    name="long", asking=1700, striking=1690, pause=36, gap=(3, 12), draining=240, payments=400
)
SHAPES: Final = {shape.name: shape for shape in (SHORT, USUAL, LONG)}
