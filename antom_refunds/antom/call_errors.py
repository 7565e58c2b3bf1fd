"""What may be concluded when Antom gave no answer about a refund.

AntomError                      no answer about the refund; the class says what that means
├── NotSentError                surely not sent: the request never left this process
├── OutcomeUnknownError         may have been executed
│   ├── NoResponseError         time ran out or the connection broke after sending
│   ├── BadStatusError          an HTTP status other than 200
│   ├── UnverifiedResponseError an answer without Antom's valid signature
│   ├── StaleResponseError      a signed answer that was made before or after this call
│   └── MalformedResponseError  a verified answer that is not what the API promises
└── GateRefusedError            refused at the gate: not executed, the same id may be used again
ConnectionSettingsError         no HTTP client can be made; raised at start only
"""


class AntomError(Exception):
    """Antom gave no answer about the refund. `code` is for operators and metrics.

    `claimed_code` is the result code that an unproven response claims, "" if it claims none. It
    is for people: nothing may be decided by it.
    """

    def __init__(self, code: str, message: str, *, claimed_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.claimed_code = claimed_code


class NotSentError(AntomError):
    """The request never left this process: nothing can have happened."""


class OutcomeUnknownError(AntomError):
    """The request may have been executed; only the same request or an inquiry can tell."""


class NoResponseError(OutcomeUnknownError):
    """Time ran out, or the connection broke, after the request may have left."""


class BadStatusError(OutcomeUnknownError):
    """An HTTP status other than 200; Antom's business answers all come with 200."""


class UnverifiedResponseError(OutcomeUnknownError):
    """The answer bears no valid signature of Antom, so it may be anybody's."""


class StaleResponseError(OutcomeUnknownError):
    """The answer is signed, but its `response-time` lies outside this call.

    A signed failure names no refund, so it may belong to another call (docs/antom.md#verifying).
    """


class MalformedResponseError(OutcomeUnknownError):
    """The answer is Antom's, but not of the documented form."""


class GateRefusedError(AntomError):
    """Antom refused the call at its gate: nothing was executed (docs/antom.md#result-codes)."""


class ConnectionSettingsError(ValueError):
    """No HTTP client can be made with this gateway or this machine's proxy settings."""
