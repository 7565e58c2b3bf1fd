"""Antom's result codes with their documented status (docs/antom.md#result-codes).

Taken from the reference, not from the product's table in antom_refunds/antom: if both sides used
one table, no test against the simulator could find an error in it.
"""

from typing import Final, Literal

from antom_refunds.antom.wire import Result

Status = Literal["S", "F", "U"]

SUCCESS: Final = "SUCCESS"
IN_PROCESS: Final = "REFUND_IN_PROCESS"
CLOSED: Final = "ORDER_IS_CLOSED"
NOT_EXIST: Final = "REFUND_NOT_EXIST"
INCONSISTENT: Final = "REPEAT_REQ_INCONSISTENT"
PARAM_ILLEGAL: Final = "PARAM_ILLEGAL"
PROCESS_FAIL: Final = "PROCESS_FAIL"

# Every other code is a failure.
_STATUSES: Final[dict[str, Status]] = {
    SUCCESS: "S",
    IN_PROCESS: "U",
    "UNKNOWN_EXCEPTION": "U",
    "REQUEST_TRAFFIC_EXCEED_LIMIT": "U",
    CLOSED: "U",
}


def result(code: str, status: Status | None = None) -> Result:
    """The result object for a code; `status` None means the documented status."""
    message = f"{code.replace('_', ' ').capitalize()}."
    chosen = status or _STATUSES.get(code, "F")
    return Result(result_code=code, result_status=chosen, result_message=message)
