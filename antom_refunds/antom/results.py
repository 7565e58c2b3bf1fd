"""What each of Antom's result codes means for a refund: one table (docs/antom.md#result-codes).

The status decides first and the code second. A code with an undocumented status proves nothing,
so it is doubt. `basis` names the source of a line: G refund guides, RN release notes,
F refund FAQ, D a reference page, X a sibling API that uses the same code.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from antom_refunds.domain.evidence import EvidenceKind


class CodeKind(StrEnum):
    """The category of a result code."""

    SUCCESS = "success"
    IN_PROCESS = "in_process"
    UNKNOWN = "unknown"  # outcome unknown: send the same request again
    CLOSED = "closed"
    NOT_FOUND = "not_found"  # in response to an inquiry: no such refund
    GATE = "gate"  # refused before anything was executed
    ID_CONFLICT = "id_conflict"  # Antom has this id with other fields
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One line of the table. `advice` is for operators and callers."""

    kind: CodeKind
    advice: str
    basis: str
    needs_attention: bool = False

    @property
    def status(self) -> str:
        """The documented status; `classify` decides by the status that a response has."""
        return DOCUMENTED_STATUS[self.kind]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a response's result means for the refund."""

    kind: EvidenceKind
    advice: str
    needs_attention: bool


def _gate(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.GATE, advice, basis, needs_attention=True)


def _failed(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.FAILED, advice, basis)


def _failed_needs_attention(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.FAILED, advice, basis, needs_attention=True)


_CLIENT: Final = _gate("fix the client-id or its permissions at Antom", "RN 2022-01, X")
_CALL: Final = _gate("the call itself is malformed: check gateway, path and version", "X")
_CONTRACT: Final = _failed_needs_attention("contact Antom's support about the contract", "X")
_NO_REFUND: Final = _failed_needs_attention(
    "the payment method does not support refunds: pay the buyer outside Antom", "G, RN 2022-09"
)

MEANINGS: Final[dict[str, CodeMeaning]] = {
    "SUCCESS": CodeMeaning(CodeKind.SUCCESS, "", "G"),
    "REFUND_IN_PROCESS": CodeMeaning(CodeKind.IN_PROCESS, "", "G, RN 2022-05"),
    "UNKNOWN_EXCEPTION": CodeMeaning(CodeKind.UNKNOWN, "the same request is sent again", "G, F"),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": CodeMeaning(
        CodeKind.UNKNOWN, "too many calls: lower the rate; the same request is sent again", "G, F"
    ),
    "ORDER_IS_CLOSED": CodeMeaning(
        CodeKind.CLOSED,
        "Antom has closed this id for good: a new attempt needs a new id",
        "G, RN 2022-01, X",
    ),
    "REFUND_NOT_EXIST": CodeMeaning(
        CodeKind.NOT_FOUND, "check payment id, environment and client-id", "X"
    ),
    "ORDER_NOT_EXIST": CodeMeaning(
        CodeKind.NOT_FOUND, "check payment id, environment and client-id", "X"
    ),
    "REPEAT_REQ_INCONSISTENT": CodeMeaning(
        CodeKind.ID_CONFLICT,
        "Antom has this id with other fields: find out who used it",
        "D, X",
    ),
    "MERCHANT_BALANCE_NOT_ENOUGH": _failed(
        "wait for new sales or top up the balance, then refund with a new id", "G, D"
    ),
    "REFUND_WINDOW_EXCEED": _failed_needs_attention(
        "the refund period has expired: pay the buyer outside Antom", "G, X"
    ),
    "ORDER_STATUS_INVALID": _failed(
        "the payment has not succeeded: check it, and refund with a new id once it has", "G, X"
    ),
    "PAYMENT_METHOD_NOT_SUPPORTED": _NO_REFUND,
    "REFUND_NOT_SUPPORTED": _NO_REFUND,
    "PARTIAL_REFUND_NOT_SUPPORTED": _failed(
        "the payment method allows full refunds only: refund the whole amount with a new id",
        "G, RN 2022-07",
    ),
    "MULTIPLE_REFUNDS_NOT_SUPPORTED": _failed(
        "the payment method allows one refund only: pay the rest outside Antom", "RN 2021-08"
    ),
    "REFUND_AMOUNT_EXCEED": _failed("the amount exceeds what is left of the payment", "X"),
    "ORDER_IS_CANCELED": _failed("the payment was cancelled: there is nothing to refund", "X"),
    "CURRENCY_NOT_SUPPORT": _failed("refund in the payment's currency, with a new id", "X"),
    "PARAM_ILLEGAL": _failed("fix the field that Antom names, and use a new id", "G, X"),
    "RISK_REJECT": _failed_needs_attention(
        "refused by Antom's risk control: contact Antom's support", "X"
    ),
    "PROCESS_FAIL": _failed_needs_attention(
        "do not try again before Antom's support has replied", "G, X"
    ),
    "SYSTEM_ERROR": _failed_needs_attention(
        "do not try again before Antom's support has replied", "X"
    ),
    "INVALID_MERCHANT_STATUS": _failed_needs_attention(
        "the account is restricted: stop refunds and contact Antom", "RN"
    ),
    "INVALID_CONTRACT": _CONTRACT,
    "MERCHANT_NOT_REGISTERED": _CONTRACT,
    "MERCHANT_KYB_NOT_QUALIFIED": _CONTRACT,
    "BUSINESS_NOT_SUPPORT": _CONTRACT,
    "INVALID_SIGNATURE": _gate("fix the merchant's private key or its version", "D"),
    "KEY_NOT_FOUND": _gate("upload the merchant's public key to Antom", "X"),
    "ACCESS_DENIED": _gate("ask Antom to permit this API for the client-id", "RN 2023-11, X"),
    "INVALID_CLIENT": _CLIENT,
    "CLIENT_INVALID": _CLIENT,
    "UNKNOWN_CLIENT": _CLIENT,
    "INVALID_CLIENT_STATUS": _CLIENT,
    "CLIENT_FORBIDDEN_ACCESS_API": _CLIENT,
    "OAUTH_FAILED": _CLIENT,
    "OAUTH_FAIL": _CLIENT,
    "INVALID_API": _CALL,
    "NO_INTERFACE_DEF": _CALL,
    "API_IS_INVALID": _CALL,
    "METHOD_NOT_SUPPORTED": _CALL,
    "MEDIA_TYPE_NOT_ACCEPTABLE": _CALL,
    "MSG_PARSE_ERROR": _CALL,
    "FUNCTION_NOT_MATCH": _CALL,
}

# Sources disagree about ORDER_IS_CLOSED (docs/antom.md#order-is-closed).
DOCUMENTED_STATUS: Final = {
    CodeKind.SUCCESS: "S",
    CodeKind.IN_PROCESS: "U",
    CodeKind.UNKNOWN: "U",
    CodeKind.CLOSED: "U or F",
    CodeKind.NOT_FOUND: "F",
    CodeKind.GATE: "F",
    CodeKind.ID_CONFLICT: "F",
    CodeKind.FAILED: "F",
}

_UNKNOWN_CODE_ADVICE: Final = (
    "unknown result code: look it up in Antom's documentation before a new attempt"
)

# For responses to refund calls. Any combination not listed here is doubt.
_BY_STATUS_AND_KIND: Final[dict[tuple[str, CodeKind], EvidenceKind]] = {
    ("S", CodeKind.SUCCESS): EvidenceKind.SUCCEEDED,
    ("S", CodeKind.IN_PROCESS): EvidenceKind.PROCESSING,  # the guides call it "a successful refund"
    ("U", CodeKind.IN_PROCESS): EvidenceKind.PROCESSING,
    ("S", CodeKind.CLOSED): EvidenceKind.CLOSED_UNCONFIRMED,
    ("U", CodeKind.CLOSED): EvidenceKind.CLOSED_UNCONFIRMED,
    ("F", CodeKind.CLOSED): EvidenceKind.CLOSED_UNCONFIRMED,
    ("F", CodeKind.GATE): EvidenceKind.BLOCKED,
    ("F", CodeKind.ID_CONFLICT): EvidenceKind.ID_CONFLICT,
    ("F", CodeKind.FAILED): EvidenceKind.FAILED_UNCONFIRMED,
    ("F", CodeKind.NOT_FOUND): EvidenceKind.FAILED_UNCONFIRMED,
}
_BY_STATUS: Final = {"S": EvidenceKind.SUCCEEDED, "F": EvidenceKind.FAILED_UNCONFIRMED}


def classify(status: str, code: str) -> Verdict:
    """What a response to the refund call with this status (S, F or U) and code means."""
    meaning = MEANINGS.get(code)
    if meaning is None:
        kind = _BY_STATUS.get(status, EvidenceKind.DOUBT)
        return Verdict(
            kind, _UNKNOWN_CODE_ADVICE, needs_attention=kind is EvidenceKind.FAILED_UNCONFIRMED
        )
    kind = _BY_STATUS_AND_KIND.get((status, meaning.kind), EvidenceKind.DOUBT)
    return Verdict(kind, meaning.advice, meaning.needs_attention)


def code_kind(code: str) -> CodeKind | None:
    """The code's category; None for an unknown code."""
    meaning = MEANINGS.get(code)
    return None if meaning is None else meaning.kind
