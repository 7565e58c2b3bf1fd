import pytest

from antom_refunds.antom.results import MEANINGS, Kind, kind_of, verdict
from antom_refunds.domain.evidence import Word

# What the answer to a refund call says, by what its code is about: with S, with F, with U.
SAYS: dict[Kind, tuple[Word, Word, Word]] = {
    Kind.SUCCESS: (Word.SUCCEEDED, Word.DOUBT, Word.DOUBT),
    Kind.IN_PROCESS: (Word.PROCESSING, Word.DOUBT, Word.PROCESSING),
    Kind.UNKNOWN: (Word.DOUBT, Word.DOUBT, Word.DOUBT),
    Kind.CLOSED: (Word.CLOSING, Word.CLOSING, Word.CLOSING),
    Kind.ABSENT: (Word.DOUBT, Word.FAILED_UNCONFIRMED, Word.DOUBT),
    Kind.GATE: (Word.DOUBT, Word.BLOCKED, Word.DOUBT),
    Kind.MISMATCH: (Word.DOUBT, Word.ID_CONFLICT, Word.DOUBT),
    Kind.FAILED: (Word.DOUBT, Word.FAILED_UNCONFIRMED, Word.DOUBT),
}

# Every code and what it is about, written down a second time: a slip in the table moves money.
KINDS: dict[Kind, str] = {
    Kind.SUCCESS: "SUCCESS",
    Kind.IN_PROCESS: "REFUND_IN_PROCESS",
    Kind.UNKNOWN: "UNKNOWN_EXCEPTION REQUEST_TRAFFIC_EXCEED_LIMIT",
    Kind.CLOSED: "ORDER_IS_CLOSED",
    Kind.ABSENT: "REFUND_NOT_EXIST ORDER_NOT_EXIST",
    Kind.MISMATCH: "REPEAT_REQ_INCONSISTENT",
    Kind.GATE: "INVALID_SIGNATURE KEY_NOT_FOUND ACCESS_DENIED INVALID_CLIENT CLIENT_INVALID "
    "UNKNOWN_CLIENT INVALID_CLIENT_STATUS CLIENT_FORBIDDEN_ACCESS_API OAUTH_FAILED OAUTH_FAIL "
    "INVALID_API NO_INTERFACE_DEF API_IS_INVALID METHOD_NOT_SUPPORTED "
    "MEDIA_TYPE_NOT_ACCEPTABLE MSG_PARSE_ERROR FUNCTION_NOT_MATCH",
    Kind.FAILED: "MERCHANT_BALANCE_NOT_ENOUGH REFUND_WINDOW_EXCEED ORDER_STATUS_INVALID "
    "PAYMENT_METHOD_NOT_SUPPORTED REFUND_NOT_SUPPORTED PARTIAL_REFUND_NOT_SUPPORTED "
    "MULTIPLE_REFUNDS_NOT_SUPPORTED REFUND_AMOUNT_EXCEED ORDER_IS_CANCELED CURRENCY_NOT_SUPPORT "
    "PARAM_ILLEGAL RISK_REJECT PROCESS_FAIL SYSTEM_ERROR INVALID_MERCHANT_STATUS "
    "INVALID_CONTRACT MERCHANT_NOT_REGISTERED MERCHANT_KYB_NOT_QUALIFIED BUSINESS_NOT_SUPPORT",
}
KIND_OF: dict[str, Kind] = {code: kind for kind, codes in KINDS.items() for code in codes.split()}


def test_every_code_is_of_the_kind_it_should_be() -> None:
    assert {code: meaning.kind for code, meaning in MEANINGS.items()} == KIND_OF
    assert {code: kind_of(code) for code in MEANINGS} == KIND_OF


@pytest.mark.parametrize(("place", "status"), list(enumerate("SFU")))
@pytest.mark.parametrize("code", KIND_OF)
def test_every_code_with_every_status_says_what_the_table_says(
    code: str, place: int, status: str
) -> None:
    judged = verdict(status, code)

    assert judged.word is SAYS[KIND_OF[code]][place]
    assert judged.advice == MEANINGS[code].advice
    assert judged.needs_human is MEANINGS[code].needs_human


@pytest.mark.parametrize(
    ("status", "word", "needs_human"),
    [("S", Word.SUCCEEDED, False), ("F", Word.FAILED_UNCONFIRMED, True), ("U", Word.DOUBT, False)],
)
@pytest.mark.parametrize("code", ["BRAND_NEW_CODE", "", "success"])
def test_of_a_code_we_do_not_know_the_status_decides(
    code: str, status: str, word: Word, *, needs_human: bool
) -> None:
    judged = verdict(status, code)

    assert (judged.word, judged.needs_human) == (word, needs_human)
    assert "look it up" in judged.advice
    assert kind_of(code) is None


@pytest.mark.parametrize("code", KINDS[Kind.GATE].split())
def test_whatever_is_refused_at_the_gate_wants_a_person(code: str) -> None:
    assert MEANINGS[code].needs_human


@pytest.mark.parametrize(
    "code", [code for code, kind in KIND_OF.items() if kind not in {Kind.SUCCESS, Kind.IN_PROCESS}]
)
def test_every_code_that_is_no_good_news_comes_with_advice(code: str) -> None:
    assert MEANINGS[code].advice
    assert MEANINGS[code].basis


@pytest.mark.parametrize("status", ["S", "F", "U"])
@pytest.mark.parametrize("code", [*KIND_OF, "BRAND_NEW_CODE"])
def test_no_answer_to_a_refund_call_says_by_itself_that_the_refund_failed(
    code: str, status: str
) -> None:
    assert verdict(status, code).word not in {Word.FAILED, Word.CLOSED}
