"""The truth in fields that Antom may send and few expect: null, empty, or cut in two."""

import json
from typing import Any, Final

# Half of a character beyond UTF-16's first plane: what is left of a message that was cut there.
_CUT_MESSAGE: Final = "Success \ud83d"
_IDS: Final = ("refundRequestId", "refundId", "paymentId")


def odd_response(body: bytes) -> bytes:
    """The response with a message cut in two; a refusal with null and empty fields."""
    fields = json.loads(body)
    if _is_success(fields):
        return _cut(fields)
    empty = dict.fromkeys(_IDS, "")
    refused = {**fields["result"], "resultMessage": None}
    return _written({**fields, **empty, "refundAmount": {}, "result": refused})


def odd_notice(body: bytes) -> bytes:
    """The notification with a message cut in two; of a failure, with null and empty fields."""
    fields = json.loads(body)
    if _is_success(fields):
        return _cut(fields)
    failed = {**fields["result"], "resultMessage": None}
    return _written({**fields, "refundId": "", "result": failed})


def _is_success(fields: dict[str, Any]) -> bool:
    return bool(fields["result"]["resultStatus"] == "S")


def _cut(fields: dict[str, Any]) -> bytes:
    return _written({**fields, "result": {**fields["result"], "resultMessage": _CUT_MESSAGE}})


def _written(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
