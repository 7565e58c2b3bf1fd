"""What each of Antom's result codes means for a refund: one table (docs/antom.md#result-codes).

The status decides first and the code second. A code that stands with another status than it
should proves nothing, so it is doubt. `basis` is how sure the line is: G refund guides,
RN release notes, F refund FAQ, D a reference page, X a sibling API that uses the same code.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from antom_refunds.domain.evidence import Word


class Kind(StrEnum):
    """What a code is about."""

    SUCCESS = "success"
    IN_PROCESS = "in_process"
    UNKNOWN = "unknown"  # outcome unknown: the same request again
    CLOSED = "closed"
    ABSENT = "absent"  # as an inquiry's answer: no such refund
    GATE = "gate"  # refused before anything was executed
    MISMATCH = "mismatch"  # the id stands at Antom with other fields
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of the table. `advice` is what a person or the caller should do."""

    kind: Kind
    advice: str
    basis: str
    needs_human: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a result says about the refund."""

    word: Word
    advice: str
    needs_human: bool


def _gate(advice: str, basis: str) -> Meaning:
    return Meaning(Kind.GATE, advice, basis, needs_human=True)


def _failed(advice: str, basis: str) -> Meaning:
    return Meaning(Kind.FAILED, advice, basis)


def _look(advice: str, basis: str) -> Meaning:
    return Meaning(Kind.FAILED, advice, basis, needs_human=True)


_CLIENT: Final = _gate("mend the client-id or its permissions at Antom", "RN 2022-01, X")
_CALL: Final = _gate("the call itself is malformed: check gateway, path and version", "X")
_CONTRACT: Final = _look("ask Antom's support about the contract", "X")
_NO_REFUND: Final = _look("the method cannot refund: pay the buyer outside Antom", "G, RN 2022-09")

MEANINGS: Final[dict[str, Meaning]] = {
    "SUCCESS": Meaning(Kind.SUCCESS, "", "G"),
    "REFUND_IN_PROCESS": Meaning(Kind.IN_PROCESS, "", "G, RN 2022-05"),
    "UNKNOWN_EXCEPTION": Meaning(Kind.UNKNOWN, "the same request is sent again", "G, F"),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": Meaning(
        Kind.UNKNOWN, "too many calls: lower the rate; the same request is sent again", "G, F"
    ),
    "ORDER_IS_CLOSED": Meaning(
        Kind.CLOSED, "this id is dead at Antom: a new attempt needs a new id", "G, RN 2022-01, X"
    ),
    "REFUND_NOT_EXIST": Meaning(Kind.ABSENT, "check payment id, environment and client-id", "X"),
    "ORDER_NOT_EXIST": Meaning(Kind.ABSENT, "check payment id, environment and client-id", "X"),
    "REPEAT_REQ_INCONSISTENT": Meaning(
        Kind.MISMATCH, "the id is used at Antom with other fields: find out by whom", "D, X"
    ),
    "MERCHANT_BALANCE_NOT_ENOUGH": _failed(
        "wait for new sales or top up the balance, then refund with a new id", "G, D"
    ),
    "REFUND_WINDOW_EXCEED": _look("the refund window is over: pay the buyer outside Antom", "G, X"),
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
    "RISK_REJECT": _look("Antom's risk control refused: ask Antom's support", "X"),
    "PROCESS_FAIL": _look("do not try again before Antom's support has answered", "G, X"),
    "SYSTEM_ERROR": _look("do not try again before Antom's support has answered", "X"),
    "INVALID_MERCHANT_STATUS": _look("the account is restricted: stop refunds, ask Antom", "RN"),
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

_NEW_TO_US: Final = "Antom answered with a code we do not know: look it up before a new attempt"

# As the answer to a refund call. What is not listed here is doubt.
_VERDICTS: Final[dict[tuple[str, Kind], Word]] = {
    ("S", Kind.SUCCESS): Word.SUCCEEDED,
    ("S", Kind.IN_PROCESS): Word.PROCESSING,  # the guides call it "a successful refund"
    ("U", Kind.IN_PROCESS): Word.PROCESSING,
    ("S", Kind.CLOSED): Word.CLOSING,
    ("U", Kind.CLOSED): Word.CLOSING,
    ("F", Kind.CLOSED): Word.CLOSING,
    ("F", Kind.GATE): Word.BLOCKED,
    ("F", Kind.MISMATCH): Word.ID_CONFLICT,
    ("F", Kind.FAILED): Word.FAILED_UNCONFIRMED,
    ("F", Kind.ABSENT): Word.FAILED_UNCONFIRMED,
}
_UNLISTED: Final = {"S": Word.SUCCEEDED, "F": Word.FAILED_UNCONFIRMED}


def verdict(status: str, code: str) -> Verdict:
    """What an answer to the refund call with this status (S, F or U) and code says."""
    meaning = MEANINGS.get(code)
    if meaning is None:
        word = _UNLISTED.get(status, Word.DOUBT)
        return Verdict(word, _NEW_TO_US, needs_human=word is Word.FAILED_UNCONFIRMED)
    word = _VERDICTS.get((status, meaning.kind), Word.DOUBT)
    return Verdict(word, meaning.advice, meaning.needs_human)


def kind_of(code: str) -> Kind | None:
    """What a code is about, None for a code that we do not know."""
    meaning = MEANINGS.get(code)
    return None if meaning is None else meaning.kind
