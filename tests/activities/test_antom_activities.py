"""The activities: when they call Antom, what they return, when they ask for a retry."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiolimiter import AsyncLimiter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from activities.antom_activities import AntomActivities
from activities.antom_calls import EvidenceCalls
from activities.attempts import SendGuard
from antom_refunds import contract
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.contract import CallInput
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.failure_streak import FailureStreak
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.server import create_app
from antom_refunds.simulator.simulator import AntomSimulator
from tests.harness import AMOUNT, CLIENT_ID, ControlledTransport, KeyFiles, simulated_merchant

ORDER = RefundOrder(refund_request_id="rf_1", payment_id="pay_1", amount=AMOUNT)
BEGINNING = datetime(2026, 9, 11, 8, 0, tzinfo=UTC)


def attempt(
    *,
    at: timedelta = timedelta(),
    number: int = 1,
    scheduled: timedelta = timedelta(),
    remembered: FailureStreak | None = None,
) -> ActivityEnvironment:
    """An attempt that starts `at` after the call was scheduled, itself scheduled at some time.

    `remembered` is what an earlier attempt left in its heartbeat.
    """
    environment = ActivityEnvironment()
    environment.info = replace(
        ActivityEnvironment.default_info(),
        attempt=number,
        scheduled_time=BEGINNING,
        current_attempt_scheduled_time=BEGINNING + scheduled,
        started_time=BEGINNING + at,
        heartbeat_details=[] if remembered is None else [remembered.model_dump()],
    )
    return environment


def call_input(state: RefundState = RefundState.REQUESTED, **changes: object) -> CallInput:
    refund = Refund(order=ORDER, state=state).model_copy(update=changes)
    return CallInput(refund=refund, quiet_since=BEGINNING, is_first_run=True)


@pytest.fixture
async def simulator(antom_keys: KeyFiles, merchant_keys: KeyFiles) -> AsyncIterator[AntomSimulator]:
    async with AntomSimulator(read_private_key(antom_keys[0])) as simulator:
        simulator.register(simulated_merchant(merchant_keys[1]))
        simulator.ledger.add_payment(
            Payment(payment_id=ORDER.payment_id, client_id=CLIENT_ID, amount=AMOUNT)
        )
        yield simulator


async def _now() -> datetime:
    return BEGINNING


@pytest.fixture
def wire(simulator: AntomSimulator) -> ControlledTransport:
    return ControlledTransport(httpx.ASGITransport(create_app(simulator)), _now)


@pytest.fixture
async def antom(
    wire: ControlledTransport, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[AntomClient]:
    keys = KeyRing(merchant_keys[0], [antom_keys[1]])
    account = MerchantAccount(client_id=CLIENT_ID, keys=keys, gateway="http://antom.test")
    async with AntomClient(account, transport=wire) as antom:
        yield antom


@pytest.fixture
def calls(antom: AntomClient) -> AntomActivities:
    return AntomActivities(EvidenceCalls({"default": antom}), Policy())


class Turns(AsyncLimiter):
    """A rate limiter that the test controls."""

    def __init__(self) -> None:
        super().__init__(1)
        self.wanted, self.given = asyncio.Event(), asyncio.Event()

    async def acquire(self, amount: float = 1) -> None:  # noqa: ARG002 - one at a time
        self.wanted.set()
        await self.given.wait()


def script(simulator: AntomSimulator, operation: Operation, fault: Fault) -> None:
    subject = ORDER.refund_request_id
    simulator.fault_plan.add(FaultScript(subject=subject, operation=operation, faults=(fault,)))


def answering(code: str) -> Fault:
    return Fault(kind=FaultKind.RESULT_CODE, code=code)


async def test_a_new_refund_is_sent_immediately(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    evidence = await attempt().run(calls.request_refund, call_input())

    assert (evidence.source, evidence.kind) == (Source.RESPONSE, EvidenceKind.SUCCEEDED)
    assert evidence.refund_id
    assert len(simulator.ledger.movements) == 1


@pytest.mark.parametrize(
    ("state", "wait"),
    [(RefundState.IN_DOUBT, timedelta(minutes=2)), (RefundState.BLOCKED, timedelta(minutes=1))],
)
async def test_the_first_attempt_of_a_repetition_only_schedules_the_second(
    calls: AntomActivities, wire: ControlledTransport, state: RefundState, wait: timedelta
) -> None:
    with pytest.raises(ApplicationError) as later:
        await attempt().run(calls.request_refund, call_input(state))

    assert later.value.next_retry_delay == wait
    assert later.value.type == contract.NOTHING_NEW
    assert later.value.category is ApplicationErrorCategory.BENIGN
    assert "same id" in later.value.message
    assert wire.call_times == []


async def test_polling_begins_with_a_wait(
    calls: AntomActivities, wire: ControlledTransport
) -> None:
    with pytest.raises(ApplicationError) as later:
        await attempt().run(calls.await_result, call_input(RefundState.PROCESSING))

    assert later.value.next_retry_delay == timedelta(seconds=5)
    assert later.value.message.endswith("next in 5 s")
    assert wire.call_times == []


async def test_a_later_attempt_calls(calls: AntomActivities, simulator: AntomSimulator) -> None:
    later = attempt(at=timedelta(minutes=2), number=2, scheduled=timedelta(minutes=2))

    evidence = await later.run(calls.request_refund, call_input(RefundState.IN_DOUBT))

    assert evidence.kind is EvidenceKind.SUCCEEDED


@pytest.mark.parametrize("call", ["request_refund", "await_result"])
async def test_a_reset_by_an_operator_calls_immediately(
    calls: AntomActivities, wire: ControlledTransport, call: str
) -> None:
    reset = attempt(at=timedelta(minutes=1), number=1, scheduled=timedelta(minutes=1))
    state = RefundState.IN_DOUBT if call == "request_refund" else RefundState.PROCESSING

    await reset.run(getattr(calls, call), call_input(state))

    assert wire.call_times


async def test_the_wait_is_counted_from_the_beginning_and_not_from_the_attempt(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.REFUND, Fault(kind=FaultKind.HTTP_500))
    known = Evidence(source=Source.RESPONSE, kind=EvidenceKind.DOUBT, code="no_response")
    late = attempt(at=timedelta(minutes=13), number=40, scheduled=timedelta(minutes=13))

    with pytest.raises(ApplicationError) as later:
        await late.run(calls.request_refund, call_input(RefundState.IN_DOUBT, doubt=known))

    assert later.value.next_retry_delay == timedelta(minutes=9)
    assert "HTTP 500" in later.value.message


async def test_a_call_that_was_not_sent_is_retried_soon(
    calls: AntomActivities, wire: ControlledTransport
) -> None:
    wire.is_down = True

    with pytest.raises(ApplicationError) as later:
        await attempt().run(calls.request_refund, call_input())

    assert later.value.type == contract.NOT_SENT
    assert later.value.next_retry_delay == timedelta(seconds=1)


async def test_no_response_is_doubt(calls: AntomActivities, simulator: AntomSimulator) -> None:
    script(simulator, Operation.REFUND, Fault(kind=FaultKind.CUT_AFTER))

    evidence = await attempt().run(calls.request_refund, call_input())

    assert (evidence.kind, evidence.code) == (EvidenceKind.DOUBT, "no_response")


async def test_a_gate_refusal_is_not_doubt(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.REFUND, answering("ACCESS_DENIED"))

    evidence = await attempt().run(calls.request_refund, call_input())

    assert (evidence.kind, evidence.code) == (EvidenceKind.BLOCKED, "ACCESS_DENIED")
    assert evidence.needs_attention


@pytest.mark.parametrize("call", ["request_refund", "inquire"])
async def test_a_call_waits_for_the_rate_limit(
    antom: AntomClient, simulator: AntomSimulator, call: str
) -> None:
    turns = Turns()
    calls = AntomActivities(EvidenceCalls({"default": antom}, rate_limiter=turns), Policy())
    calling = asyncio.ensure_future(attempt().run(getattr(calls, call), call_input()))

    await turns.wanted.wait()
    before = simulator.journal.calls
    turns.given.set()
    evidence: Evidence = await calling

    assert not before
    assert simulator.journal.calls
    assert evidence.kind in {EvidenceKind.SUCCEEDED, EvidenceKind.NOT_FOUND}


async def test_a_call_that_is_cancelled_while_rate_limited_was_not_sent(
    antom: AntomClient, simulator: AntomSimulator
) -> None:
    turns, environment = Turns(), attempt()
    calls = AntomActivities(EvidenceCalls({"default": antom}, rate_limiter=turns), Policy())
    calling = asyncio.ensure_future(environment.run(calls.request_refund, call_input()))

    await turns.wanted.wait()
    environment.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling
    assert not simulator.ledger.movements


async def test_a_stopping_worker_reports_doubt_about_the_call_in_flight(
    calls: AntomActivities, wire: ControlledTransport
) -> None:
    environment = attempt()
    wire.hold()
    call = asyncio.ensure_future(environment.run(calls.request_refund, call_input()))
    await wire.arrived.wait()

    environment.worker_shutdown()
    environment.cancel()
    evidence: Evidence = await call

    assert evidence.kind is EvidenceKind.DOUBT
    assert "stopped" in evidence.message


async def test_a_cancelled_call_in_flight_still_returns_its_response(
    calls: AntomActivities, wire: ControlledTransport
) -> None:
    environment = attempt()
    wire.hold()
    call = asyncio.ensure_future(environment.run(calls.request_refund, call_input()))
    await wire.arrived.wait()

    environment.cancel()
    wire.release()
    evidence: Evidence = await call

    assert evidence.kind is EvidenceKind.SUCCEEDED


async def test_a_call_that_takes_long_sends_heartbeats(
    calls: AntomActivities, wire: ControlledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.attempts.HEARTBEAT_INTERVAL", timedelta(milliseconds=1))
    environment, beaten = attempt(), asyncio.Event()
    environment.on_heartbeat = lambda *_: beaten.set()
    wire.hold()
    call = asyncio.ensure_future(environment.run(calls.request_refund, call_input()))

    await beaten.wait()
    wire.release()

    assert (await call).kind is EvidenceKind.SUCCEEDED


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        # The process was suspended, and Temporal may have timed the attempt out.
        ("HEARTBEAT_TIMEOUT", "worker was stalled"),
        # The rate limiter left too little time for the call.
        ("CALL_TIMEOUT", "waited"),
    ],
)
async def test_a_call_that_comes_too_late_is_not_sent(
    antom: AntomClient,
    simulator: AntomSimulator,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    why: str,
) -> None:
    turns = Turns()
    calls = AntomActivities(EvidenceCalls({"default": antom}, rate_limiter=turns), Policy())
    calling = asyncio.ensure_future(attempt().run(calls.request_refund, call_input()))
    await turns.wanted.wait()

    monkeypatch.setattr(f"activities.attempts.{limit}", timedelta())
    turns.given.set()

    with pytest.raises(ApplicationError, match=why) as later:
        await calling
    assert later.value.type == contract.NOT_SENT
    assert not simulator.ledger.movements


async def test_the_second_identical_unusable_response_in_a_row_is_marked(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.REFUND, Fault(kind=FaultKind.HTTP_500))
    first = await attempt().run(calls.request_refund, call_input())
    script(simulator, Operation.REFUND, Fault(kind=FaultKind.HTTP_500))
    later = attempt(at=timedelta(minutes=2), number=2, scheduled=timedelta(minutes=2))

    second = await later.run(
        calls.request_refund, call_input(RefundState.IN_DOUBT, doubt=first, deciding_evidence=first)
    )

    assert not first.is_repeated
    assert second.is_repeated


async def test_the_failure_streak_is_passed_to_the_next_attempt(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.INQUIRY, Fault(kind=FaultKind.HTTP_500))
    environment = attempt(number=2, scheduled=timedelta(seconds=5))
    left: list[FailureStreak] = []
    environment.on_heartbeat = left.append

    with pytest.raises(ApplicationError):
        await environment.run(calls.await_result, call_input(RefundState.PROCESSING))

    script(simulator, Operation.INQUIRY, Fault(kind=FaultKind.HTTP_500))
    again = attempt(number=3, scheduled=timedelta(seconds=20), remembered=left[-1])
    assert (await again.run(calls.await_result, call_input(RefundState.PROCESSING))).is_repeated


async def test_a_not_found_that_would_be_final_is_repeated_after_the_quiet_period(
    calls: AntomActivities,
) -> None:
    refused = Evidence(
        source=Source.RESPONSE, kind=EvidenceKind.FAILED_UNCONFIRMED, code="RISK_REJECT"
    )

    at = timedelta(seconds=20)
    with pytest.raises(ApplicationError, match="may still be in flight") as later:
        await attempt(at=at).run(calls.inquire, call_input(RefundState.IN_DOUBT, failure=refused))
    late = attempt(at=timedelta(seconds=66), number=2, scheduled=timedelta(seconds=66))
    evidence = await late.run(calls.inquire, call_input(RefundState.IN_DOUBT, failure=refused))

    assert later.value.next_retry_delay == Policy().scaled_quiet_period - at
    assert (evidence.kind, evidence.code) == (EvidenceKind.FAILED, "RISK_REJECT")


async def test_the_time_that_earlier_inquiries_took_does_not_count_as_waiting_to_send(
    antom: AntomClient,
) -> None:
    seconds = 0.0
    guard = SendGuard(lambda: seconds)
    for seconds in range(60):  # noqa: B007 - the guard reads it
        guard.record_heartbeat()

    async def send() -> Evidence:
        return await EvidenceCalls({"default": antom}).refund(Refund(order=ORDER), guard)

    assert "too long for the rate limit" in str(guard.reason_not_to_send())
    assert (await attempt().run(send)).kind is EvidenceKind.SUCCEEDED


async def test_each_call_is_counted_once_by_its_outcome(calls: AntomActivities) -> None:
    buffer = MetricBuffer(100)
    environment = attempt()
    environment.metric_meter = Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter

    await environment.run(calls.request_refund, call_input())

    counted = [
        (update.value, update.attributes["call"], update.attributes["outcome"])
        for update in buffer.retrieve_updates()
        if update.metric.name == "refund_antom_calls"
    ]
    assert counted == [(1, "request_refund", "succeeded")]


async def test_in_doubt_an_inquiry_that_decides_makes_the_call_unnecessary(
    calls: AntomActivities, antom: AntomClient, simulator: AntomSimulator
) -> None:
    await antom.refund(ORDER)
    later = attempt(at=timedelta(minutes=2), number=2, scheduled=timedelta(minutes=2))

    evidence = await later.run(calls.request_refund, call_input(RefundState.IN_DOUBT))

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, EvidenceKind.SUCCEEDED)
    assert evidence.payment_id == ORDER.payment_id
    assert simulator.snapshot().count(ORDER.refund_request_id, CallKind.REFUND) == 1


async def test_a_call_that_is_due_immediately_neither_waits_nor_inquires(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    evidence = await attempt().run(
        calls.request_refund, call_input(RefundState.IN_DOUBT, is_send_due=True)
    )

    assert evidence.kind is EvidenceKind.SUCCEEDED
    assert simulator.snapshot().count(ORDER.refund_request_id, CallKind.INQUIRY) == 0


@pytest.mark.parametrize("is_first_run", [True, False])
async def test_a_called_off_refund_that_was_not_sent_closes_only_on_the_first_run(
    *, is_first_run: bool
) -> None:
    called_off = Evidence(
        source=Source.OPERATOR, kind=EvidenceKind.CALL_OFF, code="call_off_by_operator"
    )
    question = call_input(call_off=called_off, is_inquiry_due=True).model_copy(
        update={"is_first_run": is_first_run}
    )

    evidence = await attempt().run(AntomActivities(EvidenceCalls({}), Policy()).inquire, question)

    assert evidence.kind is (EvidenceKind.CLOSED if is_first_run else EvidenceKind.BLOCKED)


async def test_an_unexpected_error_in_a_call_is_doubt(
    merchant_keys: KeyFiles, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    keys = KeyRing(merchant_keys[0], [antom_keys[1]])
    account = MerchantAccount(client_id=CLIENT_ID, keys=keys, gateway="http://antom.test")
    async with AntomClient(account, transport=httpx.MockTransport(breaks)) as antom:
        calls = AntomActivities(EvidenceCalls({"default": antom}), Policy())
        evidence = await attempt().run(calls.request_refund, call_input())

    assert (evidence.kind, evidence.code) == (EvidenceKind.DOUBT, "internal_error")
    assert "ZeroDivisionError" in caplog.text


async def test_a_merchant_that_is_not_configured_blocks(wire: ControlledTransport) -> None:
    evidence = await attempt().run(
        AntomActivities(EvidenceCalls({}), Policy()).request_refund, call_input()
    )

    assert (evidence.kind, evidence.code) == (EvidenceKind.BLOCKED, "merchant_not_configured")
    assert evidence.needs_attention
    assert "'default'" in evidence.message


async def test_an_inquiry_for_an_unconfigured_merchant_alerts_an_operator() -> None:
    evidence = await attempt().run(
        AntomActivities(EvidenceCalls({}), Policy()).inquire, call_input()
    )

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, EvidenceKind.BLOCKED)


async def test_a_repeated_block_changes_nothing(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.REFUND, answering("ACCESS_DENIED"))
    known = await attempt().run(calls.request_refund, call_input())
    script(simulator, Operation.REFUND, answering("ACCESS_DENIED"))
    minute = timedelta(minutes=1)

    with pytest.raises(ApplicationError) as later:
        await attempt(at=minute, number=2, scheduled=minute).run(
            calls.request_refund,
            call_input(RefundState.BLOCKED, deciding_evidence=known, alarm=known),
        )

    assert later.value.next_retry_delay == timedelta(minutes=4)


async def test_an_unknown_refund_is_reported_by_polling_and_not_sent_by_it(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    late = attempt(at=timedelta(minutes=1), number=2, scheduled=timedelta(minutes=1))

    evidence = await late.run(calls.await_result, call_input(RefundState.PROCESSING))

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, EvidenceKind.NOT_FOUND)
    assert simulator.snapshot().count(ORDER.refund_request_id, CallKind.REFUND) == 0


@pytest.mark.parametrize("earlier", ["no_response", "http_500"])
async def test_doubt_about_an_accepted_refund_that_antom_no_longer_knows_alerts_an_operator(
    calls: AntomActivities, simulator: AntomSimulator, earlier: str
) -> None:
    doubt = Evidence(source=Source.RESPONSE, kind=EvidenceKind.DOUBT, code=earlier)
    script(simulator, Operation.REFUND, Fault(kind=FaultKind.HTTP_500))

    refund = call_input(RefundState.PROCESSING, is_send_due=True, doubt=doubt)
    evidence = await attempt().run(calls.request_refund, refund)

    assert evidence.is_repeated


async def test_an_accepted_refund_that_antom_no_longer_knows_is_sent_immediately(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    evidence = await attempt().run(
        calls.request_refund, call_input(RefundState.PROCESSING, is_send_due=True)
    )

    assert (evidence.source, evidence.kind) == (Source.RESPONSE, EvidenceKind.SUCCEEDED)
    assert simulator.snapshot().count(ORDER.refund_request_id, CallKind.INQUIRY) == 0


async def test_an_immediate_inquiry_does_not_wait(calls: AntomActivities) -> None:
    evidence = await attempt().run(calls.inquire, call_input(RefundState.IN_DOUBT))

    assert (evidence.source, evidence.kind) == (Source.INQUIRY, EvidenceKind.NOT_FOUND)


async def test_only_a_refund_call_leaves_its_evidence_in_the_error(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    known = await _blocked(calls, simulator)
    script(simulator, Operation.REFUND, answering("ACCESS_DENIED"))
    script(simulator, Operation.INQUIRY, Fault(kind=FaultKind.HTTP_500))
    again = attempt(number=2, scheduled=timedelta(minutes=1), at=timedelta(minutes=1))

    with pytest.raises(ApplicationError) as of_send:
        await again.run(calls.request_refund, known)
    with pytest.raises(ApplicationError) as of_inquiry:
        await attempt().run(calls.inquire, call_input(RefundState.IN_DOUBT))

    assert [each.code for each in of_send.value.details] == ["ACCESS_DENIED"]
    assert of_inquiry.value.details == ()


async def _blocked(calls: AntomActivities, simulator: AntomSimulator) -> CallInput:
    script(simulator, Operation.REFUND, answering("ACCESS_DENIED"))
    evidence = await attempt().run(calls.request_refund, call_input())
    return call_input(RefundState.BLOCKED, deciding_evidence=evidence, alarm=evidence)


async def test_an_inquiry_that_fails_is_tried_again(
    calls: AntomActivities, simulator: AntomSimulator
) -> None:
    script(simulator, Operation.INQUIRY, Fault(kind=FaultKind.HTTP_500))

    with pytest.raises(ApplicationError, match="HTTP 500") as later:
        await attempt().run(calls.inquire, call_input(RefundState.IN_DOUBT))

    assert later.value.next_retry_delay == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("after", "spoken"),
    [
        (timedelta(), "5 s"),
        (timedelta(minutes=4), "5 min"),
        (timedelta(hours=2), "1 h"),
        (timedelta(days=2, hours=1, minutes=30), "4 h 30 min"),
    ],
)
async def test_the_next_wait_is_formatted(
    calls: AntomActivities, simulator: AntomSimulator, after: timedelta, spoken: str
) -> None:
    script(simulator, Operation.INQUIRY, Fault(kind=FaultKind.HTTP_500))

    with pytest.raises(ApplicationError) as later:
        await attempt(at=after).run(calls.inquire, call_input(RefundState.IN_DOUBT))

    assert later.value.message.endswith(f"; next in {spoken}")


async def test_a_cause_that_hits_many_refunds_is_logged_once_for_its_merchant(
    calls: AntomActivities, simulator: AntomSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    for code in ("ACCESS_DENIED", "ACCESS_DENIED", "KEY_NOT_FOUND"):
        script(simulator, Operation.REFUND, answering(code))
        await attempt().run(calls.request_refund, call_input())

    warned = [each for each in caplog.records if each.message == "antom.call_unusable"]
    assert [vars(each)["code"] for each in warned] == ["ACCESS_DENIED", "KEY_NOT_FOUND"]
    assert {vars(each)["merchant"] for each in warned} == {"default"}
    assert all(vars(each)["advice"] for each in warned)
