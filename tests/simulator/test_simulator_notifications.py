"""Notifications: their signature, their schedule, what ends it, and what can be wrong with them."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import Signed, WrongSignatureError, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotice
from antom_refunds.simulator.accounts import Ending
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.notifier import SCHEDULE
from antom_refunds.simulator.post import Reception, is_loopback
from antom_refunds.simulator.world import World
from tests.simulator.stage import (
    CLIENT_ID,
    NOTIFY_URL,
    Merchant,
    Timeline,
    a_payment,
    a_script,
    an_order,
)


def _verify(request: httpx.Request, antom_keys: tuple[Path, Path]) -> None:
    signed = Signed(
        path=request.url.raw_path.decode(),
        client_id=request.headers["client-id"],
        time=request.headers["request-time"],
        body=request.content,
    )
    verify(signed, request.headers["signature"], [read_public_key(antom_keys[1])])


async def _notified(world: World, antom: AntomClient, **payment: Any) -> None:
    """A refund of an asynchronous payment, followed until nothing more happens."""
    world.ledger.add_payment(a_payment(is_async=True, settle_after=timedelta(), **payment))
    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await world.background.idle()


async def test_the_end_of_an_asynchronous_refund_is_notified_with_antoms_signature(
    world: World, antom: AntomClient, merchant: Merchant, antom_keys: tuple[Path, Path]
) -> None:
    await _notified(world, antom)

    (request,) = merchant.requests
    _verify(request, antom_keys)
    assert str(request.url) == NOTIFY_URL
    assert request.headers["client-id"] == CLIENT_ID
    notice = RefundNotice.model_validate_json(request.content)
    assert (notice.notify_type, notice.refund_status) == ("REFUND_RESULT", "SUCCESS")
    assert (notice.result.result_status, notice.refund_request_id) == ("S", "rf_1")
    assert notice.refund_time
    assert "paymentId" not in merchant.heard[0]


@pytest.mark.parametrize(
    ("ending", "code"), [(Ending.FAIL, "PROCESS_FAIL"), (Ending.CLOSED, "ORDER_IS_CLOSED")]
)
async def test_a_failure_is_notified_with_its_code(
    world: World, antom: AntomClient, merchant: Merchant, ending: Ending, code: str
) -> None:
    await _notified(world, antom, ends=ending)

    notice = RefundNotice.model_validate_json(merchant.requests[0].content)
    assert (notice.result.result_status, notice.result.result_code) == ("F", code)
    assert (notice.refund_status, notice.refund_time) == ("FAIL", None)


async def test_a_synchronous_refund_is_not_notified(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.ledger.add_payment(a_payment())

    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await world.background.idle()

    assert merchant.requests == []


async def test_without_any_url_nothing_is_sent(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order())
    await world.background.idle()

    assert merchant.requests == []
    assert len(world.view().movements) == 1


@pytest.mark.parametrize(
    ("asked", "used"),
    [(None, "http://localhost/dashboard"), (NOTIFY_URL, NOTIFY_URL)],
)
async def test_the_requests_url_wins_over_the_dashboards(
    world: World, antom: AntomClient, merchant: Merchant, asked: str | None, used: str
) -> None:
    client = world.gate.client(CLIENT_ID)
    assert client
    dashboard = {"notify_url": "http://localhost/dashboard"}
    world.register(client.model_copy(update=dashboard))
    world.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url=asked))
    await world.background.idle()

    assert [str(request.url) for request in merchant.requests] == [used]


async def test_an_unacknowledged_notification_is_sent_eight_times_on_antoms_schedule(
    world: World, antom: AntomClient, merchant: Merchant, timeline: Timeline
) -> None:
    merchant.answers = [httpx.Response(503) for _ in range(8)]

    await _notified(world, antom)

    assert timeline.waits == [0, 0, 120, 600, 600, 3600, 7200, 21600, 54000]
    sent = world.view().sent("rf_1")
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
    world: World, antom: AntomClient, merchant: Merchant, wrong: httpx.Response | Exception
) -> None:
    merchant.answers = [wrong]

    await _notified(world, antom)

    assert [s.is_acknowledged for s in world.view().sent("rf_1")] == [False, True]
    assert merchant.heard[0] == merchant.heard[1]


def test_the_wording_of_an_acknowledgement_is_free() -> None:
    body = b'{"result": {"resultMessage": "Success", "resultStatus": "S", "resultCode": "SUCCESS"}}'

    assert Reception(200, body).is_acknowledgement


async def test_a_lost_notification_never_arrives_and_the_next_one_does(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.LOST))

    await _notified(world, antom)

    sent = world.view().sent("rf_1")
    assert [(s.fault, s.is_acknowledged) for s in sent] == [("lost", False), (None, True)]
    assert len(merchant.requests) == 1


async def test_a_repeated_notification_comes_as_often_as_was_said(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    fault = Fault(kind=FaultKind.REPEATED, times=3)
    world.faults.follow(a_script(Operation.NOTIFY, fault))

    await _notified(world, antom)

    assert len(merchant.requests) == 3
    assert len({request.content for request in merchant.requests}) == 1


async def test_a_late_notification_waits_before_it_leaves(
    world: World, antom: AntomClient, merchant: Merchant, timeline: Timeline
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, Fault(delay=timedelta(seconds=90))))

    await _notified(world, antom)

    assert timeline.waits == [0, 0, 90]
    assert len(merchant.requests) == 1


async def test_a_forged_notification_says_the_opposite_and_cannot_be_verified(
    world: World, antom: AntomClient, merchant: Merchant, antom_keys: tuple[Path, Path]
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.FORGED))

    await _notified(world, antom)

    forged, true = merchant.requests
    with pytest.raises(WrongSignatureError):
        _verify(forged, antom_keys)
    _verify(true, antom_keys)
    assert [body["refundStatus"] for body in merchant.heard] == ["FAIL", "SUCCESS"]


@pytest.mark.parametrize("ending", [Ending.SUCCESS, Ending.FAIL])
async def test_a_disagreeing_notification_contradicts_itself_over_a_good_signature(
    world: World,
    antom: AntomClient,
    merchant: Merchant,
    antom_keys: tuple[Path, Path],
    ending: Ending,
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.DISAGREEING))

    await _notified(world, antom, ends=ending)

    (body,) = merchant.heard
    _verify(merchant.requests[0], antom_keys)
    said = body["result"]["resultStatus"], body["refundStatus"]
    assert said == (("S", "FAIL") if ending is Ending.SUCCESS else ("F", "SUCCESS"))


async def test_a_notification_may_name_a_wrong_amount(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.WRONG_AMOUNT))

    await _notified(world, antom)

    assert [body["refundAmount"]["value"] for body in merchant.heard] == ["1251"]


async def test_reordered_notifications_end_with_the_opposite_of_the_truth(
    world: World, antom: AntomClient, merchant: Merchant, antom_keys: tuple[Path, Path]
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.REORDERED))

    await _notified(world, antom)

    for request in merchant.requests:
        _verify(request, antom_keys)
    assert [body["refundStatus"] for body in merchant.heard] == ["SUCCESS", "FAIL"]


async def test_the_truth_and_its_opposite_may_be_under_way_at_once(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, Fault(kind=FaultKind.REORDERED, at_once=True)))
    merchant.together = asyncio.Barrier(2)

    await _notified(world, antom)

    assert sorted(body["refundStatus"] for body in merchant.heard) == ["FAIL", "SUCCESS"]
    truth, _ = world.view().sent("rf_1")
    assert truth.digest == sha256(merchant.requests[0].content).hexdigest()


async def test_a_notification_may_lack_its_amount(
    world: World, antom: AntomClient, merchant: Merchant, antom_keys: tuple[Path, Path]
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.WITHOUT_AMOUNT))

    await _notified(world, antom)

    _verify(merchant.requests[0], antom_keys)
    assert "refundAmount" not in merchant.heard[0]
    assert merchant.heard[0]["refundStatus"] == "SUCCESS"


@pytest.mark.parametrize(
    ("ending", "said"),
    [(Ending.SUCCESS, ("SUCCESS", "Success \ud83d")), (Ending.FAIL, ("FAIL", None))],
)
async def test_a_notification_may_tell_the_truth_in_odd_fields(  # noqa: PLR0917
    world: World,
    antom: AntomClient,
    merchant: Merchant,
    antom_keys: tuple[Path, Path],
    ending: Ending,
    said: tuple[str, str | None],
) -> None:
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.ODD_FIELDS))

    await _notified(world, antom, ends=ending)

    _verify(merchant.requests[0], antom_keys)
    (body,) = merchant.heard
    assert (body["refundStatus"], body["result"]["resultMessage"]) == said
    assert (body["refundRequestId"], body["refundAmount"]["value"]) == ("rf_1", "1250")


@pytest.mark.parametrize("url", ["http://192.0.2.1/notify", "https://shop.example.com/notify"])
async def test_nothing_is_sent_beyond_this_machine(
    world: World, antom: AntomClient, merchant: Merchant, url: str
) -> None:
    world.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url=url))
    await world.background.idle()

    assert merchant.requests == []
    assert {s.error for s in world.view().sent("rf_1")} == {"NotLoopback"}


async def test_a_url_that_is_none_is_written_down_as_such(world: World, antom: AntomClient) -> None:
    world.ledger.add_payment(a_payment(is_async=True))

    await antom.refund(an_order(notify_url="http://127.0.0.1:x/notify"))
    await world.background.idle()

    assert {s.error for s in world.view().sent("rf_1")} == {"InvalidURL"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/", "http://[::1]/", "http://localhost/x"])
def test_this_machine_is_known_by_name_and_number(url: str) -> None:
    assert is_loopback(url)
