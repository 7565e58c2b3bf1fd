"""Notifications: their signature, their schedule, their acknowledgement, and their faults."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import SignedMessage, WrongSignatureError, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotification
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.notifier import SCHEDULE, DeliveryResult
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import (
    CLIENT_ID,
    NOTIFY_URL,
    FakeClock,
    MerchantWebhook,
    a_payment,
    a_script,
    an_order,
)


def _verify(request: httpx.Request, antom_keys: tuple[Path, Path]) -> None:
    signed = SignedMessage(
        path=request.url.raw_path.decode(),
        client_id=request.headers["client-id"],
        time=request.headers["request-time"],
        body=request.content,
    )
    verify(signed, request.headers["signature"], [read_public_key(antom_keys[1])])


async def _refund_until_idle(simulator: AntomSimulator, antom: AntomClient, **payment: Any) -> None:
    """Refund an asynchronous payment and wait until no task is left."""
    simulator.ledger.add_payment(a_payment(is_async=True, settle_after=timedelta(), **payment))
    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await simulator.tasks.idle()


async def test_the_end_of_an_asynchronous_refund_is_notified_with_antoms_signature(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
) -> None:
    await _refund_until_idle(simulator, antom)

    (request,) = webhook.requests
    _verify(request, antom_keys)
    assert str(request.url) == NOTIFY_URL
    assert request.headers["client-id"] == CLIENT_ID
    notification = RefundNotification.model_validate_json(request.content)
    assert (notification.notify_type, notification.refund_status) == ("REFUND_RESULT", "SUCCESS")
    assert (notification.result.result_status, notification.refund_request_id) == ("S", "rf_1")
    assert notification.refund_time
    assert "paymentId" not in webhook.received[0]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(SettlementOutcome.FAIL, "PROCESS_FAIL"), (SettlementOutcome.CLOSED, "ORDER_IS_CLOSED")],
)
async def test_a_failure_is_notified_with_its_code(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    outcome: SettlementOutcome,
    code: str,
) -> None:
    await _refund_until_idle(simulator, antom, ends=outcome)

    notification = RefundNotification.model_validate_json(webhook.requests[0].content)
    assert (notification.result.result_status, notification.result.result_code) == ("F", code)
    assert (notification.refund_status, notification.refund_time) == ("FAIL", None)


async def test_a_synchronous_refund_is_not_notified(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.ledger.add_payment(a_payment())

    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await simulator.tasks.idle()

    assert webhook.requests == []


async def test_without_a_url_nothing_is_sent(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order())
    await simulator.tasks.idle()

    assert webhook.requests == []
    assert len(simulator.snapshot().movements) == 1


@pytest.mark.parametrize(
    ("requested", "used"),
    [(None, "http://localhost/dashboard"), (NOTIFY_URL, NOTIFY_URL)],
)
async def test_the_requests_url_wins_over_the_dashboards(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    requested: str | None,
    used: str,
) -> None:
    merchant = simulator.authenticator.merchant(CLIENT_ID)
    assert merchant
    dashboard = {"notify_url": "http://localhost/dashboard"}
    simulator.register(merchant.model_copy(update=dashboard))
    simulator.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url=requested))
    await simulator.tasks.idle()

    assert [str(request.url) for request in webhook.requests] == [used]


async def test_an_unacknowledged_notification_is_sent_eight_times_on_antoms_schedule(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook, clock: FakeClock
) -> None:
    webhook.responses = [httpx.Response(503) for _ in range(8)]

    await _refund_until_idle(simulator, antom)

    assert clock.waits == [0, 0, 120, 600, 600, 3600, 7200, 21600, 54000]
    sent = simulator.snapshot().notifications_of("rf_1")
    assert [s.number for s in sent] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {(s.status_code, s.is_acknowledged) for s in sent} == {(503, False)}
    gaps = [after.at - before.at for before, after in pairwise(sent)]
    assert gaps == list(SCHEDULE[1:])


@pytest.mark.parametrize(
    "wrong",
    [
        httpx.Response(200),
        httpx.Response(200, text="SUCCESS"),
        httpx.Response(200, json={"result": "SUCCESS"}),
        httpx.Response(200, json={"result": {"resultCode": "SUCCESS", "resultStatus": "F"}}),
        httpx.Response(200, json={"result": {"resultCode": "DONE", "resultStatus": "S"}}),
        httpx.Response(200, content=ACKNOWLEDGEMENT + b" " * 100_000),
        httpx.Response(201, content=ACKNOWLEDGEMENT),
        httpx.ConnectError("refused"),
    ],
)
async def test_only_the_exact_acknowledgement_stops_the_notifications(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    wrong: httpx.Response | Exception,
) -> None:
    webhook.responses = [wrong]

    await _refund_until_idle(simulator, antom)

    assert [s.is_acknowledged for s in simulator.snapshot().notifications_of("rf_1")] == [
        False,
        True,
    ]
    assert webhook.received[0] == webhook.received[1]


def test_any_message_is_valid_in_an_acknowledgement() -> None:
    body = b'{"result": {"resultMessage": "Success", "resultStatus": "S", "resultCode": "SUCCESS"}}'

    assert DeliveryResult(200, body).is_acknowledgement


async def test_an_attempt_that_is_not_sent_is_followed_by_the_next(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.NOT_SENT))

    await _refund_until_idle(simulator, antom)

    sent = simulator.snapshot().notifications_of("rf_1")
    assert [(s.fault, s.is_acknowledged) for s in sent] == [("not_sent", False), (None, True)]
    assert len(webhook.requests) == 1


async def test_a_repeated_notification_is_sent_the_given_number_of_times(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    fault = Fault(kind=FaultKind.REPEATED, times=3)
    simulator.fault_plan.add(a_script(Operation.NOTIFY, fault))

    await _refund_until_idle(simulator, antom)

    assert len(webhook.requests) == 3
    assert len({request.content for request in webhook.requests}) == 1


async def test_a_delayed_notification_waits_before_it_is_sent(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook, clock: FakeClock
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, Fault(delay=timedelta(seconds=90))))

    await _refund_until_idle(simulator, antom)

    assert clock.waits == [0, 0, 90]
    assert len(webhook.requests) == 1


async def test_a_forged_notification_has_the_opposite_result_and_a_wrong_signature(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.FORGED))

    await _refund_until_idle(simulator, antom)

    forged, true = webhook.requests
    with pytest.raises(WrongSignatureError):
        _verify(forged, antom_keys)
    _verify(true, antom_keys)
    assert [body["refundStatus"] for body in webhook.received] == ["FAIL", "SUCCESS"]


@pytest.mark.parametrize("outcome", [SettlementOutcome.SUCCESS, SettlementOutcome.FAIL])
async def test_an_inconsistent_notification_contradicts_itself_with_a_valid_signature(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
    outcome: SettlementOutcome,
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.INCONSISTENT))

    await _refund_until_idle(simulator, antom, ends=outcome)

    (body,) = webhook.received
    _verify(webhook.requests[0], antom_keys)
    actual = body["result"]["resultStatus"], body["refundStatus"]
    assert actual == (("S", "FAIL") if outcome is SettlementOutcome.SUCCESS else ("F", "SUCCESS"))


async def test_a_notification_may_have_a_wrong_amount(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.WRONG_AMOUNT))

    await _refund_until_idle(simulator, antom)

    assert [body["refundAmount"]["value"] for body in webhook.received] == ["1251"]


async def test_contradicting_notifications_end_with_the_opposite_of_the_truth(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.CONTRADICTING))

    await _refund_until_idle(simulator, antom)

    for request in webhook.requests:
        _verify(request, antom_keys)
    assert [body["refundStatus"] for body in webhook.received] == ["SUCCESS", "FAIL"]


async def test_contradicting_notifications_may_be_concurrent(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.fault_plan.add(
        a_script(Operation.NOTIFY, Fault(kind=FaultKind.CONTRADICTING, concurrent=True))
    )
    webhook.barrier = asyncio.Barrier(2)

    await _refund_until_idle(simulator, antom)

    assert sorted(body["refundStatus"] for body in webhook.received) == ["FAIL", "SUCCESS"]
    truth, _ = simulator.snapshot().notifications_of("rf_1")
    assert truth.digest == sha256(webhook.requests[0].content).hexdigest()


async def test_a_notification_may_lack_its_amount(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.WITHOUT_AMOUNT))

    await _refund_until_idle(simulator, antom)

    _verify(webhook.requests[0], antom_keys)
    assert "refundAmount" not in webhook.received[0]
    assert webhook.received[0]["refundStatus"] == "SUCCESS"


@pytest.mark.parametrize(
    ("outcome", "actual"),
    [
        (SettlementOutcome.SUCCESS, ("SUCCESS", "Success \ud83d")),
        (SettlementOutcome.FAIL, ("FAIL", None)),
    ],
)
async def test_a_true_notification_may_have_odd_fields(  # noqa: PLR0917
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
    outcome: SettlementOutcome,
    actual: tuple[str, str | None],
) -> None:
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.ODD_FIELDS))

    await _refund_until_idle(simulator, antom, ends=outcome)

    _verify(webhook.requests[0], antom_keys)
    (body,) = webhook.received
    assert (body["refundStatus"], body["result"]["resultMessage"]) == actual
    assert (body["refundRequestId"], body["refundAmount"]["value"]) == ("rf_1", "1250")


@pytest.mark.parametrize("url", ["http://192.0.2.1/notify", "https://shop.example.com/notify"])
async def test_nothing_is_sent_to_another_machine(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook, url: str
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url=url))
    await simulator.tasks.idle()

    assert webhook.requests == []
    assert {s.error for s in simulator.snapshot().notifications_of("rf_1")} == {"NotLoopback"}


async def test_an_invalid_url_is_recorded(simulator: AntomSimulator, antom: AntomClient) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url="http://127.0.0.1:x/notify"))
    await simulator.tasks.idle()

    assert {s.error for s in simulator.snapshot().notifications_of("rf_1")} == {"InvalidURL"}
