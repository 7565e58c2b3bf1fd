"""The refunds that every engine runs, as a pure function of their number and a seed.

Half of them end immediately, two in ten by notification, two in ten by polling since their
notifications are lost, and for one in ten the first response is lost after the money moved.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from bench.figures import FrozenModel

# That of the local stack's merchant.
CLIENT_ID: Final = "SANDBOX_5X00000000000000"
# Inquiries after 83 ms, 333 ms, 833 ms, ...; refunds in doubt are retried after 2 s.
SPEEDUP: Final = 60.0
_POLICY: Final = Policy.at_speedup(SPEEDUP)
_AMOUNT_MAX: Final = 50_000
# Real seconds until a bank has paid, and the share of banks that refuse in the end.
_SETTLES: Final = (0.3, 1.5)
_REFUSING: Final = 0.1


class SettlementKind(StrEnum):
    """How a refund becomes final."""

    IMMEDIATE = "immediate"
    NOTIFIED = "by notification"
    POLLED = "by polling"
    RESPONSE_LOST = "response lost"


_OF_TEN: Final = (
    *(SettlementKind.IMMEDIATE,) * 5,
    *(SettlementKind.NOTIFIED,) * 2,
    *(SettlementKind.POLLED,) * 2,
    SettlementKind.RESPONSE_LOST,
)
_WARM_UP: Final = (*(SettlementKind.IMMEDIATE,) * 8, *(SettlementKind.NOTIFIED,) * 2)
_FAULTS: Final[
    Mapping[SettlementKind, Mapping[Operation, tuple[Fault, ...]]]
] = {  # Antom sends a notification eight times at most
    SettlementKind.POLLED: {Operation.NOTIFY: (Fault(kind=FaultKind.NOT_SENT),) * 8},
    SettlementKind.RESPONSE_LOST: {Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),)},
}


class PlannedRefund(FrozenModel):
    """One refund of the job, its payment, and what goes wrong."""

    order: RefundOrder
    kind: SettlementKind
    payment: Payment
    scripts: tuple[FaultScript, ...] = ()

    @property
    def wait_least(self) -> timedelta:
        """How long it takes an engine that loses no time: the waits that Antom imposes."""
        settles = (self.payment.settle_after or timedelta()) / SPEEDUP
        match self.kind:
            case SettlementKind.NOTIFIED:
                return settles
            case SettlementKind.POLLED:
                return settles + _POLICY.next_wait(_POLICY.poll, settles)
            case SettlementKind.RESPONSE_LOST:
                return _POLICY.next_wait(_POLICY.retry_in_doubt, timedelta())
            case _:
                return timedelta()


class Job(FrozenModel):
    """All refunds, in the order in which they are requested."""

    refunds: tuple[PlannedRefund, ...]

    @property
    def orders(self) -> tuple[RefundOrder, ...]:
        return tuple(each.order for each in self.refunds)

    @property
    def wait_least(self) -> timedelta:
        return max((each.wait_least for each in self.refunds), default=timedelta())

    def ids(self, *kinds: SettlementKind) -> frozenset[str]:
        """The refundRequestIds of these kinds, all of them if none is named."""
        chosen = (each for each in self.refunds if each.kind in (kinds or SettlementKind))
        return frozenset(each.order.refund_request_id for each in chosen)


def draw_job(size: int, seed: int) -> Job:
    """The same job for the same size and seed, on every machine."""
    kinds = [_OF_TEN[number % len(_OF_TEN)] for number in range(size)]
    dice = _dice(f"{size}/{seed}")
    dice.shuffle(kinds)
    return _job("peers", kinds, dice)


def warm_up_job() -> Job:
    """A few refunds before the measurement: no engine is at its best when it is new."""
    return _job("warm", _WARM_UP, _dice("warm"))


def _dice(seed: str) -> Random:
    # Reproducible on purpose; nothing secret depends on it.
    return Random(f"peers/{seed}")  # noqa: S311


def _job(prefix: str, kinds: Iterable[SettlementKind], dice: Random) -> Job:
    named = enumerate(kinds)
    return Job(refunds=tuple(_refund(f"{prefix}-{number}", kind, dice) for number, kind in named))


def _refund(name: str, kind: SettlementKind, dice: Random) -> PlannedRefund:
    amount = Money(currency="EUR", minor=dice.randint(1, _AMOUNT_MAX))
    # Every kind draws the same number of values.
    settles, luck = dice.uniform(*_SETTLES), dice.random()
    fields: dict[str, Any] = {"payment_id": f"pay-{name}", "client_id": CLIENT_ID, "amount": amount}
    if kind in {SettlementKind.NOTIFIED, SettlementKind.POLLED}:
        ends = SettlementOutcome.FAIL if luck < _REFUSING else SettlementOutcome.SUCCESS
        # The simulator divides its waits by the speedup.
        settle_after = timedelta(seconds=settles * SPEEDUP)
        fields |= {"is_async": True, "settle_after": settle_after, "ends": ends}
    return PlannedRefund(
        order=RefundOrder(refund_request_id=name, payment_id=f"pay-{name}", amount=amount),
        kind=kind,
        payment=Payment.model_validate(fields),
        scripts=tuple(
            FaultScript(subject=name, operation=operation, faults=faults)
            for operation, faults in _FAULTS.get(kind, {}).items()
        ),
    )
