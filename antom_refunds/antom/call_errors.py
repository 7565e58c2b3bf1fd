"""Errors of calls to Antom; each class states what may be concluded from it.

AntomError                      no usable response about the refund
├── NotSentError                certainly not sent: the request never left this process
├── OutcomeUnknownError         may have been executed
│   ├── NoResponseError         timeout, or the connection broke after sending
│   ├── BadStatusError          an HTTP status other than 200
│   ├── UnverifiedResponseError a response without a valid signature by Antom
│   ├── StaleResponseError      a signed response that was created before or after this call
│   └── MalformedResponseError  a verified response that does not match the API's documentation
└── GateRefusedError            refused at the gate: not executed, the same id may be used again
ConnectionSettingsError         the HTTP client cannot be created; raised at startup only
"""


class AntomError(Exception):
    """Antom gave no usable response about the refund. `code` is for operators and metrics.

    `claimed_code` is the result code in an unverified response, "" if it has none. It is for
    operators only: no decision may depend on it.
    """

    def __init__(self, code: str, message: str, *, claimed_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.claimed_code = claimed_code


class NotSentError(AntomError):
    """The request never left this process, so it had no effect."""


class OutcomeUnknownError(AntomError):
    """The request may have been executed; only repeating it, or an inquiry, can tell."""


class NoResponseError(OutcomeUnknownError):
    """The call timed out or the connection broke after the request may have been sent."""


class BadStatusError(OutcomeUnknownError):
    """An HTTP status other than 200; Antom sends all business results with 200."""


class UnverifiedResponseError(OutcomeUnknownError):
    """The response has no valid signature by Antom, so it may come from a third party."""


class StaleResponseError(OutcomeUnknownError):
    """The response is signed, but its `response-time` is outside this call.

    A signed failure names no refund, so it may belong to another call (docs/antom.md#verifying).
    """


class MalformedResponseError(OutcomeUnknownError):
    """The response is from Antom, but does not have the documented form."""


class GateRefusedError(AntomError):
    """Antom refused the call at its gate: nothing was executed (docs/antom.md#result-codes)."""


class ConnectionSettingsError(ValueError):
    """The gateway or this machine's proxy settings are unusable for an HTTP client."""
