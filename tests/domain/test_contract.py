"""Names and values that cross process boundaries: running refunds depend on all of them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError

from antom_refunds import contract
from antom_refunds.antom.wire import InquireRefundRequest, RefundNotification, RefundRequest
from antom_refunds.contract import (
    Attribute,
    CallInput,
    Continuation,
    Dossier,
    DossierEntry,
    Instruction,
    RefundOutcome,
    Resolution,
    contradicts_outcome,
    evidence_from_instruction,
    evidence_from_resolution,
    outcome_of,
    workflow_id,
)
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState, Step
from antom_refunds.domain.state_machine import apply, contradicts

EUR: Final = Money(currency="EUR", minor=1250)
FULL: Final = RefundOrder(
    refund_request_id="rf-1",
    payment_id="pay-1",
    amount=EUR,
    merchant="shop",
    reason="item returned",
    notify_url="https://pay.example.com/antom",
    capture_id="cap-1",
    reference_refund_id="ref-1",
)
BARE: Final = RefundOrder(refund_request_id="rf-1", payment_id="pay-1", amount=EUR)
INSTRUCTION: Final = Instruction(by="ops", reason="the buyer called")
RESOLUTION: Final = Resolution(by="ops", reason="seen at the bank", proof="T-1", state="failed")
SUCCESS: Final = Evidence(
    source=Source.NOTIFICATION,
    kind=EvidenceKind.SUCCEEDED,
    code="SUCCESS",
    message="notified",
    advice="none",
    refund_request_id="rf-1",
    payment_id="pay-1",
    refund_id="antom-1",
    amount=EUR,
    refund_time=datetime(2026, 9, 12, 9, 11, 40, tzinfo=UTC),
    claimed_code="ACCESS_DENIED",
    is_repeated=True,
)
# A notification contains no payment id: it ends a refund that Antom has accepted.
ACCEPTED: Final = apply(
    Refund(order=FULL),
    Evidence(source=Source.RESPONSE, kind=EvidenceKind.PROCESSING, code="REFUND_IN_PROCESS"),
)


# --- stored names


def test_no_name_that_a_running_refund_relies_on_has_changed() -> None:
    names = {name: value for name, value in vars(contract).items() if name.isupper()}

    assert names == {
        "WORKFLOW": "Refund",
        "SIGNAL_NOTIFY": "notify",
        "UPDATE_CHECK_NOW": "check_now",
        "UPDATE_RESOLVE": "resolve",
        "UPDATE_CALL_OFF": "call_off",
        "QUERY_DOSSIER": "dossier",
        "ACTIVITY_REQUEST_REFUND": "request_refund",
        "ACTIVITY_AWAIT_RESULT": "await_result",
        "ACTIVITY_INQUIRE": "inquire",
        "NOT_SENT": "NotSent",
        "NOTHING_NEW": "NothingNew",
        "REFUNDS_QUEUE": "refunds",
        "ANTOM_QUEUE": "antom-calls",
        "INVALID_INPUT": "InvalidInput",
        "MEMO_OVERDUE_AFTER": "overdue_after_seconds",
        "RPC_TIMEOUT": timedelta(seconds=10),
        "SHORT_RPC_TIMEOUT": timedelta(seconds=3),
        "TEXT_MAX": 500,
    }


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (
            Attribute,
            (
                "RefundState RefundRequestId RefundPaymentId RefundMerchant RefundCurrency "
                "RefundResultCode RefundAmountMinor RefundNeedsAttention RefundOverdueAt "
                "RefundCaseKind"
            ),
        ),
        (RefundState, "requested blocked in_doubt processing succeeded failed closed"),
        (Step, "send poll inquire"),
        (Source, "response inquiry notification clock operator"),
        (
            EvidenceKind,
            (
                "succeeded failed closed processing doubt failed_unconfirmed id_conflict blocked "
                "closed_unconfirmed mismatch not_found no_information unsent overdue call_off check"
            ),
        ),
    ],
)
def test_no_stored_value_has_changed(names: Iterable[str], values: str) -> None:
    assert [str(name) for name in names] == values.split()


REFUND: Final = Refund(
    order=FULL,
    state=RefundState.SUCCEEDED,
    deciding_evidence=SUCCESS,
    doubt=SUCCESS,
    alarm=SUCCESS,
    alarms_cleared=3,
    mismatch=SUCCESS,
    id_conflict=SUCCESS,
    binding=SUCCESS,
    unbound_success=SUCCESS,
    failure=SUCCESS,
    second_failure=SUCCESS,
    closure=SUCCESS,
    call_off=SUCCESS,
    contradictions=(SUCCESS,),
    is_overdue=True,
    is_inquiry_due=True,
    is_send_due=True,
    is_undecided=True,
)
GOLDEN_ORDER: Final[dict[str, Any]] = {
    "refund_request_id": "rf-1",
    "payment_id": "pay-1",
    "amount": {"currency": "EUR", "minor": 1250},
    "merchant": "shop",
    "reason": "item returned",
    "notify_url": "https://pay.example.com/antom",
    "capture_id": "cap-1",
    "reference_refund_id": "ref-1",
}
GOLDEN_EVIDENCE: Final[dict[str, Any]] = {
    "source": "notification",
    "kind": "succeeded",
    "code": "SUCCESS",
    "message": "notified",
    "advice": "none",
    "needs_attention": False,
    "refund_request_id": "rf-1",
    "payment_id": "pay-1",
    "refund_id": "antom-1",
    "amount": {"currency": "EUR", "minor": 1250},
    "refund_time": "2026-09-12T09:11:40Z",
    "claimed_code": "ACCESS_DENIED",
    "is_repeated": True,
}
GOLDEN_REFUND: Final[dict[str, Any]] = {
    "order": GOLDEN_ORDER,
    "state": "succeeded",
    "deciding_evidence": GOLDEN_EVIDENCE,
    "doubt": GOLDEN_EVIDENCE,
    "alarm": GOLDEN_EVIDENCE,
    "alarms_cleared": 3,
    "mismatch": GOLDEN_EVIDENCE,
    "id_conflict": GOLDEN_EVIDENCE,
    "binding": GOLDEN_EVIDENCE,
    "unbound_success": GOLDEN_EVIDENCE,
    "failure": GOLDEN_EVIDENCE,
    "second_failure": GOLDEN_EVIDENCE,
    "closure": GOLDEN_EVIDENCE,
    "call_off": GOLDEN_EVIDENCE,
    "contradictions": [GOLDEN_EVIDENCE],
    "is_overdue": True,
    "is_inquiry_due": True,
    "is_send_due": True,
    "is_undecided": True,
}
NOON: Final = datetime(2026, 9, 12, 12, tzinfo=UTC)
GOLDEN: Final[tuple[tuple[BaseModel, dict[str, Any]], ...]] = (
    (FULL, GOLDEN_ORDER),
    (SUCCESS, GOLDEN_EVIDENCE),
    (REFUND, GOLDEN_REFUND),
    (
        CallInput(refund=REFUND, since=NOON, quiet_since=NOON, is_first_run=True),
        {
            "refund": GOLDEN_REFUND,
            "since": "2026-09-12T12:00:00Z",
            "quiet_since": "2026-09-12T12:00:00Z",
            "is_first_run": True,
        },
    ),
    (
        Continuation(
            refund=REFUND,
            entries=(DossierEntry(at=NOON, evidence=SUCCESS),),
            since={"watch processing": NOON},
            quiet_since=NOON,
        ),
        {
            "refund": GOLDEN_REFUND,
            "entries": [{"at": "2026-09-12T12:00:00Z", "evidence": GOLDEN_EVIDENCE}],
            "since": {"watch processing": "2026-09-12T12:00:00Z"},
            "quiet_since": "2026-09-12T12:00:00Z",
        },
    ),
    (
        DossierEntry(at=NOON, evidence=SUCCESS),
        {"at": "2026-09-12T12:00:00Z", "evidence": GOLDEN_EVIDENCE},
    ),
    (
        Dossier(
            refund=REFUND,
            waits_for=Step.POLL,
            attention_reason="look",
            entries=(DossierEntry(at=NOON, evidence=SUCCESS),),
        ),
        {
            "refund": GOLDEN_REFUND,
            "waits_for": "poll",
            "attention_reason": "look",
            "entries": [{"at": "2026-09-12T12:00:00Z", "evidence": GOLDEN_EVIDENCE}],
        },
    ),
    (INSTRUCTION, {"by": "ops", "reason": "the buyer called"}),
    (
        RESOLUTION,
        {"by": "ops", "reason": "seen at the bank", "state": "failed", "proof": "T-1"},
    ),
    (
        RefundOutcome(
            refund_request_id="rf-1",
            payment_id="pay-1",
            merchant="shop",
            amount=EUR,
            state=RefundState.SUCCEEDED,
            result_code="SUCCESS",
            message="notified",
            advice="none",
            refund_id="antom-1",
            refund_time=NOON,
            attention_reason="look",
            is_contradicted=True,
        ),
        {
            "refund_request_id": "rf-1",
            "payment_id": "pay-1",
            "merchant": "shop",
            "amount": {"currency": "EUR", "minor": 1250},
            "state": "succeeded",
            "result_code": "SUCCESS",
            "message": "notified",
            "advice": "none",
            "refund_id": "antom-1",
            "refund_time": "2026-09-12T12:00:00Z",
            "attention_reason": "look",
            "is_contradicted": True,
        },
    ),
)


@pytest.mark.parametrize(
    ("model", "golden"), GOLDEN, ids=[type(model).__name__ for model, _ in GOLDEN]
)
def test_stored_values_are_read_and_written_unchanged(
    model: BaseModel, golden: dict[str, Any]
) -> None:
    assert json.loads(model.model_dump_json()) == golden
    assert type(model).model_validate_json(json.dumps(golden)) == model


@pytest.mark.parametrize(
    ("stored", "model"),
    [
        ({"refund": {"order": GOLDEN_ORDER}}, CallInput(refund=Refund(order=FULL))),
        ({"refund": {"order": GOLDEN_ORDER}}, Continuation(refund=Refund(order=FULL))),
        (
            {"source": "notification", "kind": "doubt", "code": "x"},
            Evidence(source=Source.NOTIFICATION, kind=EvidenceKind.DOUBT, code="x"),
        ),
    ],
)
def test_a_field_that_an_older_version_did_not_store_has_its_default(
    stored: dict[str, Any], model: BaseModel
) -> None:
    assert type(model).model_validate(stored) == model


@pytest.mark.parametrize(
    "model", [REFUND, SUCCESS, CallInput(refund=REFUND), Continuation(refund=REFUND)]
)
def test_a_field_that_a_newer_version_stored_is_ignored(model: BaseModel) -> None:
    stored = {**model.model_dump(mode="json"), "from_the_future": 1}

    assert type(model).model_validate(stored) == model


# --- sent bytes


def test_a_full_order_is_sent_as_exactly_these_bytes() -> None:
    assert RefundRequest.of(FULL).body() == (
        b'{"refundRequestId":"rf-1","paymentId":"pay-1",'
        b'"refundAmount":{"currency":"EUR","value":"1250"},"refundReason":"item returned",'
        b'"refundNotifyUrl":"https://pay.example.com/antom","captureId":"cap-1",'
        b'"referenceRefundId":"ref-1"}'
    )


def test_a_bare_order_is_sent_without_empty_fields() -> None:
    assert RefundRequest.of(BARE).body() == (
        b'{"refundRequestId":"rf-1","paymentId":"pay-1",'
        b'"refundAmount":{"currency":"EUR","value":"1250"}}'
    )


def test_a_reason_is_sent_as_utf8() -> None:
    order = BARE.model_copy(update={"reason": 'zurück "heute"'})

    assert '"refundReason":"zurück \\"heute\\""'.encode() in RefundRequest.of(order).body()


def test_an_inquiry_is_sent_as_exactly_these_bytes() -> None:
    assert InquireRefundRequest(refund_request_id="rf-1").body() == b'{"refundRequestId":"rf-1"}'


def test_an_order_read_from_a_history_sends_the_same_bytes() -> None:
    stored = RefundOrder.model_validate_json(FULL.model_dump_json())

    assert RefundRequest.of(stored).body() == RefundRequest.of(FULL).body()


def test_a_notification_is_stored_under_antoms_names() -> None:
    assert set(RefundNotification.model_json_schema(by_alias=True)["properties"]) == {
        "notifyType",
        "result",
        "refundStatus",
        "refundRequestId",
        "refundId",
        "refundAmount",
        "refundTime",
    }


# --- ids


def test_a_refund_has_one_workflow_id() -> None:
    assert workflow_id("rf-1", merchant="shop") == "refund/shop/rf-1"


# --- outcomes


def test_an_outcome_contains_the_final_state_and_its_evidence() -> None:
    refund = apply(ACCEPTED, SUCCESS)

    assert outcome_of(refund) == RefundOutcome(
        refund_request_id="rf-1",
        payment_id="pay-1",
        merchant="shop",
        amount=EUR,
        state=RefundState.SUCCEEDED,
        result_code="SUCCESS",
        message="notified",
        advice="none",
        refund_id="antom-1",
        refund_time=SUCCESS.refund_time,
    )


def test_an_outcome_shows_that_antom_sent_two_final_results() -> None:
    failed = SUCCESS.model_copy(update={"kind": EvidenceKind.FAILED})

    outcome = outcome_of(apply(apply(ACCEPTED, SUCCESS), failed))

    assert outcome.is_contradicted
    assert outcome.state is RefundState.SUCCEEDED
    assert outcome.attention_reason is not None


@pytest.mark.parametrize(
    "refund",
    [
        Refund(order=BARE),
        Refund(order=BARE, state=RefundState.PROCESSING, deciding_evidence=SUCCESS),
        Refund(order=BARE, state=RefundState.SUCCEEDED),
    ],
)
def test_there_is_no_outcome_before_a_terminal_state(refund: Refund) -> None:
    with pytest.raises(ValueError, match=r"rf-1 is .*: no outcome yet"):
        outcome_of(refund)


@pytest.mark.parametrize(
    ("change", "is_against"),
    [
        ({}, False),
        ({"refund_id": None}, False),
        ({"refund_id": "antom-2"}, True),
        ({"kind": EvidenceKind.FAILED}, True),
        ({"kind": EvidenceKind.CLOSED}, True),
        ({"kind": EvidenceKind.CLOSED_UNCONFIRMED}, True),
        ({"kind": EvidenceKind.MISMATCH}, True),
        ({"kind": EvidenceKind.PROCESSING}, False),
        ({"refund_request_id": "rf-2"}, True),
        ({"amount": EUR.model_copy(update={"minor": 1})}, True),
        ({"amount": None}, True),
    ],
)
def test_a_stored_outcome_is_contradicted_by_what_contradicts_its_refund(
    change: dict[str, Any], *, is_against: bool
) -> None:
    refund = apply(ACCEPTED, SUCCESS)
    late = SUCCESS.model_copy(update=change)

    assert contradicts_outcome(outcome_of(refund), late) is is_against
    assert contradicts(refund, late) is is_against


# --- instructions


@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CLOSED])
def test_a_resolution_ends_the_refund_with_operator_reason_and_proof(state: RefundState) -> None:
    resolution = Resolution.model_validate({**RESOLUTION.model_dump(), "state": state.value})

    refund = apply(Refund(order=BARE), evidence_from_resolution(resolution))

    assert refund.state is state
    assert refund.deciding_evidence is not None
    assert refund.deciding_evidence.code == "resolved_by_operator"
    assert refund.deciding_evidence.message == "ops: seen at the bank (proof: T-1)"


def test_an_instruction_contains_operator_and_reason() -> None:
    evidence = evidence_from_instruction(EvidenceKind.CALL_OFF, INSTRUCTION)

    assert evidence == Evidence(
        source=Source.OPERATOR,
        kind=EvidenceKind.CALL_OFF,
        code="call_off_by_operator",
        message="ops: the buyer called",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"by": ""},
        {"by": "x" * 101},
        {"reason": ""},
        {"reason": "x" * 501},
        {"proof": ""},
        {"proof": "x" * 501},
        {"state": "processing"},
        {"mood": "good"},
    ],
)
def test_a_resolution_without_name_reason_and_proof_is_rejected(
    change: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        Resolution.model_validate({**RESOLUTION.model_dump(), **change})
