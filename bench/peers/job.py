"""The refunds that every engine runs, as a pure function of their number and a seed.

Half of them end immediately, two in ten by notification, two in ten by polling since their
notifications are lost, and for one in ten the first response is lost after the money moved.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from antom_refunds import Money, Policy, RefundOrder
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation

# That of the local stack's merchant.
CLIENT_ID: Final = "SANDBOX_5X00000000000000"
# Inquiries after 83 ms, 333 ms, 833 ms, ...; refunds in doubt are retried after 2 s.
SPEEDUP: Final = 60.0
# What Antom advises for a lost response, in seconds: no other wait of a job is longer.
_POLICY: Final = Policy.at_speedup(SPEEDUP)
WAIT_LEAST: Final = _POLICY.next_wait(_POLICY.retry_in_doubt, timedelta()).total_seconds()
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


_SHARES: Final = dict(zip(SettlementKind, (5, 2, 2, 1), strict=True))
_OF_TEN: Final = [kind for kind, share in _SHARES.items() for _ in range(share)]
_WARM_UP: Final = [SettlementKind.IMMEDIATE] * 8 + [SettlementKind.NOTIFIED] * 2
# Antom sends a notification eight times at most.
_FAULTS: Final[Mapping[SettlementKind, Mapping[Operation, tuple[Fault, ...]]]] = {
    SettlementKind.POLLED: {Operation.NOTIFY: (Fault(kind=FaultKind.NOT_SENT),) * 8},
    SettlementKind.RESPONSE_LOST: {Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),)},
}


class PlannedRefund(NamedTuple):
    """One refund of the job, its payment, and what goes wrong."""

    order: RefundOrder
    kind: SettlementKind
    payment: Payment
    scripts: tuple[FaultScript, ...]


class Job(NamedTuple):
    """All refunds, in the order in which they are requested."""

    refunds: tuple[PlannedRefund, ...]

    @property
    def orders(self) -> tuple[RefundOrder, ...]:
        return tuple(each.order for each in self.refunds)

    def ids(self, *kinds: SettlementKind) -> frozenset[str]:
        """The refundRequestIds of these kinds, all of them if none is named."""
        chosen = (each for each in self.refunds if each.kind in (kinds or SettlementKind))
        return frozenset(each.order.refund_request_id for each in chosen)


def draw_job(size: int, seed: int) -> Job:
    """The same job for the same size and seed, on every machine."""
    kinds = [_OF_TEN[number % len(_OF_TEN)] for number in range(size)]
    # Reproducible on purpose; nothing secret depends on it.
    dice = Random(f"peers/{size}/{seed}")  # noqa: S311
    dice.shuffle(kinds)
    return Job(tuple(_refund(f"peers-{n}", kind, dice) for n, kind in enumerate(kinds)))


def warm_up_job() -> Job:
    """A few refunds before the measurement: no engine is at its best when it is new."""
    dice = Random("peers/warm")  # noqa: S311 - the same
    return Job(tuple(_refund(f"warm-{n}", kind, dice) for n, kind in enumerate(_WARM_UP)))


def _refund(name: str, kind: SettlementKind, dice: Random) -> PlannedRefund:
    amount = Money(currency="EUR", minor=dice.randint(1, _AMOUNT_MAX))
    # Every kind draws the same number of values.
    settles, luck = dice.uniform(*_SETTLES), dice.random()
    order = RefundOrder(refund_request_id=name, payment_id=f"pay-{name}", amount=amount)
    payment = Payment(payment_id=order.payment_id, client_id=CLIENT_ID, amount=amount)
    if kind in {SettlementKind.NOTIFIED, SettlementKind.POLLED}:
        ends = SettlementOutcome.FAIL if luck < _REFUSING else SettlementOutcome.SUCCESS
        # The simulator divides its waits by the speedup.
        settling = {"is_async": True, "settle_after": timedelta(seconds=settles * SPEEDUP)}
        payment = payment.model_copy(update={**settling, "ends": ends})
    faults = [FaultScript(subject=name, operation=operation, faults=faults)
              for operation, faults in _FAULTS.get(kind, {}).items()]  # fmt: skip
    return PlannedRefund(order, kind, payment, tuple(faults))
