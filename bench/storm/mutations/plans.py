"""From scenes to plans: what a storm plays to a mutation, and all of it to the unbroken product."""

from collections.abc import Iterator
from typing import Final

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.plans import Script
from bench.storm.interference import Act, ActKind
from bench.storm.mutations.scenes import SCENES
from bench.storm.schedule import CLIENT_ID, Ask, Plan
from bench.storm.shape import Shape

_SHAPE: Final = Shape(
    name="scene",
    asking=1,
    striking=0,
    pause=0,
    gap=(1, 1),
    draining=20,
    per_second=3,
    workers=1,
    callers=2,
)
# A refund that is asked for again stands by then.
_ASKED_AGAIN_AFTER: Final = 0.5


def control() -> Plan:
    """All scenes at once, for the unbroken product, with patience for a busy machine."""
    plan = plan_of(*SCENES)
    return plan.model_copy(update={"shape": _SHAPE.model_copy(update={"draining": 90})})


def plan_of(*names: str) -> Plan:
    """A few refunds for each of these scenes, each struck alike; nothing else happens."""
    return Plan(
        seed=0,
        shape=_SHAPE,
        payments=tuple(_payment(name) for name in names),
        asks=tuple(ask for name in names for ask in _asks(name)),
        scripts=tuple(script for name in names for script in _scripts(name)),
        acts=tuple(act for name in names for act in _acts(name)),
        unusable=frozenset(_ids("doubt_unshown")),
    )


def _payment(name: str) -> Payment:
    paid = {"payment_id": f"{name}-pay", "client_id": CLIENT_ID, "amount": _euros(100_000)}
    return Payment.model_validate({**paid, **SCENES[name].payment})


def _asks(name: str) -> Iterator[Ask]:
    for place, refund_request_id in enumerate(_ids(name)):
        for turn, minor in enumerate(SCENES[name].asked):
            order = RefundOrder(
                refund_request_id=refund_request_id,
                payment_id=f"{name}-pay",
                amount=_euros(minor),
            )
            caller = (place + turn) % _SHAPE.callers
            yield Ask(at=turn * _ASKED_AGAIN_AFTER, caller=caller, order=order)


def _scripts(name: str) -> Iterator[Script]:
    for refund_request_id in _ids(name):
        for operation, faults in SCENES[name].faults.items():
            yield Script(subject=refund_request_id, operation=operation, faults=faults)


def _acts(name: str) -> Iterator[Act]:
    after = SCENES[name].called_off_after
    if after is not None:
        for each in _ids(name):
            yield Act(at=after, kind=ActKind.CALL_OFF, refund=each)


def _ids(name: str) -> list[str]:
    return [f"{name}-{number}" for number in range(_SHAPE.refunds)]


def _euros(minor: int) -> Money:
    return Money(currency="EUR", minor=minor)
