"""When faults occur: scripted per id, or drawn at random from a seed."""

from collections import deque
from math import fsum
from random import Random
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.simulator.faults import NO_FAULT, Fault, Operation, applies_to


class FaultScript(BaseModel):
    """The faults of the next calls about one id, in order; NO_FAULT after the last.

    `subject` is a refundRequestId, or a paymentId for inquiryPayment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=64)]
    operation: Operation
    faults: Annotated[tuple[Fault, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _is_applicable(self) -> Self:
        for fault in self.faults:
            _check(fault, self.operation)
        return self


class FaultProbability(BaseModel):
    """The probability of one fault per call of this operation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: Operation
    fault: Fault
    probability: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _is_applicable(self) -> Self:
        _check(self.fault, self.operation)
        return self


def _check(fault: Fault, operation: Operation) -> None:
    if not applies_to(fault.kind, operation):
        raise ValueError(f"{fault.kind} does not apply to {operation}")


class RandomFaults(BaseModel):
    """Probabilities, and the seed from which faults are drawn.

    Faults are drawn for the first `faults_max` calls per id and operation only, so that every
    refund ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    probabilities: tuple[FaultProbability, ...] = ()
    faults_max: Annotated[int, Field(ge=0)] = 10

    @model_validator(mode="after")
    def _add_up_to_one_at_most(self) -> Self:
        for operation in Operation:
            ours = (each.probability for each in self.probabilities if each.operation is operation)
            if fsum(ours) > 1:
                raise ValueError(f"the probabilities of {operation} add up to more than 1")
        return self


def draw(random_faults: RandomFaults, subject: str, operation: Operation, number: int) -> Fault:
    """The fault of the call with this number, counted from 1; independent of all other calls."""
    if number > random_faults.faults_max:
        return NO_FAULT
    # Reproducible on purpose; no secret depends on it.
    seed = f"{random_faults.seed}/{operation}/{subject}/{number}"
    drawn = Random(seed).random()  # noqa: S311
    for each in random_faults.probabilities:
        if each.operation is operation:
            drawn -= each.probability
            if drawn < 0:
                return each.fault
    return NO_FAULT


class FaultPlan:
    """The fault of each call: from a script first, else from the random faults."""

    def __init__(self, random_faults: RandomFaults) -> None:
        self._random_faults = random_faults
        self._scripts: dict[tuple[str, Operation], deque[Fault]] = {}
        self._numbers: dict[tuple[str, Operation], int] = {}

    def add(self, script: FaultScript) -> None:
        """Schedule these faults after those already scheduled for the id and operation."""
        self._scripts.setdefault((script.subject, script.operation), deque()).extend(script.faults)

    def next(self, subject: str, operation: Operation) -> Fault:
        """The fault of the call that is being made now; counts the call."""
        key = subject, operation
        number = self._numbers[key] = self._numbers.get(key, 0) + 1
        scheduled = self._scripts.get(key)
        if scheduled:
            return scheduled.popleft()
        return draw(self._random_faults, subject, operation, number)
