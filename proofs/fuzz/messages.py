"""What Antom sends to the targets: one key pair, one client-id, signed notifications."""

import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from antom_refunds.antom.signing import SignedMessage, sign
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

CLIENT_ID: Final = "5X00000000000000"
PATH: Final = "/antom/refund-notify"
TIME: Final = "1789531200000"
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)


def signed(body: bytes, *, path: str = PATH) -> SignedMessage:
    return SignedMessage(path=path, client_id=CLIENT_ID, time=TIME, body=body)


def signature(body: bytes, *, path: str = PATH) -> str:
    """The header with which Antom sends these bytes to this path."""
    return sign(signed(body, path=path), KEY, key_version="1")


def notice(code: str, status: str, refund_status: str, **changes: Any) -> bytes:
    """A notification about ORDER."""
    fields = {
        "notifyType": "REFUND_RESULT",
        "result": {"resultCode": code, "resultStatus": status, "resultMessage": "said"},
        "refundStatus": refund_status,
        "refundRequestId": ORDER.refund_request_id,
        "refundId": "2026091119401080010018",
        "refundAmount": {"currency": "EUR", "value": "1250"},
        "refundTime": "2026-09-11T10:04:09+08:00",
        **changes,
    }
    return json.dumps(fields).encode()


NOTICES: Final = (
    notice("SUCCESS", "S", "SUCCESS"),
    notice("PROCESS_FAIL", "F", "FAIL"),
    notice("ORDER_IS_CLOSED", "F", "FAIL"),
    notice("SUCCESS", "S", "FAIL"),
    notice("SUCCESS", "S", "S", refundTime="yesterday"),
    notice("SUCCESS", "S", "SUCCESS", refundAmount={"currency": "EUR", "value": "1251"}),
)
