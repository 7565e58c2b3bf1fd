"""Why a request is not acknowledged, and the HTTP status that says so."""

from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """Why a request was not acknowledged."""

    UNKNOWN_CLIENT = "unknown_client"
    MISSING_SIGNATURE = "missing_signature"
    MALFORMED_SIGNATURE = "malformed_signature"
    WRONG_SIGNATURE = "wrong_signature"
    MALFORMED_HEADER = "malformed_header"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "wrong_method"
    SLOW_BODY = "slow_body"
    TOO_LARGE = "too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    DISCONNECTED = "disconnected"
    DEFECT = "defect"
    TEMPORAL_AWAY = "temporal_away"


STATUS: Final = {
    Refusal.UNKNOWN_CLIENT: 401,
    Refusal.MISSING_SIGNATURE: 401,
    Refusal.MALFORMED_SIGNATURE: 401,
    Refusal.WRONG_SIGNATURE: 401,
    Refusal.MALFORMED_HEADER: 400,
    Refusal.UNKNOWN_PATH: 404,
    Refusal.WRONG_METHOD: 405,
    Refusal.SLOW_BODY: 408,
    Refusal.TOO_LARGE: 413,
    Refusal.UNSUPPORTED_ENCODING: 415,
    Refusal.DISCONNECTED: 400,  # nobody reads it
    Refusal.DEFECT: 500,
    Refusal.TEMPORAL_AWAY: 503,
}

# The rest of such a request was not read: what follows on the connection is no new request.
CLOSING: Final = frozenset(
    {
        Refusal.UNKNOWN_PATH,
        Refusal.WRONG_METHOD,
        Refusal.SLOW_BODY,
        Refusal.TOO_LARGE,
        Refusal.UNSUPPORTED_ENCODING,
    }
)


class RefusedNoticeError(Exception):
    """The request changes nothing; Antom is told so by the HTTP status."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
