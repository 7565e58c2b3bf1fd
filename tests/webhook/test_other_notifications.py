"""A notification for no running refund is acknowledged and logged with its body and reason."""

import hashlib
import logging
from typing import Any

import pytest

from antom_refunds import late_evidence, notifications, webhook
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from tests.harness import WEBHOOK_PATH, Harness, KeyFiles
from tests.webhook.notifications import ACKNOWLEDGED, failure_body, headers, notification_body


def fields_of(caplog: pytest.LogCaptureFixture, logger: str) -> dict[str, Any]:
    """The only record of this logger."""
    (record,) = [record for record in caplog.records if record.name == logger]
    return record.__dict__


async def test_an_unusable_notification_is_acknowledged_and_its_bytes_are_an_error_in_the_log(
    idle_harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"refundRequestId": "", "refundStatus": "SUCC\xff"}'

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, response.content) == (200, ACKNOWLEDGED)
    assert idle_harness.outcomes.outcomes == ["unusable"]
    fields = fields_of(caplog, webhook.__name__)
    assert (fields["levelno"], fields["msg"]) == (logging.ERROR, "notification.unusable")
    assert fields["field"] == "refundRequestId"
    assert "1 to 64 characters" in fields["reason"]
    assert fields["merchant"] == "default"
    assert fields["notification"] == '{"refundRequestId": "", "refundStatus": "SUCC\\xff"}'


async def test_another_event_is_acknowledged_and_its_type_is_logged(
    idle_harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"notifyType": "PAYMENT_RESULT", "paymentId": "1"}'

    with caplog.at_level(logging.INFO, webhook.__name__):
        response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, response.content) == (200, ACKNOWLEDGED)
    assert idle_harness.outcomes.outcomes == ["not_ours"]
    fields = fields_of(caplog, webhook.__name__)
    assert (fields["levelno"], fields["msg"]) == (logging.INFO, "notification.not_ours")
    assert (fields["event_type"], fields["merchant"]) == ("PAYMENT_RESULT", "default")


@pytest.mark.parametrize("strange_id", ["shop/7", "in the dashboard", "\u0000"])
async def test_an_id_that_no_refund_can_have_is_unknown_without_a_call_to_temporal(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    strange_id: str,
) -> None:
    monkeypatch.delattr(notifications, "signal_once")
    body = notification_body(idle_harness.order(), refundRequestId=strange_id)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert idle_harness.outcomes.outcomes == ["unknown"]
    assert fields_of(caplog, webhook.__name__)["notification"] == body.decode()


async def test_a_notification_of_an_unknown_refund_is_late_evidence(
    idle_harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    order = idle_harness.order()
    body = notification_body(order)

    await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    fields = fields_of(caplog, late_evidence.__name__)
    assert (fields["levelno"], fields["msg"]) == (
        logging.WARNING,
        "late_evidence.unknown_refund",
    )
    assert fields["workflow_id"] == f"refund/default/{order.refund_request_id}"
    assert fields["digest"] == hashlib.sha256(body).hexdigest()
    assert (fields["kind"], fields["outcome_state"]) == ("succeeded", None)


async def test_a_contradiction_after_the_end_is_late_evidence_with_the_existing_outcome(
    harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    order = await harness.start(harness.payable_order())
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    body = failure_body(order)

    await harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    fields = fields_of(caplog, late_evidence.__name__)
    assert (fields["levelno"], fields["msg"]) == (
        logging.ERROR,
        "late_evidence.contradicts_outcome",
    )
    assert (fields["kind"], fields["code"]) == ("failed", "PROCESS_FAIL")
    assert fields["outcome_state"] == "succeeded"
    assert fields["digest"] == hashlib.sha256(body).hexdigest()


async def test_a_notification_that_agrees_with_the_end_is_not_late_evidence(
    harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    order = await harness.start(harness.payable_order())
    outcome = await harness.wait_for_outcome(order)
    body = notification_body(order, refundId=outcome.refund_id)

    await harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert harness.outcomes.outcomes == ["already_terminal"]
    assert not [each for each in caplog.records if each.name == late_evidence.__name__]


async def test_a_malformed_notification_after_the_end_contradicts_it(
    harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    order: RefundOrder = await harness.start(harness.payable_order())
    await harness.wait_for_outcome(order)
    body = notification_body(order, refundAmount=None)

    response = await harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert harness.outcomes.outcomes == ["conflicts"]
    assert "refundAmount" in fields_of(caplog, webhook.__name__)["reason"]
