import pytest

from antom_refunds.antom.results import DOCUMENTED_STATUS, MEANINGS, CodeKind, classify, code_kind
from antom_refunds.domain.evidence import EvidenceKind

# The meaning of the response to a refund call, by the kind of its code: with S, with F, with U.
SAYS: dict[CodeKind, tuple[EvidenceKind, EvidenceKind, EvidenceKind]] = {
    CodeKind.SUCCESS: (EvidenceKind.SUCCEEDED, EvidenceKind.DOUBT, EvidenceKind.DOUBT),
    CodeKind.IN_PROCESS: (EvidenceKind.PROCESSING, EvidenceKind.DOUBT, EvidenceKind.PROCESSING),
    CodeKind.UNKNOWN: (EvidenceKind.DOUBT, EvidenceKind.DOUBT, EvidenceKind.DOUBT),
    CodeKind.CLOSED: (
        EvidenceKind.CLOSED_UNCONFIRMED,
        EvidenceKind.CLOSED_UNCONFIRMED,
        EvidenceKind.CLOSED_UNCONFIRMED,
    ),
    CodeKind.NOT_FOUND: (EvidenceKind.DOUBT, EvidenceKind.FAILED_UNCONFIRMED, EvidenceKind.DOUBT),
    CodeKind.GATE: (EvidenceKind.DOUBT, EvidenceKind.BLOCKED, EvidenceKind.DOUBT),
    CodeKind.ID_CONFLICT: (EvidenceKind.DOUBT, EvidenceKind.ID_CONFLICT, EvidenceKind.DOUBT),
    CodeKind.FAILED: (EvidenceKind.DOUBT, EvidenceKind.FAILED_UNCONFIRMED, EvidenceKind.DOUBT),
}

# Every code and its kind, written a second time: an error in the table could move money.
KINDS: dict[CodeKind, str] = {
    CodeKind.SUCCESS: "SUCCESS",
    CodeKind.IN_PROCESS: "REFUND_IN_PROCESS",
    CodeKind.UNKNOWN: "UNKNOWN_EXCEPTION REQUEST_TRAFFIC_EXCEED_LIMIT",
    CodeKind.CLOSED: "ORDER_IS_CLOSED",
    CodeKind.NOT_FOUND: "REFUND_NOT_EXIST ORDER_NOT_EXIST",
    CodeKind.ID_CONFLICT: "REPEAT_REQ_INCONSISTENT",
    CodeKind.GATE: "INVALID_SIGNATURE KEY_NOT_FOUND ACCESS_DENIED INVALID_CLIENT CLIENT_INVALID "
    "UNKNOWN_CLIENT INVALID_CLIENT_STATUS CLIENT_FORBIDDEN_ACCESS_API OAUTH_FAILED OAUTH_FAIL "
    "INVALID_API NO_INTERFACE_DEF API_IS_INVALID METHOD_NOT_SUPPORTED "
    "MEDIA_TYPE_NOT_ACCEPTABLE MSG_PARSE_ERROR FUNCTION_NOT_MATCH",
    CodeKind.FAILED: "MERCHANT_BALANCE_NOT_ENOUGH REFUND_WINDOW_EXCEED ORDER_STATUS_INVALID "
    "PAYMENT_METHOD_NOT_SUPPORTED REFUND_NOT_SUPPORTED PARTIAL_REFUND_NOT_SUPPORTED "
    "MULTIPLE_REFUNDS_NOT_SUPPORTED REFUND_AMOUNT_EXCEED ORDER_IS_CANCELED CURRENCY_NOT_SUPPORT "
    "PARAM_ILLEGAL RISK_REJECT PROCESS_FAIL SYSTEM_ERROR INVALID_MERCHANT_STATUS "
    "INVALID_CONTRACT MERCHANT_NOT_REGISTERED MERCHANT_KYB_NOT_QUALIFIED BUSINESS_NOT_SUPPORT",
}
KIND_OF: dict[str, CodeKind] = {
    code: kind for kind, codes in KINDS.items() for code in codes.split()
}


def test_every_code_is_of_the_kind_it_should_be() -> None:
    assert {code: meaning.kind for code, meaning in MEANINGS.items()} == KIND_OF
    assert {code: code_kind(code) for code in MEANINGS} == KIND_OF


@pytest.mark.parametrize(("place", "status"), list(enumerate("SFU")))
@pytest.mark.parametrize("code", KIND_OF)
def test_every_code_with_every_status_has_the_meaning_in_the_table(
    code: str, place: int, status: str
) -> None:
    judged = classify(status, code)

    assert judged.kind is SAYS[KIND_OF[code]][place]
    assert judged.advice == MEANINGS[code].advice
    assert judged.needs_attention is MEANINGS[code].needs_attention


@pytest.mark.parametrize(
    ("status", "kind", "needs_attention"),
    [
        ("S", EvidenceKind.SUCCEEDED, False),
        ("F", EvidenceKind.FAILED_UNCONFIRMED, True),
        ("U", EvidenceKind.DOUBT, False),
    ],
)
@pytest.mark.parametrize("code", ["BRAND_NEW_CODE", "", "success"])
def test_for_an_unknown_code_the_status_decides(
    code: str, status: str, kind: EvidenceKind, *, needs_attention: bool
) -> None:
    judged = classify(status, code)

    assert (judged.kind, judged.needs_attention) == (kind, needs_attention)
    assert "look it up" in judged.advice
    assert code_kind(code) is None


@pytest.mark.parametrize("code", KINDS[CodeKind.GATE].split())
def test_every_gate_refusal_needs_an_operator(code: str) -> None:
    assert MEANINGS[code].needs_attention


@pytest.mark.parametrize(
    "code",
    [code for code, kind in KIND_OF.items() if kind not in {CodeKind.SUCCESS, CodeKind.IN_PROCESS}],
)
def test_every_code_without_success_has_advice(code: str) -> None:
    assert MEANINGS[code].advice
    assert MEANINGS[code].basis


@pytest.mark.parametrize("status", ["S", "F", "U"])
@pytest.mark.parametrize("code", [*KIND_OF, "BRAND_NEW_CODE"])
def test_no_response_to_a_refund_call_is_a_final_failure(code: str, status: str) -> None:
    assert classify(status, code).kind not in {EvidenceKind.FAILED, EvidenceKind.CLOSED}


def test_every_kind_has_a_documented_status() -> None:
    assert set(DOCUMENTED_STATUS) == set(CodeKind)


@pytest.mark.parametrize("code", MEANINGS)
def test_only_an_unknown_outcome_is_doubt_where_the_status_is_the_documented_one(code: str) -> None:
    meaning = MEANINGS[code]

    kinds = {classify(status, code).kind for status in meaning.status.split(" or ")}

    assert (EvidenceKind.DOUBT in kinds) == (meaning.kind is CodeKind.UNKNOWN)
