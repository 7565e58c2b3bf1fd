"""What can go wrong at Antom, and to which of its operations."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.simulator.accounts import Wait
from antom_refunds.simulator.codes import Status


class Operation(StrEnum):
    """What a fault strikes."""

    REFUND = "refund"
    INQUIRY = "inquiry"  # inquiryRefund
    PAYMENT = "payment"  # inquiryPayment
    NOTIFY = "notify"  # one try of notifyRefund


class FaultKind(StrEnum):
    """What goes wrong. The first group may strike any call, the others one operation each."""

    NONE = "none"  # all goes well, perhaps late
    CUT_BEFORE = "cut_before"  # the connection dies, and the call was never executed
    CUT_AFTER = "cut_after"  # the connection dies, and the call was executed
    TRUNCATED = "truncated"  # the connection dies in the middle of the answer
    HTTP_500 = "http_500"
    UNSIGNED = "unsigned"  # the truth, or what `code` says: then a stranger's lie
    MISSIGNED = "missigned"  # signed with a key that is not Antom's
    GARBLED = "garbled"  # duly signed, but no JSON
    ANSWER_CODE = "answer_code"
    STALE_RESPONSE = "stale_response"  # genuine, but to another call `age` ago
    MIXED_UP_RESPONSE = "mixed_up_response"  # genuine and fresh, but to another call
    ODD_FIELDS = "odd_fields"  # the truth in fields as few expect them; notify too

    FORGOTTEN = "forgotten"  # refund: Antom lost its memory of the id, and starts anew
    OVERTAKEN = "overtaken"  # refund: it settles, and the notification comes before the answer

    STALE = "stale"  # inquiry: PROCESSING, although it has ended
    ABSENT = "absent"  # inquiry: REFUND_NOT_EXIST
    ABSENT_NULL = "absent_null"  # inquiry: S with null fields

    LOST = "lost"  # notify: this try never leaves
    REPEATED = "repeated"  # notify: the same thing `times` times
    FORGED = "forged"  # notify: the opposite, signed with a key that is not Antom's
    DISAGREEING = "disagreeing"  # notify: result and refundStatus say the opposite
    WRONG_AMOUNT = "wrong_amount"  # notify: one minor unit more
    REORDERED = "reordered"  # notify: the truth, then the opposite, both signed by Antom
    WITHOUT_AMOUNT = "without_amount"  # notify: the truth, but for no amount


_OWN: Final = {
    Operation.REFUND: {FaultKind.FORGOTTEN, FaultKind.OVERTAKEN},
    Operation.INQUIRY: {FaultKind.STALE, FaultKind.ABSENT, FaultKind.ABSENT_NULL},
    Operation.PAYMENT: set[FaultKind](),
    Operation.NOTIFY: {
        FaultKind.NONE,
        FaultKind.LOST,
        FaultKind.REPEATED,
        FaultKind.FORGED,
        FaultKind.DISAGREEING,
        FaultKind.WRONG_AMOUNT,
        FaultKind.REORDERED,
        FaultKind.WITHOUT_AMOUNT,
        FaultKind.ODD_FIELDS,
    },
}
_OF_ONE_OPERATION: Final = set[FaultKind]().union(*_OWN.values()) - {
    FaultKind.NONE,
    FaultKind.ODD_FIELDS,
}


def may_strike(kind: FaultKind, operation: Operation) -> bool:
    """Whether this can happen to this operation."""
    is_common = kind not in _OF_ONE_OPERATION and operation is not Operation.NOTIFY
    return is_common or kind in _OWN[operation]


_PERHAPS_EXECUTED: Final = {
    FaultKind.HTTP_500,
    FaultKind.ANSWER_CODE,
    FaultKind.STALE_RESPONSE,
}


class Fault(BaseModel):
    """One bad moment.

    `delay` is real time before the answer, or the notification, leaves. `executed` says whether
    the call took effect in spite of HTTP_500, ANSWER_CODE or STALE_RESPONSE. `code` and `status`
    belong to ANSWER_CODE, to UNSIGNED and MISSIGNED for a lie instead of the truth, and choose the
    response of STALE_RESPONSE and MIXED_UP_RESPONSE. `is_signed` belongs to ANSWER_CODE, `age` to
    STALE_RESPONSE, `times` to REPEATED, `at_once` (not one after another) to REORDERED.
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
    at_once: bool = False

    @model_validator(mode="after")
    def _has_a_code(self) -> Self:
        if self.kind is FaultKind.ANSWER_CODE and self.code is None:
            raise ValueError("answer_code needs a code")
        return self

    @property
    def takes_effect(self) -> bool:
        """Whether the call is executed."""
        if self.kind in _PERHAPS_EXECUTED:
            return self.executed
        return self.kind is not FaultKind.CUT_BEFORE


WELL: Final = Fault()
