"""The ways that a refund can take, as the simulated Antom is told to play them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from antom_refunds.domain.policy import Policy
from antom_refunds.simulator.faults import Fault, FaultKind, Operation

_LOST: Final = (Fault(kind=FaultKind.LOST),) * 8
_ALL_THE_TIME: Final = timedelta(days=1000)
_PATIENT: Final = Policy(overdue_after=_ALL_THE_TIME)
_QUICK: Final = Policy(overdue_after=_ALL_THE_TIME, pace=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way. `events_max` is the longest history that ours may have, None for no limit.

    A way that takes weeks needs a server that skips time: a real one's timers have a grain of a
    second. `inquiries` are counted where a way differs from another in nothing else.
    """

    name: str
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]] = field(default_factory=dict)
    policy: Policy = _QUICK
    events_max: int | None = None
    inquiries: int | None = None
    is_notified: bool = False
    is_ours_only: bool = False
    takes_weeks: bool = False


def _polled(times: int) -> Mapping[Operation, tuple[Fault, ...]]:
    stale = (Fault(kind=FaultKind.STALE),) * (times - 1)
    played = {Operation.NOTIFY: _LOST, Operation.INQUIRY: stale}
    return {operation: faults for operation, faults in played.items() if faults}


_BANK: Final = {"is_async": True, "settle_after": timedelta()}
_SLOW: Final = {"is_async": True, "settle_after": timedelta(days=1)}
WAYS: Final = (
    Way(name="at once", events_max=13),
    # In real time, so that the notification comes before the first inquiry.
    Way(
        name="by notification",
        payment=_SLOW,
        policy=_PATIENT,
        is_notified=True,
        events_max=20,
    ),
    Way(name="by the first inquiry", payment=_BANK, faults=_polled(1)),
    Way(
        name="by the 20th inquiry",
        payment=_BANK,
        faults=_polled(20),
        policy=_PATIENT,
        inquiries=20,
        takes_weeks=True,
    ),
    Way(
        name="by the 200th inquiry",
        payment=_BANK,
        faults=_polled(200),
        policy=_PATIENT,
        events_max=20,
        inquiries=200,
        takes_weeks=True,
    ),
    Way(
        name="by the 200th inquiry, overdue",
        payment=_BANK,
        faults=_polled(200),
        policy=Policy(),
        is_ours_only=True,
        takes_weeks=True,
    ),
    Way(
        name="three answers lost, then at once",
        faults={Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),) * 3},
    ),
    Way(
        name="no such refund at first, then found",
        payment=_BANK,
        faults={Operation.NOTIFY: _LOST, Operation.INQUIRY: (Fault(kind=FaultKind.ABSENT),)},
    ),
)
