"""The scenarios of the demo: what happens to each refund, and its expected final state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import DEFAULT_MERCHANT, RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation

KIOSK: Final = "kiosk"

# Divided by the speedup, like every wait at Antom. The bank settles between two inquiries, so that
# the notification is what ends the refund.
_LATER: Final = timedelta(seconds=80)
_MUCH_LATER: Final = timedelta(minutes=6)
_IN_FLIGHT: Final = timedelta(seconds=4)  # real time that the response takes
_DEFAULT_AMOUNT: Final = Money(currency="EUR", minor=1250)
_ALWAYS_LOST: Final = (Fault(kind=FaultKind.NOT_SENT),) * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One refund of the demo; `payment` and `faults` override the normal case."""

    key: str
    title: str
    final_state: RefundState = RefundState.SUCCEEDED
    amount: Money = _DEFAULT_AMOUNT
    merchant: str = DEFAULT_MERCHANT
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]] = field(default_factory=dict)

    @property
    def order(self) -> RefundOrder:
        return RefundOrder(
            refund_request_id=f"demo-{self.key}",
            payment_id=f"pay-{self.key}",
            amount=self.amount,
            merchant=self.merchant,
        )

    def payment_for(self, client_id: str) -> Payment:
        """The payment that this refund returns a part of."""
        whole = self.amount.model_copy(update={"minor": self.amount.minor * 4})
        given = {"payment_id": f"pay-{self.key}", "client_id": client_id, "amount": whole}
        return Payment.model_validate({**given, **self.payment})

    @property
    def scripts(self) -> tuple[FaultScript, ...]:
        return tuple(
            FaultScript(subject=self.order.refund_request_id, operation=operation, faults=faults)
            for operation, faults in self.faults.items()
        )


def _responds(code: str, times: int = 1) -> Mapping[Operation, tuple[Fault, ...]]:
    fault = Fault(kind=FaultKind.RESULT_CODE, code=code, status="U")
    return {Operation.REFUND: (fault,) * times}


def _call(kind: FaultKind, **more: Any) -> Mapping[Operation, tuple[Fault, ...]]:
    return {Operation.REFUND: (Fault(kind=kind, **more),)}


def _notification(*faults: Fault) -> Mapping[Operation, tuple[Fault, ...]]:
    return {Operation.NOTIFY: faults}


_BANK: Final = {"is_async": True, "settle_after": _LATER}
_SLOW_BANK: Final = {"is_async": True, "settle_after": _MUCH_LATER}
_LONG_AGO: Final = datetime(2025, 1, 1, tzinfo=UTC)

SCENARIOS: Final = (
    Scenario(key="once-1", title="succeeds immediately"),
    Scenario(key="once-2", title="succeeds immediately", amount=Money(currency="JPY", minor=3000)),
    Scenario(key="notified-1", title="succeeds by notification", payment=_BANK),
    Scenario(key="notified-2", title="succeeds by notification", payment=_BANK),
    Scenario(
        key="bank-fails",
        title="fails by notification",
        final_state=RefundState.FAILED,
        payment={**_BANK, "ends": SettlementOutcome.FAIL},
    ),
    Scenario(
        key="notification-lost",
        title="notification lost, found by inquiry",
        payment=_BANK,
        faults=_notification(*_ALWAYS_LOST),
    ),
    Scenario(
        key="response-lost-1",
        title="response lost after the money moved",
        faults=_call(FaultKind.CUT_AFTER),
    ),
    Scenario(
        key="response-lost-2",
        title="response lost after the money moved",
        faults=_call(FaultKind.CUT_AFTER),
    ),
    Scenario(
        key="request-lost",
        title="request lost before the money moved",
        faults=_call(FaultKind.CUT_BEFORE),
    ),
    Scenario(
        key="http-500",
        title="HTTP 500 after the money moved",
        faults=_call(FaultKind.HTTP_500, executed=True),
    ),
    Scenario(
        key="unsigned",
        title="response without Antom's signature",
        faults=_call(FaultKind.UNSIGNED),
    ),
    Scenario(
        key="unknown",
        title="UNKNOWN_EXCEPTION, then success",
        faults=_responds("UNKNOWN_EXCEPTION"),
    ),
    Scenario(
        key="limit",
        title="REQUEST_TRAFFIC_EXCEED_LIMIT twice",
        faults=_responds("REQUEST_TRAFFIC_EXCEED_LIMIT", 2),
    ),
    Scenario(
        key="balance",
        title="MERCHANT_BALANCE_NOT_ENOUGH",
        final_state=RefundState.FAILED,
        amount=Money(currency="GBP", minor=990_00),
    ),
    Scenario(
        key="window",
        title="REFUND_WINDOW_EXCEED",
        final_state=RefundState.FAILED,
        payment={"created_at": _LONG_AGO, "paid_at": _LONG_AGO, "refundable_until": _LONG_AGO},
    ),
    Scenario(
        key="closed",
        title="ORDER_IS_CLOSED, confirmed by inquiry",
        final_state=RefundState.CLOSED,
        payment={**_BANK, "ends": SettlementOutcome.CLOSED},
    ),
    Scenario(
        key="not-found",
        title="first inquiry does not find the refund",
        payment=_SLOW_BANK,
        faults={Operation.INQUIRY: (Fault(kind=FaultKind.NOT_FOUND),)},
    ),
    Scenario(
        key="repeated",
        title="three notifications, and a stale one later",
        payment=_BANK,
        faults=_notification(Fault(kind=FaultKind.REPEATED, times=3)),
    ),
    Scenario(
        key="early",
        title="notification before the response",
        payment=_SLOW_BANK,
        faults=_call(FaultKind.NOTIFY_BEFORE_RESPONSE, delay=timedelta(seconds=2)),
    ),
    Scenario(
        key="inconsistent",
        title="notification that contradicts itself",
        payment=_BANK,
        faults=_notification(Fault(kind=FaultKind.INCONSISTENT)),
    ),
    Scenario(key="forged", title="forged notification is rejected", payment=_SLOW_BANK),
    Scenario(key="twice", title="requested twice"),
    Scenario(key="kiosk-1", title="wrong key: blocked, fixed, continues", merchant=KIOSK),
    Scenario(key="kiosk-2", title="wrong key: blocked, fixed, continues", merchant=KIOSK),
)

# Requested last: their responses are in flight when the worker is killed.
CRASH: Final = tuple(
    Scenario(
        key=f"crash-{number}",
        title="worker killed while Antom responds",
        faults=_call(FaultKind.NONE, delay=_IN_FLIGHT),
    )
    for number in (1, 2, 3)
)
ALL: Final = (*SCENARIOS, *CRASH)
