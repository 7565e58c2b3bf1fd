"""The notification handler acknowledges a notification only when it is stored."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
)
from temporalio.testing import WorkflowEnvironment

from antom_refunds import webhook
from antom_refunds.connection import connect
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import (
    BODY_BYTES_MAX,
    NotificationHandler,
    create_app,
    notification_counter,
)
from tests.harness import CLIENT_ID, WEBHOOK_PATH, Harness, KeyFiles, OutcomeLog, notification_keys
from tests.webhook.notifications import (
    ACKNOWLEDGED,
    failure_body,
    headers,
    notification_body,
    posted,
)


async def test_a_genuine_notification_is_stored_and_acknowledged_as_antom_documents(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body = notification_body(waiting)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, response.content) == (200, ACKNOWLEDGED)
    assert response.headers["content-type"] == "application/json"
    assert idle_harness.outcomes.outcomes == ["delivered"]
    assert await idle_harness.signals(waiting) == 1


async def test_equal_bytes_are_stored_once_and_acknowledged_each_time(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body = notification_body(waiting)

    for _ in range(3):
        response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)
        assert response.content == ACKNOWLEDGED

    assert await idle_harness.signals(waiting) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"client_id": "5X99999999999999"}, "unknown_client"),
        ({"client_id": ""}, "unknown_client"),
        ({"signature": None}, "missing_signature"),
        ({"signature": "rubbish"}, "malformed_signature"),
        ({"signature": "algorithm=RSA256, keyVersion=1"}, "malformed_signature"),
        ({"signature": "algorithm=RSA256, signature=%%%"}, "malformed_signature"),
        ({"signature": "algorithm=none, signature=YWJj"}, "malformed_signature"),
        ({"signature": "algorithm=RSA256, keyVersion=1, signature=YWJj"}, "wrong_signature"),
        ({"request_time": "1"}, "wrong_signature"),
        ({"request_time": None}, "wrong_signature"),
        ({"path": "/elsewhere"}, "wrong_signature"),
    ],
)
async def test_an_unverified_notification_is_rejected_and_never_delivered(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    waiting: RefundOrder,
    change: Mapping[str, Any],
    reason: str,
) -> None:
    body = notification_body(waiting)
    forged = headers(body, antom_keys[0], **change)

    response = await idle_harness.post(body, forged, WEBHOOK_PATH)

    assert response.status_code == 401
    assert idle_harness.outcomes.outcomes == [reason]
    assert await idle_harness.signals(waiting) == 0


async def test_a_body_that_was_changed_in_transit_is_rejected(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body = notification_body(waiting)
    changed = body.replace(b"1250", b"1251")

    response = await idle_harness.post(changed, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.status_code == 401
    assert await idle_harness.signals(waiting) == 0


async def test_the_merchants_own_key_is_not_antoms(
    idle_harness: Harness, merchant_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body = notification_body(waiting)

    response = await idle_harness.post(body, headers(body, merchant_keys[0]), WEBHOOK_PATH)

    assert response.status_code == 401
    assert idle_harness.outcomes.outcomes == ["wrong_signature"]


async def test_new_fields_of_antom_are_ignored(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body = notification_body(waiting, somethingNew={"deep": [1, 2]})

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED


async def test_a_body_is_read_only_up_to_its_limit(
    idle_harness: Harness, antom_keys: KeyFiles
) -> None:
    for size, status in ((BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)):
        body = b" " * size
        response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)
        assert response.status_code == status

    assert idle_harness.outcomes.outcomes == ["unusable", "too_large"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_another_method_is_refused_and_counted(idle_harness: Harness, method: str) -> None:
    response = await _asked(idle_harness, method, WEBHOOK_PATH)

    assert response.status_code == 405
    assert idle_harness.outcomes.outcomes == ["wrong_method"]


async def test_another_path_is_not_found(idle_harness: Harness) -> None:
    assert (await _asked(idle_harness, "POST", "/elsewhere")).status_code == 404
    assert idle_harness.outcomes.outcomes == ["unknown_path"]


async def test_the_webhook_reports_that_it_is_healthy(idle_harness: Harness) -> None:
    response = await _asked(idle_harness, "GET", "/health")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_antom_gets_a_503_while_temporal_is_unavailable(
    antom_keys: KeyFiles, idle_harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    tally = OutcomeLog()
    away = NotificationDelivery(await connect(is_lazy=True))
    handler = NotificationHandler(
        notifications=away, keys=notification_keys(antom_keys), count=tally
    )
    body = notification_body(idle_harness.order())

    app = create_app(handler, path=WEBHOOK_PATH)
    response = await posted(app, body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.status_code == 503
    assert tally.outcomes == ["temporal_unavailable"]


async def test_the_query_is_part_of_what_is_signed(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    body, path = notification_body(waiting), f"{WEBHOOK_PATH}?shop=7&x=%2F"

    bare = await idle_harness.post(body, headers(body, antom_keys[0]), path)
    whole = await idle_harness.post(body, headers(body, antom_keys[0], path=path), path)

    assert (bare.status_code, whole.status_code) == (401, 200)


async def test_behind_a_proxy_the_public_path_is_what_is_signed(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    handler = NotificationHandler(
        notifications=idle_harness.notifications,
        keys=notification_keys(antom_keys),
        count=OutcomeLog(),
        public_path="/shop/antom?v=1",
    )
    app, body = create_app(handler, path=WEBHOOK_PATH), notification_body(waiting)

    public = headers(body, antom_keys[0], path="/shop/antom?v=1")

    assert (await posted(app, body, public, WEBHOOK_PATH)).status_code == 200
    inner = headers(body, antom_keys[0])
    assert (await posted(app, body, inner, WEBHOOK_PATH)).status_code == 401


async def test_several_keys_of_antom_are_valid_at_the_same_time(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder, tmp_path: Path
) -> None:
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = tmp_path / "new_private.pem", tmp_path / "new_public.pem"
    private.write_bytes(
        new.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        new.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    both = notification_keys(antom_keys, public)
    handler = NotificationHandler(
        notifications=idle_harness.notifications, keys=both, count=OutcomeLog()
    )
    app, body = create_app(handler, path=WEBHOOK_PATH), notification_body(waiting)

    for key in (antom_keys[0], private):
        response = await posted(app, body, headers(body, key), WEBHOOK_PATH)
        assert response.status_code == 200


async def test_a_notification_of_an_unknown_refund_is_acknowledged_and_logged(
    idle_harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    body = notification_body(idle_harness.order())

    with caplog.at_level(logging.INFO, webhook.__name__):
        response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert idle_harness.outcomes.outcomes == ["unknown"]
    (record,) = _records(caplog)
    assert (record.levelno, record.message) == (logging.WARNING, "notification.unknown")
    assert record.__dict__["notification"] == body.decode()


async def test_a_contradiction_is_acknowledged_counted_and_logged_as_an_error(
    harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    order = await harness.start(harness.payable_order())
    assert (await harness.wait_for_outcome(order)).state is RefundState.SUCCEEDED
    body = failure_body(order)

    with caplog.at_level(logging.INFO, webhook.__name__):
        response = await harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED
    assert harness.outcomes.outcomes == ["conflicts"]
    (record,) = _records(caplog)
    assert (record.levelno, record.message) == (logging.ERROR, "notification.conflicts")
    assert record.__dict__["notification"] == body.decode()


async def test_a_delivered_notification_leaves_no_payload_in_the_log(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    waiting: RefundOrder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = notification_body(waiting)

    with caplog.at_level(logging.DEBUG, webhook.__name__):
        await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    (record,) = _records(caplog)
    assert record.message == "notification.delivered"
    assert "notification" not in record.__dict__


def test_each_outcome_of_a_request_is_counted_in_the_metrics() -> None:
    buffer = MetricBuffer(100)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer))
    count = notification_counter(runtime.metric_meter)

    for end in ("delivered", "delivered", "wrong_signature"):
        count(end)

    updates = [
        update
        for update in buffer.retrieve_updates()
        if update.metric.name == "refund_notifications"
        and update.metric.kind == BUFFERED_METRIC_KIND_COUNTER
    ]
    assert [update.attributes["outcome"] for update in updates] == [
        "delivered",
        "delivered",
        "wrong_signature",
    ]
    assert sum(update.value for update in updates) == 3


_HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300),
    sent=st.fixed_dictionaries(
        {
            "client-id": st.one_of(st.just(CLIENT_ID), _HEADER),
            "request-time": _HEADER,
            "signature": st.one_of(_HEADER, _HEADER.map("algorithm=RSA256, signature={}".format)),
        }
    ),
    query=st.text("?&=%+/~abc019", max_size=20),
)
async def test_random_input_is_rejected_without_an_error(
    idle_harness: Harness,
    waiting: RefundOrder,
    body: bytes,
    sent: dict[str, str],
    query: str,
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(idle_harness.webhook), base_url="http://127.0.0.1"
    ) as http:
        url = httpx.URL("http://127.0.0.1" + WEBHOOK_PATH, query=query.encode())
        response = await http.post(url, content=body, headers=raw)

    assert 400 <= response.status_code < 500
    assert idle_harness.outcomes.outcomes[-1] != "defect"
    assert await idle_harness.signals(waiting) == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "refundRequestId": st.text(max_size=70),
            "refundStatus": st.one_of(st.text(max_size=70), st.none(), st.integers()),
            "refundId": st.one_of(st.text(max_size=70), st.none(), st.integers()),
            "refundTime": st.one_of(st.text(max_size=30), st.none(), st.integers()),
            "refundAmount": st.one_of(
                st.none(),
                st.fixed_dictionaries({"currency": st.text(max_size=4), "value": st.text()}),
                st.fixed_dictionaries({"currency": st.just("EUR"), "value": st.integers()}),
            ),
            "result": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"resultStatus": st.sampled_from("SFUX"), "resultCode": st.text(max_size=70)}
                ),
            ),
        },
    )
)
async def test_no_signed_body_breaks_the_webhook(
    idle_harness: Harness, antom_keys: KeyFiles, changes: dict[str, Any]
) -> None:
    body = notification_body(idle_harness.order(), **changes)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.content == ACKNOWLEDGED


async def test_antom_gets_a_503_while_our_temporal_settings_are_wrong(
    antom_keys: KeyFiles,
    idle_harness: Harness,
    dev_server: WorkflowEnvironment,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tally = OutcomeLog()
    address = dev_server.client.service_client.config.target_host
    lost = await Client.connect(
        address, namespace="nowhere", data_converter=pydantic_data_converter
    )
    nowhere = NotificationDelivery(lost)
    handler = NotificationHandler(
        notifications=nowhere, keys=notification_keys(antom_keys), count=tally
    )
    body = notification_body(idle_harness.order())

    app = create_app(handler, path=WEBHOOK_PATH)
    response = await posted(app, body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.status_code == 503
    assert tally.outcomes == ["temporal_unavailable"]
    assert "TEMPORAL_NAMESPACE" in caplog.records[0].__dict__["reason"]


def _records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == webhook.__name__]


async def _asked(harness: Harness, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(harness.webhook)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(method, path)
