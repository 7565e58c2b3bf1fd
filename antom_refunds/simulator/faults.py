"""Faults: what can go wrong at Antom, in which operation, and when: scripted or at random."""

from collections import deque
from datetime import timedelta
from enum import StrEnum
from math import fsum
from random import Random
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.simulator.accounts import Wait
from antom_refunds.simulator.result_codes import Status


class Operation(StrEnum):
    """The operation that a fault applies to."""

    REFUND = "refund"
    INQUIRY = "inquiry"  # inquiryRefund
    PAYMENT = "payment"  # inquiryPayment
    NOTIFY = "notify"  # one attempt of notifyRefund


class FaultKind(StrEnum):
    """What goes wrong. The first group applies to every call, the others to one operation."""

    NONE = "none"  # no fault, perhaps a delay
    CUT_BEFORE = "cut_before"  # the connection is cut, and the call was not executed
    CUT_AFTER = "cut_after"  # the connection is cut, and the call was executed
    TRUNCATED = "truncated"  # the connection is cut in the middle of the response
    HTTP_500 = "http_500"
    UNSIGNED = "unsigned"  # the true response, or a false one with `code`
    WRONG_KEY = "wrong_key"  # the same, signed with a key that is not Antom's
    GARBLED = "garbled"  # signed by Antom, but not JSON
    RESULT_CODE = "result_code"  # the response has `code` as its result
    STALE_RESPONSE = "stale_response"  # genuine, but to another call `age` ago
    MIXED_UP_RESPONSE = "mixed_up_response"  # genuine and current, but to another call
    ODD_FIELDS = "odd_fields"  # true, but with null, empty or truncated fields; notify too

    ID_FORGOTTEN = "id_forgotten"  # refund: Antom forgot the id and executes the refund again
    NOTIFY_BEFORE_RESPONSE = "notify_before_response"  # refund: settled and notified first

    STALE = "stale"  # inquiry: PROCESSING, although the refund has ended
    NOT_FOUND = "not_found"  # inquiry: REFUND_NOT_EXIST
    NOT_FOUND_NULL = "not_found_null"  # inquiry: S with null fields

    NOT_SENT = "not_sent"  # notify: this attempt is skipped
    REPEATED = "repeated"  # notify: the same message `times` times
    FORGED = "forged"  # notify: the opposite result, signed with a key that is not Antom's
    INCONSISTENT = "inconsistent"  # notify: result and refundStatus contradict each other
    WRONG_AMOUNT = "wrong_amount"  # notify: one minor unit more
    CONTRADICTING = "contradicting"  # notify: the truth, then the opposite, both signed by Antom
    WITHOUT_AMOUNT = "without_amount"  # notify: the truth, but no refundAmount


_ONLY_FOR: Final = {
    Operation.REFUND: {FaultKind.ID_FORGOTTEN, FaultKind.NOTIFY_BEFORE_RESPONSE},
    Operation.INQUIRY: {FaultKind.STALE, FaultKind.NOT_FOUND, FaultKind.NOT_FOUND_NULL},
    Operation.PAYMENT: set[FaultKind](),
    Operation.NOTIFY: {
        FaultKind.NONE,
        FaultKind.NOT_SENT,
        FaultKind.REPEATED,
        FaultKind.FORGED,
        FaultKind.INCONSISTENT,
        FaultKind.WRONG_AMOUNT,
        FaultKind.CONTRADICTING,
        FaultKind.WITHOUT_AMOUNT,
        FaultKind.ODD_FIELDS,
    },
}
_OF_ONE_OPERATION: Final = set[FaultKind]().union(*_ONLY_FOR.values()) - {
    FaultKind.NONE,
    FaultKind.ODD_FIELDS,
}
_EXECUTED_IF_SAID: Final = {FaultKind.HTTP_500, FaultKind.RESULT_CODE, FaultKind.STALE_RESPONSE}


def applies_to(kind: FaultKind, operation: Operation) -> bool:
    """Whether this fault is defined for this operation."""
    is_common = kind not in _OF_ONE_OPERATION and operation is not Operation.NOTIFY
    return is_common or kind in _ONLY_FOR[operation]


class Fault(BaseModel):
    """One fault.

    `delay` is real time before the response or the notification is sent; the time scale does not
    apply to it. `executed` says whether the call is executed despite HTTP_500, RESULT_CODE or
    STALE_RESPONSE. `code` and `status` are the result of RESULT_CODE, replace the true one of
    UNSIGNED and WRONG_KEY, and choose the response of STALE_RESPONSE and MIXED_UP_RESPONSE.
    `is_signed` is for RESULT_CODE, `age` for STALE_RESPONSE, `times` for REPEATED, and
    `concurrent` (both messages at the same time) for CONTRADICTING.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind = FaultKind.NONE
    delay: Wait = timedelta()
    executed: bool = False
    code: Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$")] | None = None
    status: Status | None = None
    is_signed: bool = True
    age: Wait = timedelta(days=75)
    times: Annotated[int, Field(ge=1, le=100)] = 2
    concurrent: bool = False

    @model_validator(mode="after")
    def _has_a_code(self) -> Self:
        if self.kind is FaultKind.RESULT_CODE and self.code is None:
            raise ValueError("result_code needs a code")
        return self

    @property
    def takes_effect(self) -> bool:
        """Whether the call is executed."""
        if self.kind in _EXECUTED_IF_SAID:
            return self.executed
        return self.kind is not FaultKind.CUT_BEFORE


NO_FAULT: Final = Fault()


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
