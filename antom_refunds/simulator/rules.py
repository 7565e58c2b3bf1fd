"""Antom's rules for a refund, as a table: the first that applies decides.

Source: docs/antom.md#result-codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from antom_refunds.simulator.accounts import Payment, PaymentStatus
from antom_refunds.simulator.requests import RefundCall
from antom_refunds.simulator.result_codes import IN_PROCESS, SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCase:
    """A valid refund call for a known payment, and everything that decides its result.

    `earlier` are the amounts, in minor units, of the payment's other refunds that succeeded or
    are in process. `balance` is the merchant's money in the refund's currency, None for no limit.
    """

    call: RefundCall
    payment: Payment
    earlier: tuple[int, ...]
    balance: int | None
    now: datetime

    @property
    def minor(self) -> int:
        return int(self.call.refund_amount.value)


def _is_too_late(case: RefundCase) -> bool:
    until = case.payment.refundable_until
    return until is not None and case.now > until


def _is_partial(case: RefundCase) -> bool:
    return not case.payment.allows_partial and case.minor < case.payment.amount.minor


def _is_too_much(case: RefundCase) -> bool:
    return sum(case.earlier) + case.minor > case.payment.amount.minor


def _is_unfunded(case: RefundCase) -> bool:
    return case.balance is not None and case.minor > case.balance


_REJECTIONS: Final[tuple[tuple[str, Callable[[RefundCase], bool]], ...]] = (
    ("ORDER_IS_CANCELED", lambda case: case.payment.status is PaymentStatus.CANCELLED),
    ("ORDER_STATUS_INVALID", lambda case: case.payment.status is not PaymentStatus.SUCCESS),
    (
        "CURRENCY_NOT_SUPPORT",
        lambda case: case.call.refund_amount.currency != case.payment.amount.currency,
    ),
    ("PAYMENT_METHOD_NOT_SUPPORTED", lambda case: not case.payment.allows_refund),
    ("REFUND_WINDOW_EXCEED", _is_too_late),
    (
        "MULTIPLE_REFUNDS_NOT_SUPPORTED",
        lambda case: bool(case.earlier) and not case.payment.allows_multiple,
    ),
    ("PARTIAL_REFUND_NOT_SUPPORTED", _is_partial),
    ("REFUND_AMOUNT_EXCEED", _is_too_much),
    ("MERCHANT_BALANCE_NOT_ENOUGH", _is_unfunded),
)


def decide_code(case: RefundCase) -> str:
    """The result code of the first rule that rejects the refund, or of its acceptance."""
    rejection = next((code for code, applies in _REJECTIONS if applies(case)), None)
    accepted = IN_PROCESS if case.payment.is_async else SUCCESS
    return rejection or case.payment.refuses_with or accepted
