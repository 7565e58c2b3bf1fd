"""A notification is acknowledged only when Temporal has it; otherwise Antom sends it again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from antom_refunds import contract, delivery, notifications, webhook
from antom_refunds.connection import TemporalUnavailableError, open_client
from antom_refunds.delivery import SignalLimitError, signal_once
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.merchants import NotificationKeys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.webhook import NotificationHandler, create_app
from tests.harness import CLIENT_ID, WEBHOOK_PATH, Harness, KeyFiles, OutcomeLog, notification_keys
from tests.servers import start_temporal
from tests.webhook.notifications import ACKNOWLEDGED, headers, notification_body, posted
from tests.webhook.proxy import Proxy

SOON = timedelta(milliseconds=200)
# Seconds: far above SOON, and far below the default time limit of Temporal's client.
FAR_BELOW = 5
EVIDENCE = Evidence(source=Source.NOTIFICATION, kind=EvidenceKind.MISMATCH, code="SUCCESS")


@pytest.fixture
async def proxy(dev_server: WorkflowEnvironment) -> AsyncIterator[tuple[Proxy, Client]]:
    """A proxy of the server that can fail, and a client connected through it."""
    proxy = Proxy(dev_server.client.service_client.config.target_host)
    async with proxy.listening() as address:
        yield proxy, await open_client({"target_host": address})


async def test_a_signal_whose_connection_broke_is_sent_again(
    proxy: tuple[Proxy, Client], idle_harness: Harness, waiting: RefundOrder
) -> None:
    proxy_server, temporal = proxy
    proxy_server.cuts_left = 1

    await signal_once(temporal, idle_harness.handle(waiting).id, EVIDENCE, delivery_id="1")

    assert proxy_server.cuts == 1
    assert await idle_harness.signals(waiting) == 1


async def test_a_signal_that_is_never_answered_fails_in_bounded_time(
    proxy: tuple[Proxy, Client], waiting: RefundOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy_server, temporal = proxy
    proxy_server.is_discarding = True
    monkeypatch.setattr(delivery, "SHORT_RPC_TIMEOUT", SOON)
    workflow_id = contract.workflow_id(waiting.refund_request_id, merchant="default")

    async with asyncio.timeout(FAR_BELOW):
        with pytest.raises(RPCError):
            await signal_once(temporal, workflow_id, EVIDENCE, delivery_id="1")


async def test_antom_gets_a_503_when_temporal_does_not_respond_in_time(
    proxy: tuple[Proxy, Client], antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    proxy_server, temporal = proxy
    proxy_server.is_discarding = True
    tally, body = OutcomeLog(), notification_body(waiting)
    handler = NotificationHandler(
        notifications=NotificationDelivery(temporal),
        keys=notification_keys(antom_keys),
        count=tally,
        temporal_limit=SOON,
    )

    app = create_app(handler, path=WEBHOOK_PATH)
    async with asyncio.timeout(FAR_BELOW):
        response = await posted(app, body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, tally.outcomes) == (503, ["temporal_unavailable"])


def test_the_time_limit_for_temporal_is_below_antoms(idle_harness: Harness) -> None:
    handler = NotificationHandler(
        notifications=idle_harness.notifications, keys={}, count=OutcomeLog()
    )

    assert contract.SHORT_RPC_TIMEOUT < handler.temporal_limit <= timedelta(seconds=5)


async def test_a_refund_that_restarts_during_delivery_must_be_notified_again(
    idle_harness: Harness, waiting: RefundOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_early(*_: object, **__: object) -> None:
        raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")

    monkeypatch.setattr(notifications, "signal_once", too_early)
    monkeypatch.setattr(notifications, "RPC_TIMEOUT", SOON)

    async with asyncio.timeout(FAR_BELOW):
        with pytest.raises(TemporalUnavailableError, match="repeat the notification"):
            await idle_harness.notifications.deliver(
                waiting.refund_request_id, EVIDENCE, delivery_id="1"
            )


PASSING = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)
# With the text that the log must contain, so that an operator can fix the cause.
LASTING = (
    (RPCStatusCode.PERMISSION_DENIED, "TEMPORAL_NAMESPACE"),
    (RPCStatusCode.UNAUTHENTICATED, "TEMPORAL_API_KEY"),
    (RPCStatusCode.INVALID_ARGUMENT, "said by the server"),
    (RPCStatusCode.FAILED_PRECONDITION, "said by the server"),
    (RPCStatusCode.DATA_LOSS, "said by the server"),
)


@pytest.fixture
def refusing(
    idle_harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> Callable[[RPCStatusCode], None]:
    """Make Temporal reject signals with this status, which a local server never does."""

    def refuse(status: RPCStatusCode) -> None:
        async def refused(*_: object, **__: object) -> None:
            raise RPCError("said by the server", status, b"")

        service = idle_harness.temporal.workflow_service
        monkeypatch.setattr(service, "signal_workflow_execution", refused)

    return refuse


@pytest.mark.parametrize("status", PASSING)
async def test_antom_gets_a_503_while_temporal_has_temporary_errors(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    refusing: Callable[[RPCStatusCode], None],
    caplog: pytest.LogCaptureFixture,
    status: RPCStatusCode,
) -> None:
    refusing(status)
    body = notification_body(idle_harness.order())

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, idle_harness.outcomes.outcomes) == (503, ["temporal_unavailable"])
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize("refusal", LASTING)
async def test_an_error_of_temporal_that_an_operator_must_fix_is_logged_too(
    idle_harness: Harness,
    antom_keys: KeyFiles,
    refusing: Callable[[RPCStatusCode], None],
    caplog: pytest.LogCaptureFixture,
    refusal: tuple[RPCStatusCode, str],
) -> None:
    status, named = refusal
    refusing(status)
    order = idle_harness.order()
    body = notification_body(order)

    response = await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert (response.status_code, idle_harness.outcomes.outcomes) == (503, ["temporal_unavailable"])
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert (record.name, record.message) == (webhook.__name__, "notification.undeliverable")
    assert named in record.__dict__["reason"]
    assert record.__dict__["refund_request_id"] == order.refund_request_id


async def test_a_refund_at_its_signal_limit_is_an_error_and_not_acknowledged(
    runtime: Runtime, idle_harness: Harness, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    options = ["--dynamic-config-value", "history.maximumSignalsPerExecution=1"]
    environment = await start_temporal(runtime, options=options, has_attributes=False)
    order, tally = idle_harness.order(), OutcomeLog()
    async with environment:
        workflow_id = contract.workflow_id(order.refund_request_id, merchant="default")
        await environment.client.start_workflow("Refund", id=workflow_id, task_queue="no-worker")
        handler = NotificationHandler(
            notifications=NotificationDelivery(environment.client),
            keys=notification_keys(antom_keys),
            count=tally,
        )
        app = create_app(handler, path=WEBHOOK_PATH)
        answers = []
        for refund_id in ("1", "2"):
            body = notification_body(order, refundId=refund_id)
            answers.append(await posted(app, body, headers(body, antom_keys[0]), WEBHOOK_PATH))
        with pytest.raises(SignalLimitError):
            await signal_once(environment.client, workflow_id, EVIDENCE, delivery_id="3")

    assert [each.status_code for each in answers] == [200, 503]
    assert tally.outcomes == ["delivered", "temporal_unavailable"]
    (error,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert order.refund_request_id in error.__dict__["reason"]


async def test_a_notification_goes_to_the_refund_of_the_merchant_that_it_was_sent_to(
    idle_harness: Harness, antom_keys: KeyFiles
) -> None:
    order = idle_harness.order(merchant="other")
    await idle_harness.refunds.start(order)
    handle = idle_harness.temporal.get_workflow_handle(
        contract.workflow_id(order.refund_request_id, merchant="other")
    )
    keys = notification_keys(antom_keys)[CLIENT_ID].keys
    both = {CLIENT_ID: NotificationKeys("default", keys), "5X1": NotificationKeys("other", keys)}
    tally, body = OutcomeLog(), notification_body(order)
    app = create_app(
        NotificationHandler(notifications=idle_harness.notifications, keys=both, count=tally),
        path=WEBHOOK_PATH,
    )

    for client_id in (CLIENT_ID, "5X1"):
        signed = headers(body, antom_keys[0], client_id=client_id)
        assert (await posted(app, body, signed, WEBHOOK_PATH)).content == ACKNOWLEDGED
    await handle.terminate("the test is over")

    assert tally.outcomes == ["unknown", "delivered"]


async def test_notifications_with_different_bytes_are_all_stored(
    idle_harness: Harness, antom_keys: KeyFiles, waiting: RefundOrder
) -> None:
    for refund_id in ("1", "2"):
        body = notification_body(waiting, refundId=refund_id)
        await idle_harness.post(body, headers(body, antom_keys[0]), WEBHOOK_PATH)

    assert await idle_harness.signals(waiting) == 2
