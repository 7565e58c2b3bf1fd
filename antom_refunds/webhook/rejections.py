"""Reasons for rejecting a request, and the HTTP status of each."""

from enum import StrEnum
from typing import Final


class Rejection(StrEnum):
    """Why a request is not acknowledged."""

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
    TEMPORAL_UNAVAILABLE = "temporal_unavailable"


STATUS: Final = {
    Rejection.UNKNOWN_CLIENT: 401,
    Rejection.MISSING_SIGNATURE: 401,
    Rejection.MALFORMED_SIGNATURE: 401,
    Rejection.WRONG_SIGNATURE: 401,
    Rejection.MALFORMED_HEADER: 400,
    Rejection.UNKNOWN_PATH: 404,
    Rejection.WRONG_METHOD: 405,
    Rejection.SLOW_BODY: 408,
    Rejection.TOO_LARGE: 413,
    Rejection.UNSUPPORTED_ENCODING: 415,
    Rejection.DISCONNECTED: 400,  # never received, as the client has disconnected
    Rejection.DEFECT: 500,
    Rejection.TEMPORAL_UNAVAILABLE: 503,
}

# These requests were not read completely, so the connection cannot be used for another one.
CLOSES_CONNECTION: Final = frozenset(
    {
        Rejection.UNKNOWN_PATH,
        Rejection.WRONG_METHOD,
        Rejection.SLOW_BODY,
        Rejection.TOO_LARGE,
        Rejection.UNSUPPORTED_ENCODING,
    }
)


class RejectedNotificationError(Exception):
    """The request is rejected without any effect; the HTTP status reports it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.value)
        self.rejection = rejection
