"""The job that every competitor does, as a pure function of its size and a seed.

Half of the refunds end at once, two in ten by notification, two in ten by polling since their
notifications are lost, and of one in ten the first answer is lost after the money moved.
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.simulator.accounts import Ending, Payment
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.plans import Script

CLIENT_ID: Final = "5X00000000000000"
# Inquiries after 83 ms, 333 ms, 833 ms, ...; doubt is worked off after 2 s.
PACE: Final = 60.0
_POLICY: Final = Policy.at_pace(PACE)
_CURRENCY: Final = "EUR"
_AMOUNT_MAX: Final = 50_000
# Real seconds until a bank has paid, and how many banks refuse in the end.
_SETTLES: Final = (0.3, 1.5)
_REFUSING: Final = 0.1
# Antom sends a notification eight times at most.
_NEVER_NOTIFIED: Final = (Fault(kind=FaultKind.LOST),) * 8
_ANSWER_CUT: Final = (Fault(kind=FaultKind.CUT_AFTER),)


class Manner(StrEnum):
    """How a refund comes to its end."""

    AT_ONCE = "at once"
    NOTIFIED = "by notification"
    POLLED = "by polling"
    ANSWER_LOST = "answer lost"


_OF_TEN: Final = (
    *(Manner.AT_ONCE,) * 5,
    *(Manner.NOTIFIED,) * 2,
    *(Manner.POLLED,) * 2,
    Manner.ANSWER_LOST,
)
_WARMING: Final = (*(Manner.AT_ONCE,) * 8, *(Manner.NOTIFIED,) * 2)


class Errand(BaseModel):
    """One refund of the job, the payment that it is of, and what goes wrong about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: RefundOrder
    manner: Manner
    payment: Payment
    scripts: tuple[Script, ...] = ()

    @property
    def wait_least(self) -> timedelta:
        """How long the refund would take an engine that loses no time: the waits are Antom's."""
        settles = (self.payment.settle_after or timedelta()) / PACE
        match self.manner:
            case Manner.NOTIFIED:
                return settles
            case Manner.POLLED:
                return settles + _POLICY.wait(_POLICY.watch, settles)
            case Manner.ANSWER_LOST:
                return _POLICY.wait(_POLICY.doubt, timedelta())
            case _:
                return timedelta()


class Job(BaseModel):
    """Everything that is asked for, in this order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    errands: tuple[Errand, ...]

    @property
    def orders(self) -> tuple[RefundOrder, ...]:
        return tuple(errand.order for errand in self.errands)

    @property
    def payments(self) -> tuple[Payment, ...]:
        return tuple(errand.payment for errand in self.errands)

    @property
    def scripts(self) -> tuple[Script, ...]:
        return tuple(script for errand in self.errands for script in errand.scripts)

    @property
    def wait_least(self) -> timedelta:
        """How long all of it would take an engine that loses no time."""
        return max((errand.wait_least for errand in self.errands), default=timedelta())

    def ids(self, *manners: Manner) -> frozenset[str]:
        """The refundRequestIds of these manners, all of them if none is named."""
        chosen = (errand for errand in self.errands if errand.manner in (manners or Manner))
        return frozenset(errand.order.refund_request_id for errand in chosen)


def drawn(size: int, seed: int) -> Job:
    """The same job for the same size and seed, on every machine."""
    manners = [_OF_TEN[number % len(_OF_TEN)] for number in range(size)]
    dice = _dice(f"{size}/{seed}")
    dice.shuffle(manners)
    return Job(seed=seed, errands=_errands("peers", manners, dice))


def warm_up() -> Job:
    """A few refunds before the clock starts, the same for all: no engine is at its best cold."""
    return Job(seed=0, errands=_errands("warm", _WARMING, _dice("warm")))


def _dice(seed: str) -> Random:
    # Reproducible on purpose; nothing secret hangs on it.
    return Random(f"peers/{seed}")  # noqa: S311


def _errands(prefix: str, manners: Iterable[Manner], dice: Random) -> tuple[Errand, ...]:
    named = ((f"{prefix}-{number}", manner) for number, manner in enumerate(manners))
    return tuple(_errand(name, manner, dice) for name, manner in named)


def _errand(name: str, manner: Manner, dice: Random) -> Errand:
    amount = Money(currency=_CURRENCY, minor=dice.randint(1, _AMOUNT_MAX))
    order = RefundOrder(refund_request_id=name, payment_id=f"pay-{name}", amount=amount)
    told = {"payment_id": order.payment_id, "client_id": CLIENT_ID, "amount": amount}
    return Errand(
        order=order,
        manner=manner,
        payment=Payment.model_validate({**told, **_bank(manner, dice)}),
        scripts=_faults(name, manner),
    )


def _bank(manner: Manner, dice: Random) -> dict[str, Any]:
    """How the payment's bank goes about it; the dice fall alike for every manner."""
    settles, luck = dice.uniform(*_SETTLES), dice.random()
    if manner in {Manner.AT_ONCE, Manner.ANSWER_LOST}:
        return {}
    ends = Ending.FAIL if luck < _REFUSING else Ending.SUCCESS
    # The simulator divides its waits by the pace.
    return {"is_async": True, "settle_after": timedelta(seconds=settles * PACE), "ends": ends}


def _faults(refund_request_id: str, manner: Manner) -> tuple[Script, ...]:
    struck = {
        Manner.POLLED: (Operation.NOTIFY, _NEVER_NOTIFIED),
        Manner.ANSWER_LOST: (Operation.REFUND, _ANSWER_CUT),
    }.get(manner)
    if struck is None:
        return ()
    return (Script(subject=refund_request_id, operation=struck[0], faults=struck[1]),)
