"""A verified but malformed notification is never rejected: it is evidence of kind MISMATCH."""

import json
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.contrib.pydantic import pydantic_data_converter

from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.webhook import notification
from antom_refunds.webhook.notification import OtherEvent, RefundEvidence, UnusableNotification
from tests.harness import WEBHOOK_PATH, Harness, KeyFiles
from tests.webhook.notifications import ACKNOWLEDGED, headers, notification_body

ODD: list[tuple[dict[str, Any], str]] = [
    ({"refundAmount": None}, "refundAmount: is required"),
    ({"refundAmount": "12.50"}, "refundAmount"),
    ({"refundAmount": {"currency": "EUR"}}, "refundAmount.value: is required"),
    ({"refundStatus": None}, "refundStatus: is required"),
    ({"refundStatus": ["SUCCESS"]}, "refundStatus"),
    ({"refundStatus": "PENDING"}, "refundStatus PENDING"),
    ({"result": None}, "result: is required"),
    ({"result": "SUCCESS"}, "result"),
    ({"result": {"resultStatus": "X", "resultCode": "SUCCESS"}}, "result.resultStatus"),
    ({"result": {"resultStatus": "S"}}, "result.resultCode: is required"),
    ({"refundId": {"id": "1"}}, "refundId"),
    ({"refundId": "1" * 65}, "refundId"),
    ({"notifyType": "REFUND_REVERSED"}, "notifyType"),
    ({"notifyType": 7}, "notifyType"),
]


@pytest.mark.parametrize(("changes", "named"), ODD)
async def test_a_malformed_notification_reaches_its_refund_as_a_mismatch(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    waiting: RefundOrder,
    changes: dict[str, Any],
    named: str,
) -> None:
    body = notification_body(waiting, **changes)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, response.content) == (200, ACKNOWLEDGED)
    assert idle_harness.outcomes.outcomes == ["delivered"]
    (evidence,) = await _signalled(idle_harness, waiting)
    assert (evidence.source, evidence.kind) == (Source.NOTIFICATION, EvidenceKind.MISMATCH)
    assert evidence.refund_request_id == waiting.refund_request_id
    assert named in evidence.message


@pytest.mark.parametrize("message", [b"null", b'"\xff"', b'"\\ud83d"', b"7"])
async def test_an_unreadable_message_does_not_invalidate_a_notification(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder, message: bytes
) -> None:
    body = notification_body(waiting).replace(b'"success"', message)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    (evidence,) = await _signalled(idle_harness, waiting)
    assert evidence.kind is EvidenceKind.SUCCEEDED


async def test_a_malformed_notification_causes_an_inquiry_that_ends_the_refund(
    unscaled_harness: Harness, antom_keys: KeyFiles
) -> None:
    order = await unscaled_harness.start(unscaled_harness.payable_order(is_async=True))
    await unscaled_harness.until(order, lambda view: view.state is RefundState.PROCESSING)
    unscaled_harness.settle(order, SettlementOutcome.SUCCESS)
    body = notification_body(order, refundAmount=None)

    response = await unscaled_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert (await unscaled_harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED


def test_a_malformed_notification_of_any_length_makes_a_short_message() -> None:
    body = json.dumps({"refundRequestId": "rf-1", "refundId": "x" * 60_000}).encode()

    parsed = notification.parse_notification(body)

    assert isinstance(parsed, RefundEvidence)
    assert len(parsed.evidence.message) < 400


def test_amounts_and_ids_written_as_numbers_are_read_exactly() -> None:
    body = (
        b'{"refundRequestId": 12345678901234567890, "refundStatus": "SUCCESS",'
        b' "result": {"resultStatus": "S", "resultCode": "SUCCESS"},'
        b' "refundAmount": {"currency": "EUR", "value": 1250}}'
    )

    parsed = notification.parse_notification(body)

    assert isinstance(parsed, RefundEvidence)
    assert parsed.refund_request_id == "12345678901234567890"
    assert parsed.evidence.kind is EvidenceKind.SUCCEEDED
    assert parsed.evidence.amount is not None
    assert parsed.evidence.amount.minor == 1250


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b"", "body", "is not JSON"),
        (b"{", "body", "is not JSON"),
        (b"\xff\xfe", "body", "is not JSON"),
        (b"[" * 60_000, "body", "nested too deeply"),
        (b"[]", "body", "is not a JSON object"),
        (b"null", "body", "is not a JSON object"),
        (b"{}", "refundRequestId", "is missing"),
        (b'{"notifyType": "REFUND_RESULT"}', "refundRequestId", "is missing"),
        (b'{"refundRequestId": null}', "refundRequestId", "is missing"),
        (b'{"refundRequestId": ""}', "refundRequestId", "1 to 64 characters"),
        (b'{"refundRequestId": {}}', "refundRequestId", "1 to 64 characters"),
        (b'{"refundRequestId": false}', "refundRequestId", "1 to 64 characters"),
        (b'{"refundRequestId": "%s"}' % (b"x" * 65), "refundRequestId", "1 to 64 characters"),
        (b'{"notifyType": "PAYMENT_RESULT", "refundRequestId": 0.5e}', "body", "is not JSON"),
    ],
)
def test_a_notification_without_a_refund_id_is_unusable(
    body: bytes, field: str, reason: str
) -> None:
    unusable = notification.parse_notification(body)

    assert isinstance(unusable, UnusableNotification)
    assert unusable.field == field
    assert reason in unusable.reason


@pytest.mark.parametrize(
    ("body", "event_type"),
    [
        (b'{"notifyType": "PAYMENT_RESULT", "paymentId": "1"}', "PAYMENT_RESULT"),
        (b'{"notifyType": "PAYMENT_RESULT", "refundRequestId": null}', "PAYMENT_RESULT"),
        (b'{"disputeNotificationType": "DISPUTE_CREATED"}', "DISPUTE_CREATED"),
        (b'{"notifyType": "\\ud83d"}', "\ufffd"),
        (b'{"notifyType": "%s"}' % (b"A" * 70), "A" * 64),
    ],
)
def test_another_event_is_known_by_its_type(body: bytes, event_type: str) -> None:
    assert notification.parse_notification(body) == OtherEvent(event_type)


def test_a_byte_order_mark_before_a_notification_is_ignored() -> None:
    body = b'\xef\xbb\xbf{"refundRequestId": "rf-1"}'

    assert isinstance(notification.parse_notification(body), RefundEvidence)


async def _signalled(harness: Harness, order: RefundOrder) -> list[Evidence]:
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    evidence: list[Evidence] = []
    for event in (await harness.history(order)).events:
        if event.event_type == kind:
            payloads = event.workflow_execution_signaled_event_attributes.input.payloads
            evidence += await pydantic_data_converter.decode(payloads, [Evidence])
    return evidence
