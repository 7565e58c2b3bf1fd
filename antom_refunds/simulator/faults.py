"""Faults: what can go wrong at Antom, and in which operation."""

from datetime import timedelta
from enum import StrEnum
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
