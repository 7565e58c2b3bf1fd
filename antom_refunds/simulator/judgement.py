"""What Antom answers to a refund: a table, first obstacle first (docs/antom.md#result-codes)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from antom_refunds.simulator.accounts import Payment, PaymentStatus
from antom_refunds.simulator.codes import IN_PROCESS, SUCCESS
from antom_refunds.simulator.heard import AskedRefund


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A legal request for a refund of a known payment, and all that decides on it.

    `earlier` are the amounts, in minor units, that other refunds of the payment hold. `balance`
    is what the merchant has left in the refund's currency, None for no limit.
    """

    asked: AskedRefund
    payment: Payment
    earlier: tuple[int, ...]
    balance: int | None
    now: datetime

    @property
    def minor(self) -> int:
        return int(self.asked.refund_amount.value)


def _is_over(case: Case) -> bool:
    until = case.payment.refundable_until
    return until is not None and case.now > until


def _is_partial(case: Case) -> bool:
    return not case.payment.allows_partial and case.minor < case.payment.amount.minor


def _is_too_much(case: Case) -> bool:
    return sum(case.earlier) + case.minor > case.payment.amount.minor


def _is_unfunded(case: Case) -> bool:
    return case.balance is not None and case.minor > case.balance


_OBSTACLES: Final[tuple[tuple[str, Callable[[Case], bool]], ...]] = (
    ("ORDER_IS_CANCELED", lambda case: case.payment.status is PaymentStatus.CANCELLED),
    ("ORDER_STATUS_INVALID", lambda case: case.payment.status is not PaymentStatus.SUCCESS),
    (
        "CURRENCY_NOT_SUPPORT",
        lambda case: case.asked.refund_amount.currency != case.payment.amount.currency,
    ),
    ("PAYMENT_METHOD_NOT_SUPPORTED", lambda case: not case.payment.allows_refund),
    ("REFUND_WINDOW_EXCEED", _is_over),
    (
        "MULTIPLE_REFUNDS_NOT_SUPPORTED",
        lambda case: bool(case.earlier) and not case.payment.allows_multiple,
    ),
    ("PARTIAL_REFUND_NOT_SUPPORTED", _is_partial),
    ("REFUND_AMOUNT_EXCEED", _is_too_much),
    ("MERCHANT_BALANCE_NOT_ENOUGH", _is_unfunded),
)


def judged(case: Case) -> str:
    """The code of the first thing in the refund's way, or of its acceptance."""
    obstacle = next((code for code, stands in _OBSTACLES if stands(case)), None)
    accepted = IN_PROCESS if case.payment.is_async else SUCCESS
    return obstacle or case.payment.refuses_with or accepted
