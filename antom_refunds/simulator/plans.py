"""When things go wrong: by script, call after call, or by chance from a seed."""

from collections import deque
from math import fsum
from random import Random
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.simulator.faults import WELL, Fault, Operation, may_strike


class Script(BaseModel):
    """What goes wrong about one id, call after call; WELL again when it is played out.

    `subject` is a refundRequestId, or a paymentId for inquiryPayment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=64)]
    operation: Operation
    faults: Annotated[tuple[Fault, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        for fault in self.faults:
            _check(fault, self.operation)
        return self


class Chance(BaseModel):
    """A fault that strikes this operation with this probability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: Operation
    fault: Fault
    probability: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        _check(self.fault, self.operation)
        return self


def _check(fault: Fault, operation: Operation) -> None:
    if not may_strike(fault.kind, operation):
        raise ValueError(f"{fault.kind} cannot strike {operation}")


class Weather(BaseModel):
    """Chances and the seed they are drawn from.

    Only the first `struck_max` calls about one id and operation are in danger, so that every
    storm ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    chances: tuple[Chance, ...] = ()
    struck_max: Annotated[int, Field(ge=0)] = 10

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for operation in Operation:
            chances = (c.probability for c in self.chances if c.operation is operation)
            if fsum(chances) > 1:
                raise ValueError(f"the chances of {operation} add up to more than 1")
        return self


def drawn(weather: Weather, subject: str, operation: Operation, number: int) -> Fault:
    """The fault for the call with this number, from 1; the same whatever came in between."""
    if number > weather.struck_max:
        return WELL
    # Reproducible on purpose; nothing secret hangs on it.
    dice = Random(f"{weather.seed}/{operation}/{subject}/{number}").random()  # noqa: S311
    for chance in weather.chances:
        if chance.operation is operation:
            dice -= chance.probability
            if dice < 0:
                return chance.fault
    return WELL


class Faults:
    """Hands out the fault for each call: the script first, the weather where there is none."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._scripts: dict[tuple[str, Operation], deque[Fault]] = {}
        self._numbers: dict[tuple[str, Operation], int] = {}

    def follow(self, script: Script) -> None:
        """Play these faults after those already waiting for the id."""
        self._scripts.setdefault((script.subject, script.operation), deque()).extend(script.faults)

    def next(self, subject: str, operation: Operation) -> Fault:
        key = subject, operation
        number = self._numbers[key] = self._numbers.get(key, 0) + 1
        waiting = self._scripts.get(key)
        if waiting:
            return waiting.popleft()
        return drawn(self._weather, subject, operation, number)
