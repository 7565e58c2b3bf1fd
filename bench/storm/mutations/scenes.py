"""For each mutation a short storm that surely strikes it, and the invariant that must find it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.plans import Script
from bench.storm.invariants import Invariant
from bench.storm.schedule import CLIENT_ID, PACE, Ask, Plan
from bench.storm.shape import Shape

_SHAPE: Final = Shape(
    name="scene",
    asking=1,
    striking=0,
    pause=0,
    gap=(1, 1),
    draining=8,
    per_second=3,
    workers=1,
    callers=2,
)
_SOON: Final = 0.3 * PACE  # in the simulator's time, which goes faster
_AT_BANK: Final = {"is_async": True, "settle_after": _SOON}
_CUT_AFTER: Final = Fault(kind=FaultKind.CUT_AFTER)
_STALE: Final = Fault(kind=FaultKind.STALE)
_LOST: Final = Fault(kind=FaultKind.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happens to each refund of the storm, and who must find the mutation."""

    finds: Invariant
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]]


SCENES: Final = {
    "fresh_id": Scene(finds=Invariant.OVERPAID, faults={Operation.REFUND: (_CUT_AFTER,)}),
    "other_bytes": Scene(finds=Invariant.TWO_PAYLOADS, faults={Operation.REFUND: (_CUT_AFTER,)}),
    "early_ack": Scene(
        finds=Invariant.NOTICE_LOST, payment=_AT_BANK, faults={Operation.INQUIRY: (_STALE,) * 6}
    ),
    "doubt_is_failure": Scene(
        finds=Invariant.FAILED_UNSAID, faults={Operation.REFUND: (_CUT_AFTER,)}
    ),
    "doubt_forgotten": Scene(
        finds=Invariant.NEVER_ENDED, faults={Operation.REFUND: (Fault(kind=FaultKind.HTTP_500),)}
    ),
    "unsigned_trusted": Scene(
        finds=Invariant.LEDGER_DISAGREES,
        faults={Operation.REFUND: (Fault(kind=FaultKind.UNSIGNED, code="PROCESS_FAIL"),)},
    ),
    "stranger_trusted": Scene(
        finds=Invariant.FORGERY_TAKEN,
        payment=_AT_BANK,
        faults={
            Operation.INQUIRY: (_STALE,) * 6,
            Operation.NOTIFY: (Fault(kind=FaultKind.FORGED),),
        },
    ),
    "polls_in_history": Scene(
        finds=Invariant.HISTORY_TOO_LONG,
        payment=_AT_BANK,
        faults={Operation.INQUIRY: (_STALE,) * 9, Operation.NOTIFY: (_LOST,) * 8},
    ),
}


def control() -> Plan:
    """All scenes at once, for the unbroken product, with patience for a busy machine."""
    plan = plan_of(*SCENES)
    return plan.model_copy(update={"shape": _SHAPE.model_copy(update={"draining": 90})})


def plan_of(*names: str) -> Plan:
    """A few refunds for each of these scenes, each struck alike; nothing else happens."""
    orders = {name: [_order(name, number) for number in range(_SHAPE.refunds)] for name in names}
    return Plan(
        seed=0,
        shape=_SHAPE,
        payments=tuple(_payment(name) for name in names),
        asks=tuple(
            Ask(at=0, caller=place % _SHAPE.callers, order=order)
            for each in orders.values()
            for place, order in enumerate(each)
        ),
        scripts=tuple(
            Script(subject=order.refund_request_id, operation=operation, faults=faults)
            for name, each in orders.items()
            for order in each
            for operation, faults in SCENES[name].faults.items()
        ),
    )


def _payment(name: str) -> Payment:
    paid = {
        "payment_id": f"{name}-pay",
        "client_id": CLIENT_ID,
        "amount": Money(currency="EUR", minor=100_000),
        **SCENES[name].payment,
    }
    return Payment.model_validate(paid)


def _order(name: str, number: int) -> RefundOrder:
    return RefundOrder(
        refund_request_id=f"{name}-{number}",
        payment_id=f"{name}-pay",
        amount=Money(currency="EUR", minor=1000 + number),
    )
