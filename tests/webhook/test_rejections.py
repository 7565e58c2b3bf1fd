"""Every rejection is counted and logged; many equal rejections are one log line."""

import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from antom_refunds import webhook
from antom_refunds.domain.order import RefundOrder
from antom_refunds.log_limit import LogLimit
from antom_refunds.merchants import NotificationKeys
from antom_refunds.webhook import NotificationHandler, create_app
from tests.harness import CLIENT_ID, WEBHOOK_PATH, Harness, KeyFiles, OutcomeLog, notification_keys
from tests.webhook.notifications import headers, notification_body, posted


def refusals(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.__dict__
        for record in caplog.records
        if record.name == webhook.__name__ and record.message == "notification.rejected"
    ]


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("POST", WEBHOOK_PATH + "/", (404, "unknown_path")),
        ("POST", "/antom//refund-notify", (404, "unknown_path")),
        ("POST", "/health/", (404, "unknown_path")),
        ("GET", WEBHOOK_PATH, (405, "wrong_method")),
        ("OPTIONS", WEBHOOK_PATH, (405, "wrong_method")),
        ("POST", WEBHOOK_PATH, (401, "unknown_client")),
    ],
)
async def test_a_rejected_request_is_counted_and_logged_with_its_path(
    idle_harness: Harness,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    refused: tuple[int, str],
) -> None:
    status, reason = refused
    transport = httpx.ASGITransport(idle_harness.webhook)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        response = await http.request(method, path, headers={"client-id": "5X9"})

    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/plain;")
    assert idle_harness.outcomes.outcomes == [reason]
    (fields,) = refusals(caplog)
    assert (fields["levelno"], fields["reason"]) == (logging.WARNING, reason)
    assert (fields["method"], fields["path"], fields["client_id"]) == (method, path, "5X9")


async def test_a_log_line_is_short_for_any_request(
    idle_harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    await idle_harness.post(b"", {"client-id": "5" * 9000}, "/" + "x" * 9000)

    (fields,) = refusals(caplog)
    assert len(fields["path"]) + len(fields["client_id"]) < 300


async def test_equal_rejections_are_one_log_line_and_each_is_counted(
    idle_harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    for client_id in ("5X8", "5X9", "5X9", "5X9"):
        await idle_harness.post(b"", {"client-id": client_id}, WEBHOOK_PATH)

    assert [fields["client_id"] for fields in refusals(caplog)] == ["5X8", "5X9"]
    assert idle_harness.outcomes.outcomes == ["unknown_client"] * 4


async def test_an_unexpected_error_is_counted_and_never_acknowledged(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    waiting: RefundOrder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("antom_refunds.notifications.signal_once")
    body = notification_body(waiting)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert response.status_code == 500
    assert idle_harness.outcomes.outcomes == ["defect"]
    assert "notification.defect" in caplog.messages


def _app_of_two(harness: Harness, ours: KeyFiles, others: KeyFiles) -> tuple[Starlette, OutcomeLog]:
    """A webhook of our merchant and of 5X1, with Antom's key for each; and its outcomes."""
    of_files = [notification_keys(files)[CLIENT_ID].keys for files in (ours, others)]
    both = {
        CLIENT_ID: NotificationKeys("default", of_files[0]),
        "5X1": NotificationKeys("other", of_files[1]),
    }
    tally = OutcomeLog()
    handler = NotificationHandler(notifications=harness.notifications, keys=both, count=tally)
    return create_app(handler, path=WEBHOOK_PATH), tally


async def test_a_signature_is_valid_only_for_its_client_id(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    app, tally = _app_of_two(idle_harness, antom_keys, antom_keys)
    body = notification_body(waiting)
    borrowed = {**headers(body, antom_keys[0], client_id="5X1"), "client-id": CLIENT_ID}

    response = await posted(app, body, borrowed, WEBHOOK_PATH)

    assert (response.status_code, tally.outcomes) == (401, ["wrong_signature"])


async def test_antoms_key_of_one_merchant_is_invalid_for_another_merchant(
    idle_harness: Harness, antom_keys: KeyFiles, merchant_keys: KeyFiles, waiting: RefundOrder
) -> None:
    app, tally = _app_of_two(idle_harness, antom_keys, merchant_keys)
    body = notification_body(waiting)

    response = await posted(app, body, headers(body, merchant_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, tally.outcomes) == (401, ["wrong_signature"])


class Clock:
    """A clock in seconds that the test advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def limit(clock: Clock, *, keys_max: int = 100) -> LogLimit:
    return LogLimit(window=timedelta(seconds=60), keys_max=keys_max, now=clock)


def test_a_line_is_logged_again_after_a_minute_with_the_number_of_omitted_ones() -> None:
    clock = Clock()
    lines = limit(clock)

    assert [lines.admit("a") for _ in range(3)] == [0, None, None]
    clock.seconds = 59.9
    assert lines.admit("a") is None
    clock.seconds = 60
    assert [lines.admit("a"), lines.admit("a")] == [3, None]


def test_omitted_lines_that_never_recur_are_reported_with_another_line() -> None:
    clock = Clock()
    lines = limit(clock)
    for _ in range(5):
        lines.admit("a")

    clock.seconds = 60

    assert lines.admit("b") == 4


def test_keys_beyond_the_limit_per_minute_share_one_line() -> None:
    clock = Clock()
    lines = limit(clock, keys_max=3)

    written = [lines.admit(number) for number in range(1000)]

    assert [each for each in written if each is not None] == [0, 0, 0, 0]
    assert len(lines._lines) == 4
    clock.seconds = 60
    assert lines.admit("next") == 996
