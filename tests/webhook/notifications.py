"""Notifications signed as Antom signs them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.signing import SignedMessage, sign
from antom_refunds.domain.order import RefundOrder
from tests.harness import CLIENT_ID, WEBHOOK_PATH

ACKNOWLEDGED = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'
TIME = "1789531200000"


def notification_body(order: RefundOrder, **changes: Any) -> bytes:
    """The body of a notification that this refund succeeded."""
    fields = {
        "notifyType": "REFUND_RESULT",
        "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"},
        "refundStatus": "SUCCESS",
        "refundRequestId": order.refund_request_id,
        "refundId": "2026091119401080010018",
        "refundAmount": {"currency": "EUR", "value": str(order.amount.minor)},
        "refundTime": "2026-09-11T10:04:09+08:00",
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def failure_body(order: RefundOrder) -> bytes:
    """The body of a notification that this refund failed."""
    failure = {"resultCode": "PROCESS_FAIL", "resultStatus": "F"}
    return notification_body(order, result=failure, refundStatus="FAIL")


def headers(
    body: bytes,
    key: Path,
    *,
    path: str = WEBHOOK_PATH,
    client_id: str = CLIENT_ID,
    **changes: str | None,
) -> dict[str, str]:
    """The headers of a request with this body, signed with this key."""
    signed = SignedMessage(path=path, client_id=client_id, time=TIME, body=body)
    fields = {
        "client-id": client_id,
        "request-time": TIME,
        "signature": sign(signed, read_private_key(key), key_version="1"),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in fields.items() if value is not None}


async def posted(app: Any, body: bytes, headers: Mapping[str, str], path: str) -> httpx.Response:
    """The response of this app to a POST."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.post(path, content=body, headers=dict(headers))
