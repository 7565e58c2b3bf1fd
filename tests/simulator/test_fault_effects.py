"""What each fault does to the response, and what it does to the money."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import (
    AntomError,
    BadStatusError,
    MalformedResponseError,
    NoResponseError,
    UnverifiedResponseError,
)
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import SignatureError, SignedMessage, verify
from antom_refunds.antom.wire import RefundRequest
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.server import serve_simulator
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import (
    NOTIFY_URL,
    REFUND_PATH,
    START,
    FakeClock,
    MerchantWebhook,
    a_payment,
    a_script,
    an_order,
    refund_fields,
)

Headers = Callable[..., dict[str, str]]

RESPONSE_FAULTS = [
    (FaultKind.CUT_BEFORE, NoResponseError, 0),
    (FaultKind.CUT_AFTER, NoResponseError, 1),
    (FaultKind.TRUNCATED, NoResponseError, 1),
    (FaultKind.HTTP_500, BadStatusError, 0),
    (FaultKind.UNSIGNED, UnverifiedResponseError, 1),
    (FaultKind.WRONG_KEY, UnverifiedResponseError, 1),
    (FaultKind.GARBLED, MalformedResponseError, 1),
]


@pytest.fixture
async def over_sockets(
    simulator: AntomSimulator, account: MerchantAccount, clock: FakeClock
) -> AsyncIterator[AntomClient]:
    """The product's client on a real connection to a real server on this machine."""
    async with (
        serve_simulator(simulator) as gateway,
        AntomClient(replace(account, gateway=gateway), now=lambda: clock.now) as antom,
    ):
        yield antom


@pytest.fixture(params=["in the same process", "over sockets"])
def either(
    request: pytest.FixtureRequest, antom: AntomClient, over_sockets: AntomClient
) -> AntomClient:
    """The product's client, once in the process of the simulator and once on a real connection."""
    return antom if request.param == "in the same process" else over_sockets


@pytest.mark.parametrize(("kind", "error", "moved"), RESPONSE_FAULTS)
async def test_a_faulty_response_moves_money_only_if_the_call_was_executed(
    simulator: AntomSimulator,
    either: AntomClient,
    kind: FaultKind,
    error: type[AntomError],
    moved: int,
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.REFUND, kind))

    with pytest.raises(error):
        await either.refund(an_order())

    assert len(simulator.snapshot().movements) == moved
    assert (await either.refund(an_order())).result.result_code == "SUCCESS"
    assert len(simulator.snapshot().movements) == 1


async def test_an_http_error_is_possible_after_the_refund_was_executed(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.HTTP_500, executed=True)
    simulator.fault_plan.add(a_script(Operation.REFUND, fault))

    with pytest.raises(BadStatusError):
        await antom.refund(an_order())

    assert len(simulator.snapshot().movements) == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_any_result_code_is_possible_true_or_not(
    simulator: AntomSimulator,
    antom: AntomClient,
    executed: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.RESULT_CODE, code="PROCESS_FAIL", status="U", executed=executed)
    simulator.fault_plan.add(a_script(Operation.REFUND, fault))

    response = await antom.refund(an_order())

    assert (response.result.result_code, response.result.result_status) == ("PROCESS_FAIL", "U")
    assert len(simulator.snapshot().movements) == int(executed)


async def test_a_delayed_response_waits_after_the_money_has_moved(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    clock.pause()
    simulator.ledger.add_payment(a_payment())
    fault = Fault(delay=timedelta(milliseconds=250))
    simulator.fault_plan.add(a_script(Operation.REFUND, fault))

    refund_fields = asyncio.create_task(antom.refund(an_order()))
    await clock.waited.wait()
    moved = len(simulator.snapshot().movements)
    clock.resume()

    assert (await refund_fields).result.result_code == "SUCCESS"
    assert (clock.waits, moved) == ([0.25], 1)


async def test_a_stale_inquiry_returns_processing_after_the_end(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.INQUIRY, FaultKind.STALE))
    await antom.refund(an_order())

    stale, fresh = await antom.inquire_refund("rf_1"), await antom.inquire_refund("rf_1")

    assert (stale.refund_status, stale.refund_time) == ("PROCESSING", None)
    assert fresh.refund_status == "SUCCESS"


async def test_a_stale_inquiry_about_an_unknown_refund_finds_nothing(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.fault_plan.add(a_script(Operation.INQUIRY, FaultKind.STALE))

    assert (await antom.inquire_refund("rf_1")).result.result_code == "REFUND_NOT_EXIST"


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.NOT_FOUND, "F"), (FaultKind.NOT_FOUND_NULL, "S")]
)
async def test_an_inquiry_may_find_no_refund_although_there_is_one(
    simulator: AntomSimulator, antom: AntomClient, kind: FaultKind, status: str
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.INQUIRY, kind))
    await antom.refund(an_order())

    absent, present = await antom.inquire_refund("rf_1"), await antom.inquire_refund("rf_1")

    assert (absent.result.result_status, absent.refund_status) == (status, None)
    assert present.refund_status == "SUCCESS"


async def test_payment_inquiries_have_faults_of_their_own(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.fault_plan.add(a_script(Operation.PAYMENT, FaultKind.UNSIGNED, subject="pay_1"))

    with pytest.raises(UnverifiedResponseError):
        await antom.inquire_payment("pay_1")


async def test_a_forgotten_id_moves_the_money_twice_and_the_ledger_shows_it(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.NONE, FaultKind.ID_FORGOTTEN))

    await antom.refund(an_order())
    await antom.refund(an_order())

    assert [m.amount.minor for m in simulator.snapshot().movements_of("rf_1")] == [1250, 1250]


@pytest.mark.parametrize("is_sent", [True, False])
async def test_the_notification_may_come_before_the_response(
    simulator: AntomSimulator,
    antom: AntomClient,
    webhook: MerchantWebhook,
    is_sent: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE))
    if not is_sent:
        simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.NOT_SENT))

    response = await antom.refund(an_order(notify_url=NOTIFY_URL))
    first = len(webhook.requests)
    await simulator.tasks.idle()

    assert response.result.result_code == "REFUND_IN_PROCESS"
    assert (first, len(webhook.requests)) == (int(is_sent), 1)
    assert len(simulator.snapshot().movements) == 1


async def test_without_a_url_the_refund_just_ends_before_the_response(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.NOTIFY_BEFORE_RESPONSE))

    await antom.refund(an_order())

    assert (await antom.inquire_refund("rf_1")).refund_status == "SUCCESS"


async def test_calls_are_recorded_with_the_time_of_the_last(
    simulator: AntomSimulator, antom: AntomClient, clock: FakeClock
) -> None:
    await antom.inquire_refund("rf_1")
    clock.now += timedelta(minutes=1)
    await antom.inquire_refund("rf_1")

    (calls,) = simulator.snapshot().calls
    assert (calls.count, calls.last_at) == (2, START + timedelta(minutes=1))


async def test_calls_and_payloads_are_counted_even_without_a_response(
    simulator: AntomSimulator, antom: AntomClient
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.CUT_BEFORE))

    with pytest.raises(NoResponseError):
        await antom.refund(an_order())
    await antom.refund(an_order())
    await antom.refund(an_order(reason="another text"))

    view = simulator.snapshot()
    assert view.count("rf_1", CallKind.REFUND) == 3
    assert len(view.payloads[0].digests) == 2


@pytest.mark.parametrize("kind", [FaultKind.UNSIGNED, FaultKind.WRONG_KEY])
async def test_an_unverifiable_response_may_be_false(
    http: httpx.AsyncClient,
    simulator: AntomSimulator,
    signed: Callable[..., dict[str, str]],
    kind: FaultKind,
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.REFUND, Fault(kind=kind, code="PROCESS_FAIL")))
    body = RefundRequest.of(an_order()).body()

    response = await http.post(REFUND_PATH, content=body, headers=signed(body))

    assert response.json()["result"]["resultCode"] == "PROCESS_FAIL"
    assert len(simulator.snapshot().movements) == 1


async def _call(http: httpx.AsyncClient, headers: Headers, kind: CallKind) -> httpx.Response:
    fields = {"refundRequestId": "rf_1"}
    bodies = {CallKind.REFUND: RefundRequest.of(an_order()).body()}
    body = bodies.get(kind, json.dumps(fields).encode())
    path = f"/ams/api/v1/payments/{kind}"
    return await http.post(path, content=body, headers=headers(body, path=path))


def _is_genuine(response: httpx.Response, path: str, antom_public: Path) -> bool:
    covered = SignedMessage(
        path=path,
        client_id=response.headers["client-id"],
        time=response.headers.get("response-time", ""),
        body=response.content,
    )
    try:
        verify(covered, response.headers.get("signature"), [read_public_key(antom_public)])
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("is_signed", [True, False])
async def test_a_scripted_code_is_signed_unless_the_fault_says_otherwise(
    http: httpx.AsyncClient,
    simulator: AntomSimulator,
    signed: Headers,
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.ledger.add_payment(a_payment())
    fault = Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=is_signed)
    simulator.fault_plan.add(a_script(Operation.REFUND, fault))

    response = await _call(http, signed, CallKind.REFUND)

    assert response.json()["result"]["resultCode"] == "INVALID_SIGNATURE"
    assert ("signature" in response.headers) == ("response-time" in response.headers) == is_signed
    assert simulator.snapshot().movements == ()


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("kind", [CallKind.REFUND, CallKind.INQUIRY])
async def test_a_stale_response_is_genuine_and_has_an_old_time(  # noqa: PLR0917
    http: httpx.AsyncClient,
    simulator: AntomSimulator,
    signed: Headers,
    antom_keys: tuple[Path, Path],
    kind: CallKind,
    executed: bool,  # noqa: FBT001 - parametrized
) -> None:
    simulator.ledger.add_payment(a_payment())
    stale = Fault(kind=FaultKind.STALE_RESPONSE, executed=executed)
    operation = Operation.REFUND if kind is CallKind.REFUND else Operation.INQUIRY
    simulator.fault_plan.add(a_script(operation, stale))

    response = await _call(http, signed, kind)

    fields = datetime.fromisoformat(response.headers["response-time"])
    assert _is_genuine(response, f"/ams/api/v1/payments/{kind}", antom_keys[1])
    assert START - fields == timedelta(days=75)
    assert response.json().keys() == {"result"}
    assert len(simulator.snapshot().movements) == int(executed and kind is CallKind.REFUND)


@pytest.mark.parametrize(
    ("kind", "operation", "code"),
    [
        (CallKind.REFUND, Operation.REFUND, "PROCESS_FAIL"),
        (CallKind.INQUIRY, Operation.INQUIRY, "REFUND_NOT_EXIST"),
        (CallKind.PAYMENT, Operation.PAYMENT, "ORDER_NOT_EXIST"),
    ],
)
async def test_a_mixed_up_response_is_genuine_and_current_and_has_no_ids(  # noqa: PLR0917
    http: httpx.AsyncClient,
    simulator: AntomSimulator,
    signed: Headers,
    antom_keys: tuple[Path, Path],
    kind: CallKind,
    operation: Operation,
    code: str,
) -> None:
    simulator.ledger.add_payment(a_payment())
    subject = "pay_1" if kind is CallKind.PAYMENT else "rf_1"
    simulator.fault_plan.add(a_script(operation, FaultKind.MIXED_UP_RESPONSE, subject=subject))
    path = f"/ams/api/v1/payments/{kind}"
    body = json.dumps(refund_fields()).encode()

    response = await http.post(path, content=body, headers=signed(body, path=path))

    assert _is_genuine(response, path, antom_keys[1])
    assert datetime.fromisoformat(response.headers["response-time"]) == START
    assert response.json().keys() == {"result"}
    assert response.json()["result"]["resultCode"] == code
    assert len(simulator.snapshot().movements) == int(kind is CallKind.REFUND)


@pytest.mark.parametrize("operation", [Operation.REFUND, Operation.INQUIRY, Operation.PAYMENT])
async def test_a_mixed_up_success_has_the_ids_of_the_other_call(
    simulator: AntomSimulator, antom: AntomClient, operation: Operation
) -> None:
    simulator.ledger.add_payment(a_payment())
    other = Fault(kind=FaultKind.MIXED_UP_RESPONSE, code="SUCCESS")
    subject = "pay_1" if operation is Operation.PAYMENT else "rf_1"
    simulator.fault_plan.add(a_script(operation, other, subject=subject))

    match operation:
        case Operation.REFUND:
            assert (await antom.refund(an_order())).refund_request_id == "another-refund"
        case Operation.INQUIRY:
            assert (await antom.inquire_refund("rf_1")).refund_request_id == "another-refund"
        case _:
            assert (await antom.inquire_payment("pay_1")).payment_id == "another-payment"


async def test_a_success_with_odd_fields_is_true(
    http: httpx.AsyncClient, simulator: AntomSimulator, signed: Headers
) -> None:
    simulator.ledger.add_payment(a_payment())
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.ODD_FIELDS))
    simulator.fault_plan.add(a_script(Operation.INQUIRY, FaultKind.ODD_FIELDS))

    responses = [await _call(http, signed, kind) for kind in (CallKind.REFUND, CallKind.INQUIRY)]

    assert [b"\\ud83d" in response.content for response in responses] == [True, True]
    assert [response.json()["refundRequestId"] for response in responses] == ["rf_1", "rf_1"]
    assert responses[1].json()["refundStatus"] == "SUCCESS"


async def test_a_failure_with_odd_fields_is_true(
    http: httpx.AsyncClient, simulator: AntomSimulator, signed: Headers
) -> None:
    simulator.fault_plan.add(a_script(Operation.REFUND, FaultKind.ODD_FIELDS))

    response = (await _call(http, signed, CallKind.REFUND)).json()

    assert response["result"]["resultCode"] == "ORDER_NOT_EXIST"
    assert response["result"]["resultMessage"] is None
    assert (response["refundRequestId"], response["refundAmount"]) == ("", {})


async def test_sent_notifications_are_recorded_with_their_digest(
    simulator: AntomSimulator, antom: AntomClient, webhook: MerchantWebhook
) -> None:
    simulator.ledger.add_payment(a_payment(is_async=True))
    simulator.fault_plan.add(a_script(Operation.NOTIFY, FaultKind.NOT_SENT))

    await antom.refund(an_order(notify_url=NOTIFY_URL))
    await simulator.tasks.idle()

    lost, left = simulator.snapshot().notifications_of("rf_1")
    assert lost.digest == ""
    assert left.digest == sha256(webhook.requests[0].content).hexdigest()
