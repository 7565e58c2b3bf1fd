"""For each mutation a short storm that surely strikes it, and the invariants that must find it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from antom_refunds.simulator.accounts import Ending
from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation
from bench.storm.invariants import Invariant
from bench.storm.schedule import PACE

Faults = Mapping[Operation, tuple[Fault, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happens to each refund of the storm, and who must find the mutation.

    `payment` are the payment's own fields, `faults` what Antom's calls meet one after another.
    `asked` are the amounts for which callers ask under the refund's id, one caller after another.
    `called_off_after` is when an operator calls it off, in seconds; None for never.
    """

    finds: tuple[Invariant, ...]
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)
    asked: tuple[int, ...] = (1000,)
    called_off_after: float | None = None


_SOON: Final = 0.3 * PACE  # in the simulator's time, which goes faster
_AT_BANK: Final = {"is_async": True, "settle_after": _SOON}
# And the inquiry that goes before the repetition, which would make it unnecessary.
_ANSWER_LOST: Final = {
    Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),),
    Operation.INQUIRY: (Fault(kind=FaultKind.HTTP_500),),
}
_STALE: Final = Fault(kind=FaultKind.STALE)
_LATE: Final = Fault(delay=timedelta(seconds=8))
_REFUSED: Final = Fault(kind=FaultKind.ANSWER_CODE, code="INVALID_SIGNATURE", is_signed=False)
_ERROR: Final = Fault(kind=FaultKind.HTTP_500)
# Longer than the call-off takes, shorter than a call may take.
_SLOW_ERROR: Final = Fault(kind=FaultKind.HTTP_500, delay=timedelta(seconds=1.5))
# Inquiries that bring nothing until the notification has come.
_BLIND: Final = {Operation.INQUIRY: (_STALE,) * 6}

SCENES: Final = {
    "fresh_id": Scene(finds=(Invariant.OVERPAID, Invariant.STRAY_ID), faults=_ANSWER_LOST),
    "other_bytes": Scene(finds=(Invariant.TWO_PAYLOADS,), faults=_ANSWER_LOST),
    # Antom itself never moves money twice for one id, unless it forgets the first time.
    "success_doubted": Scene(
        finds=(Invariant.MOVED_TWICE,),
        faults={Operation.REFUND: (WELL, Fault(kind=FaultKind.FORGOTTEN))},
    ),
    "doubt_is_failure": Scene(finds=(Invariant.FAILED_UNSAID,), faults=_ANSWER_LOST),
    "doubt_forgotten": Scene(
        finds=(Invariant.NEVER_ENDED,), faults={Operation.REFUND: (Fault(kind=FaultKind.HTTP_500),)}
    ),
    "unsigned_trusted": Scene(
        finds=(Invariant.LEDGER_DISAGREES,),
        # A stranger refuses, and confirms it.
        faults={
            Operation.REFUND: (Fault(kind=FaultKind.MISSIGNED, code="PROCESS_FAIL"),),
            Operation.INQUIRY: (Fault(kind=FaultKind.MISSIGNED, code="REFUND_NOT_EXIST"),) * 20,
        },
    ),
    "polls_in_history": Scene(
        finds=(Invariant.HISTORY_TOO_LONG,),
        payment=_AT_BANK,
        faults={Operation.INQUIRY: (_STALE,) * 7, Operation.NOTIFY: (_LATE,)},
    ),
    "contradiction_dropped": Scene(
        finds=(Invariant.CONTRADICTION_HIDDEN,),
        payment=_AT_BANK,
        faults={**_BLIND, Operation.NOTIFY: (Fault(kind=FaultKind.REORDERED),)},
    ),
    "early_ack": Scene(finds=(Invariant.NOTICE_LOST,), payment=_AT_BANK, faults=_BLIND),
    "stranger_trusted": Scene(
        finds=(Invariant.FORGERY_TAKEN,),
        payment=_AT_BANK,
        faults={**_BLIND, Operation.NOTIFY: (Fault(kind=FaultKind.FORGED),)},
    ),
    "other_fields": Scene(finds=(Invariant.TWO_ORDERS,), asked=(1000, 1001)),
    "bare_error": Scene(finds=(Invariant.UNANSWERED,), asked=(1000, 1000)),
    "closed_is_failure": Scene(
        finds=(Invariant.TOLD_OTHERWISE,), payment={**_AT_BANK, "ends": Ending.CLOSED}
    ),
    "doubt_unshown": Scene(
        finds=(Invariant.DOUBT_SILENT,),
        faults={Operation.REFUND: (_REFUSED,) * 4, Operation.INQUIRY: (_REFUSED,) * 4},
    ),
    "call_off_forgotten": Scene(
        finds=(Invariant.ASKED_AFTER_CALL_OFF,),
        faults={Operation.REFUND: (_SLOW_ERROR, *[_ERROR] * 5)},
        called_off_after=0.7,
    ),
    "failure_raised": Scene(
        finds=(Invariant.ENDED_OTHERWISE,), payment={"refuses_with": "RISK_REJECT"}
    ),
}
