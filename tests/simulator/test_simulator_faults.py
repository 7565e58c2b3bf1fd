"""Antom's bad days: what each fault does to an answer, and what it does to the money."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.errors import (
    AntomError,
    BadStatusError,
    GarbledAnswerError,
    NoAnswerError,
    UnverifiedAnswerError,
)
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import SignatureError, Signed, verify
from antom_refunds.antom.wire import RefundRequest
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.server import listening
from antom_refunds.simulator.world import World
from tests.simulator.stage import (
    BEGINNING,
    NOTIFY_URL,
    REFUND_PATH,
    Merchant,
    Timeline,
    a_payment,
    a_script,
    an_order,
    asking,
)

Headers = Callable[..., dict[str, str]]

DISTURBANCES = [
    (FaultKind.CUT_BEFORE, NoAnswerError, 0),
    (FaultKind.CUT_AFTER, NoAnswerError, 1),
    (FaultKind.TRUNCATED, NoAnswerError, 1),
    (FaultKind.HTTP_500, BadStatusError, 0),
    (FaultKind.UNSIGNED, UnverifiedAnswerError, 1),
    (FaultKind.MISSIGNED, UnverifiedAnswerError, 1),
    (FaultKind.GARBLED, GarbledAnswerError, 1),
]


@pytest.fixture
async def over_sockets(
    world: World, account: Account, timeline: Timeline
) -> AsyncIterator[AntomClient]:
    """Our client on a real connection to a real server on this machine."""
    async with (
        listening(world) as gateway,
        AntomClient(replace(account, gateway=gateway), now=lambda: timeline.now) as antom,
    ):
        yield antom


@pytest.mark.parametrize(("kind", "error", "moved"), DISTURBANCES)
async def test_a_disturbed_answer_leaves_the_money_as_its_fault_says(
    world: World, antom: AntomClient, kind: FaultKind, error: type[AntomError], moved: int
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, kind))

    with pytest.raises(error):
        await antom.refund(an_order())

    assert len(world.view().movements) == moved
    assert (await antom.refund(an_order())).result.result_code == "SUCCESS"
    assert len(world.view().movements) == 1


@pytest.mark.parametrize(("kind", "error", "moved"), DISTURBANCES)
async def test_a_real_connection_shows_the_same_faults(
    world: World,
    over_sockets: AntomClient,
    kind: FaultKind,
    error: type[AntomError],
    moved: int,
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, kind))

    with pytest.raises(error):
        await over_sockets.refund(an_order())

    assert len(world.view().movements) == moved
    assert (await over_sockets.refund(an_order())).result.result_code == "SUCCESS"


async def test_an_http_error_may_come_although_the_refund_was_executed(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.HTTP_500, executed=True)
    world.faults.follow(a_script(Operation.REFUND, fault))

    with pytest.raises(BadStatusError):
        await antom.refund(an_order())

    assert len(world.view().movements) == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_any_code_may_be_answered_whether_it_is_true_or_not(
    world: World,
    antom: AntomClient,
    executed: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.ANSWER_CODE, code="PROCESS_FAIL", status="U", executed=executed)
    world.faults.follow(a_script(Operation.REFUND, fault))

    answer = await antom.refund(an_order())

    assert (answer.result.result_code, answer.result.result_status) == ("PROCESS_FAIL", "U")
    assert len(world.view().movements) == int(executed)


async def test_a_delayed_answer_waits_after_the_money_has_moved(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    timeline.hold()
    world.ledger.add_payment(a_payment())
    fault = Fault(delay=timedelta(milliseconds=250))
    world.faults.follow(a_script(Operation.REFUND, fault))

    asking = asyncio.create_task(antom.refund(an_order()))
    await timeline.waited.wait()
    moved = len(world.view().movements)
    timeline.flow()

    assert (await asking).result.result_code == "SUCCESS"
    assert (timeline.waits, moved) == ([0.25], 1)


async def test_a_stale_inquiry_says_processing_after_the_end(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.INQUIRY, FaultKind.STALE))
    await antom.refund(an_order())

    stale, fresh = await antom.inquire_refund("rf_1"), await antom.inquire_refund("rf_1")

    assert (stale.refund_status, stale.refund_time) == ("PROCESSING", None)
    assert fresh.refund_status == "SUCCESS"


async def test_a_stale_inquiry_about_nothing_still_finds_nothing(
    world: World, antom: AntomClient
) -> None:
    world.faults.follow(a_script(Operation.INQUIRY, FaultKind.STALE))

    assert (await antom.inquire_refund("rf_1")).result.result_code == "REFUND_NOT_EXIST"


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.ABSENT, "F"), (FaultKind.ABSENT_NULL, "S")]
)
async def test_an_absent_inquiry_knows_no_refund_although_there_is_one(
    world: World, antom: AntomClient, kind: FaultKind, status: str
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.INQUIRY, kind))
    await antom.refund(an_order())

    absent, present = await antom.inquire_refund("rf_1"), await antom.inquire_refund("rf_1")

    assert (absent.result.result_status, absent.refund_status) == (status, None)
    assert present.refund_status == "SUCCESS"


async def test_payment_inquiries_have_faults_of_their_own(world: World, antom: AntomClient) -> None:
    world.faults.follow(a_script(Operation.PAYMENT, FaultKind.UNSIGNED, subject="pay_1"))

    with pytest.raises(UnverifiedAnswerError):
        await antom.inquire_payment("pay_1")


async def test_a_forgotten_id_moves_the_money_twice_and_the_ledger_shows_it(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, FaultKind.NONE, FaultKind.FORGOTTEN))

    await antom.refund(an_order())
    await antom.refund(an_order())

    assert [m.amount.minor for m in world.view().moved("rf_1")] == [1250, 1250]


@pytest.mark.parametrize("is_heard", [True, False])
async def test_an_overtaken_answer_comes_after_the_notification(
    world: World,
    antom: AntomClient,
    merchant: Merchant,
    is_heard: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.ledger.add_payment(a_payment(is_async=True))
    world.faults.follow(a_script(Operation.REFUND, FaultKind.OVERTAKEN))
    if not is_heard:
        world.faults.follow(a_script(Operation.NOTIFY, FaultKind.LOST))

    answer = await antom.refund(an_order(notify_url=NOTIFY_URL))
    first = len(merchant.requests)
    await world.background.idle()

    assert answer.result.result_code == "REFUND_IN_PROCESS"
    assert (first, len(merchant.requests)) == (int(is_heard), 1)
    assert len(world.view().movements) == 1


async def test_an_overtaken_refund_without_a_url_just_ends_early(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment(is_async=True))
    world.faults.follow(a_script(Operation.REFUND, FaultKind.OVERTAKEN))

    await antom.refund(an_order())

    assert (await antom.inquire_refund("rf_1")).refund_status == "SUCCESS"


async def test_a_call_is_known_by_when_it_was_last_heard(
    world: World, antom: AntomClient, timeline: Timeline
) -> None:
    await antom.inquire_refund("rf_1")
    timeline.now += timedelta(minutes=1)
    await antom.inquire_refund("rf_1")

    (calls,) = world.view().calls
    assert (calls.count, calls.last_at) == (2, BEGINNING + timedelta(minutes=1))


async def test_calls_and_payloads_are_counted_even_when_no_answer_leaves(
    world: World, antom: AntomClient
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, FaultKind.CUT_BEFORE))

    with pytest.raises(NoAnswerError):
        await antom.refund(an_order())
    await antom.refund(an_order())
    await antom.refund(an_order(reason="another text"))

    view = world.view()
    assert view.count("rf_1", CallKind.REFUND) == 3
    assert len(view.payloads[0].digests) == 2


@pytest.mark.parametrize("kind", [FaultKind.UNSIGNED, FaultKind.MISSIGNED])
async def test_a_stranger_may_lie_about_a_refund_that_was_done(
    http: httpx.AsyncClient,
    world: World,
    signed: Callable[..., dict[str, str]],
    kind: FaultKind,
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, Fault(kind=kind, code="PROCESS_FAIL")))
    body = RefundRequest.of(an_order()).body()

    answer = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert answer.json()["result"]["resultCode"] == "PROCESS_FAIL"
    assert len(world.view().movements) == 1


async def _told(http: httpx.AsyncClient, headers: Headers, kind: CallKind) -> httpx.Response:
    fields = {"refundRequestId": "rf_1"}
    bodies = {CallKind.REFUND: RefundRequest.of(an_order()).body()}
    body = bodies.get(kind, json.dumps(fields).encode())
    path = f"/ams/api/v1/payments/{kind}"
    return await http.post(path, content=body, headers=headers(body, path=path))


def _is_genuine(answer: httpx.Response, path: str, antom_public: Path) -> bool:
    covered = Signed(
        path=path,
        client_id=answer.headers["client-id"],
        time=answer.headers.get("response-time", ""),
        body=answer.content,
    )
    try:
        verify(covered, answer.headers.get("signature"), [read_public_key(antom_public)])
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("is_signed", [True, False])
async def test_a_scripted_code_comes_with_a_signature_unless_the_script_says_otherwise(
    http: httpx.AsyncClient,
    world: World,
    signed: Headers,
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.ANSWER_CODE, code="INVALID_SIGNATURE", is_signed=is_signed)
    world.faults.follow(a_script(Operation.REFUND, fault))

    answer = await _told(http, signed, CallKind.REFUND)

    assert answer.json()["result"]["resultCode"] == "INVALID_SIGNATURE"
    assert ("signature" in answer.headers) == ("response-time" in answer.headers) == is_signed
    assert world.view().movements == ()


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("kind", [CallKind.REFUND, CallKind.INQUIRY])
async def test_a_stale_response_is_genuine_and_bears_its_old_time(  # noqa: PLR0917
    http: httpx.AsyncClient,
    world: World,
    signed: Headers,
    antom_keys: tuple[Path, Path],
    kind: CallKind,
    executed: bool,  # noqa: FBT001 - parametrized
) -> None:
    world.ledger.add_payment(a_payment())
    stale = Fault(kind=FaultKind.STALE_RESPONSE, executed=executed)
    operation = Operation.REFUND if kind is CallKind.REFUND else Operation.INQUIRY
    world.faults.follow(a_script(operation, stale))

    answer = await _told(http, signed, kind)

    told = datetime.fromisoformat(answer.headers["response-time"])
    assert _is_genuine(answer, f"/ams/api/v1/payments/{kind}", antom_keys[1])
    assert BEGINNING - told == timedelta(days=75)
    assert answer.json().keys() == {"result"}
    assert len(world.view().movements) == int(executed and kind is CallKind.REFUND)


@pytest.mark.parametrize(
    ("kind", "operation", "code"),
    [
        (CallKind.REFUND, Operation.REFUND, "PROCESS_FAIL"),
        (CallKind.INQUIRY, Operation.INQUIRY, "REFUND_NOT_EXIST"),
        (CallKind.PAYMENT, Operation.PAYMENT, "ORDER_NOT_EXIST"),
    ],
)
async def test_a_mixed_up_response_is_genuine_and_fresh_and_names_nobody(  # noqa: PLR0917
    http: httpx.AsyncClient,
    world: World,
    signed: Headers,
    antom_keys: tuple[Path, Path],
    kind: CallKind,
    operation: Operation,
    code: str,
) -> None:
    world.ledger.add_payment(a_payment())
    subject = "pay_1" if kind is CallKind.PAYMENT else "rf_1"
    world.faults.follow(a_script(operation, FaultKind.MIXED_UP_RESPONSE, subject=subject))
    path = f"/ams/api/v1/payments/{kind}"
    body = json.dumps(asking()).encode()

    answer = await http.post(path, content=body, headers=signed(body, path=path))

    assert _is_genuine(answer, path, antom_keys[1])
    assert datetime.fromisoformat(answer.headers["response-time"]) == BEGINNING
    assert answer.json().keys() == {"result"}
    assert answer.json()["result"]["resultCode"] == code
    assert len(world.view().movements) == int(kind is CallKind.REFUND)


@pytest.mark.parametrize("operation", [Operation.REFUND, Operation.INQUIRY, Operation.PAYMENT])
async def test_a_mixed_up_success_names_the_call_that_it_was_meant_for(
    world: World, antom: AntomClient, operation: Operation
) -> None:
    world.ledger.add_payment(a_payment())
    other = Fault(kind=FaultKind.MIXED_UP_RESPONSE, code="SUCCESS")
    subject = "pay_1" if operation is Operation.PAYMENT else "rf_1"
    world.faults.follow(a_script(operation, other, subject=subject))

    match operation:
        case Operation.REFUND:
            assert (await antom.refund(an_order())).refund_request_id == "another-refund"
        case Operation.INQUIRY:
            assert (await antom.inquire_refund("rf_1")).refund_request_id == "another-refund"
        case _:
            assert (await antom.inquire_payment("pay_1")).payment_id == "another-payment"


async def test_odd_fields_tell_the_truth_of_a_success(
    http: httpx.AsyncClient, world: World, signed: Headers
) -> None:
    world.ledger.add_payment(a_payment())
    world.faults.follow(a_script(Operation.REFUND, FaultKind.ODD_FIELDS))
    world.faults.follow(a_script(Operation.INQUIRY, FaultKind.ODD_FIELDS))

    answers = [await _told(http, signed, kind) for kind in (CallKind.REFUND, CallKind.INQUIRY)]

    assert [b"\\ud83d" in answer.content for answer in answers] == [True, True]
    assert [answer.json()["refundRequestId"] for answer in answers] == ["rf_1", "rf_1"]
    assert answers[1].json()["refundStatus"] == "SUCCESS"


async def test_odd_fields_tell_the_truth_of_a_refusal(
    http: httpx.AsyncClient, world: World, signed: Headers
) -> None:
    world.faults.follow(a_script(Operation.REFUND, FaultKind.ODD_FIELDS))

    answer = (await _told(http, signed, CallKind.REFUND)).json()

    assert answer["result"]["resultCode"] == "ORDER_NOT_EXIST"
    assert answer["result"]["resultMessage"] is None
    assert (answer["refundRequestId"], answer["refundAmount"]) == ("", {})


async def test_what_was_sent_is_known_by_its_digest(
    world: World, antom: AntomClient, merchant: Merchant
) -> None:
    world.ledger.add_payment(a_payment(is_async=True))
    world.faults.follow(a_script(Operation.NOTIFY, FaultKind.LOST))

    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await world.background.idle()

    lost, left = world.view().sent("rf_1")
    assert lost.digest == ""
    assert left.digest == sha256(merchant.requests[0].content).hexdigest()
