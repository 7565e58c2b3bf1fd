"""Hand-made values for tests of measurements."""

from datetime import UTC, datetime, timedelta
from typing import Final

from antom_refunds.antom.wire import Result
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.records import RefundRecord, RefundStatus
from antom_refunds.simulator.requests import KeyFields

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORDER: Final = RefundOrder(
    refund_request_id="r-1", payment_id="pay", amount=Money(currency="EUR", minor=1250)
)
PROCESSING: Final = RefundRecord(
    client_id="shop",
    refund_request_id="r-1",
    refund_id="antom-1",
    key_fields=KeyFields(payment_id="pay", currency="EUR", value="1250"),
    status=RefundStatus.PROCESSING,
    result=Result(result_code="REFUND_IN_PROCESS", result_status="U", result_message=""),
    was_accepted=True,
    requested_at=NOON,
)


def after(milliseconds: float) -> datetime:
    return NOON + timedelta(milliseconds=milliseconds)
