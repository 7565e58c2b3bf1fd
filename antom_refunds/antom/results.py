"""What each of Antom's result codes means for a refund: one table (docs/antom.md#result-codes).

The status decides first and the code second. A code that stands with another status than it
should proves nothing, so it is doubt. `basis` is how sure the line is: G refund guides,
RN release notes, F refund FAQ, D a reference page, X a sibling API that uses the same code.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from antom_refunds.domain.evidence import EvidenceKind


class CodeKind(StrEnum):
    """What a code is about."""

    SUCCESS = "success"
    IN_PROCESS = "in_process"
    UNKNOWN = "unknown"  # outcome unknown: the same request again
    CLOSED = "closed"
    NOT_FOUND = "not_found"  # as an inquiry's answer: no such refund
    GATE = "gate"  # refused before anything was executed
    ID_CONFLICT = "id_conflict"  # the id stands at Antom with other fields
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One line of the table. `advice` is what a person or the caller should do."""

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
    """What a result says about the refund."""

    kind: EvidenceKind
    advice: str
    needs_attention: bool


def _gate(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.GATE, advice, basis, needs_attention=True)


def _failed(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.FAILED, advice, basis)


def _failed_needs_attention(advice: str, basis: str) -> CodeMeaning:
    return CodeMeaning(CodeKind.FAILED, advice, basis, needs_attention=True)


_CLIENT: Final = _gate("mend the client-id or its permissions at Antom", "RN 2022-01, X")
_CALL: Final = _gate("the call itself is malformed: check gateway, path and version", "X")
_CONTRACT: Final = _failed_needs_attention("ask Antom's support about the contract", "X")
_NO_REFUND: Final = _failed_needs_attention(
    "the method cannot refund: pay the buyer outside Antom", "G, RN 2022-09"
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
        "this id is dead at Antom: a new attempt needs a new id",
        "G, RN 2022-01, X",
    ),
    "REFUND_NOT_EXIST": CodeMeaning(
        CodeKind.NOT_FOUND, "check payment id, environment and client-id", "X"
    ),
    "ORDER_NOT_EXIST": CodeMeaning(
        CodeKind.NOT_FOUND, "check payment id, environment and client-id", "X"
    ),
    "REPEAT_REQ_INCONSISTENT": CodeMeaning(
        CodeKind.ID_CONFLICT, "the id is used at Antom with other fields: find out by whom", "D, X"
    ),
    "MERCHANT_BALANCE_NOT_ENOUGH": _failed(
        "wait for new sales or top up the balance, then refund with a new id", "G, D"
    ),
    "REFUND_WINDOW_EXCEED": _failed_needs_attention(
        "the refund window is over: pay the buyer outside Antom", "G, X"
    ),
    "ORDER_STATUS_INVALID": _failed(
        "the payment has not succeeded: look at it, and refund with a new id once it has", "G, X"
    ),
    "PAYMENT_METHOD_NOT_SUPPORTED": _NO_REFUND,
    "REFUND_NOT_SUPPORTED": _NO_REFUND,
    "PARTIAL_REFUND_NOT_SUPPORTED": _failed(
        "the method refunds in full only: refund the whole amount with a new id", "G, RN 2022-07"
    ),
    "MULTIPLE_REFUNDS_NOT_SUPPORTED": _failed(
        "the method refunds only once: pay the rest outside Antom", "RN 2021-08"
    ),
    "REFUND_AMOUNT_EXCEED": _failed("more than what is left of the payment", "X"),
    "ORDER_IS_CANCELED": _failed("the payment was cancelled: there is nothing to refund", "X"),
    "CURRENCY_NOT_SUPPORT": _failed("refund in the payment's currency, with a new id", "X"),
    "PARAM_ILLEGAL": _failed("mend the field that Antom names, and use a new id", "G, X"),
    "RISK_REJECT": _failed_needs_attention(
        "Antom's risk control refused: ask Antom's support", "X"
    ),
    "PROCESS_FAIL": _failed_needs_attention(
        "do not try again before Antom's support has answered", "G, X"
    ),
    "SYSTEM_ERROR": _failed_needs_attention(
        "do not try again before Antom's support has answered", "X"
    ),
    "INVALID_MERCHANT_STATUS": _failed_needs_attention(
        "the account is restricted: stop refunds, ask Antom", "RN"
    ),
    "INVALID_CONTRACT": _CONTRACT,
    "MERCHANT_NOT_REGISTERED": _CONTRACT,
    "MERCHANT_KYB_NOT_QUALIFIED": _CONTRACT,
    "BUSINESS_NOT_SUPPORT": _CONTRACT,
    "INVALID_SIGNATURE": _gate("mend the merchant's private key or its version", "D"),
    "KEY_NOT_FOUND": _gate("upload the merchant's public key at Antom", "X"),
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
    "Antom answered with a code we do not know: look it up before a new attempt"
)

# As the answer to a refund call. What is not listed here is doubt.
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
    """What an answer to the refund call with this status (S, F or U) and code says."""
    meaning = MEANINGS.get(code)
    if meaning is None:
        kind = _BY_STATUS.get(status, EvidenceKind.DOUBT)
        return Verdict(
            kind, _UNKNOWN_CODE_ADVICE, needs_attention=kind is EvidenceKind.FAILED_UNCONFIRMED
        )
    kind = _BY_STATUS_AND_KIND.get((status, meaning.kind), EvidenceKind.DOUBT)
    return Verdict(kind, meaning.advice, meaning.needs_attention)


def code_kind(code: str) -> CodeKind | None:
    """What a code is about, None for a code that we do not know."""
    meaning = MEANINGS.get(code)
    return None if meaning is None else meaning.kind
