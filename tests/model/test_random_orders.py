"""Refunds against an abstract ledger, with any behaviour of Antom and any order of its messages.

Real calls with real signatures go to the simulator. Their results stay in flight and are received
later: in any order, repeatedly, or not before the end. A model runs in parallel; it knows only
the actions and the meanings of the messages, and does not use the product's interpretation.

One fault is left out: an Antom that forgets an id. It breaks the guarantee that ours depends on:
the next call would move the money again, and no caller could detect it.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from antom_refunds import contract
from antom_refunds.antom import interpret
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import AntomError, GateRefusedError, OutcomeUnknownError
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import SignedMessage, WrongSignatureError, verify
from antom_refunds.antom.wire import ACKNOWLEDGEMENT, RefundNotification
from antom_refunds.contract import Instruction
from antom_refunds.domain.confirmation import confirm_by_inquiry
from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import Refund, RefundState, Step
from antom_refunds.domain.state_machine import apply
from antom_refunds.simulator.accounts import AntomMerchant, Payment, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from antom_refunds.simulator.notifier import Notifier
from antom_refunds.simulator.server import create_app
from antom_refunds.simulator.simulator import AntomSimulator
from tests.harness import AMOUNT, CLIENT_ID, NOTIFY_URL, WEBHOOK_PATH, KeyFiles

BALANCE: Final = 1_000_000
# Rounds without faults after which every refund must be in a terminal state.
ROUNDS_MAX: Final = 5

Result = TypeVar("Result")


class Kind(StrEnum):
    """How Antom executes a refund."""

    IMMEDIATE = "immediate"
    PENDING = "pending"
    REFUSED = "refused"


class LedgerStatus(StrEnum):
    """The true status of a refund in Antom's ledger."""

    ABSENT = "absent"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"


class Meaning(StrEnum):
    """The documented meaning of one message."""

    NOTHING = "nothing"
    BLOCKED = "refused at the gate"
    DOUBT = "doubt"
    CLOSED_UNCONFIRMED = "closed, not confirmed"
    CLOSURE = "closed, with FAIL, not confirmed"
    MISMATCH = "contradicts itself or the order"
    PROCESSING = "processing"
    UNNAMED = "processing, without the payment id"
    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"
    FAILED_UNCONFIRMED = "refused with F, not confirmed"
    CONFLICT = "the id is used with other fields"
    CLAIM = "success, without the payment id"


FINAL_STATES: Final = {
    Meaning.SUCCESS: RefundState.SUCCEEDED,
    Meaning.FAIL: RefundState.FAILED,
    Meaning.CLOSED: RefundState.CLOSED,
}
CLAIMS: Final = {**FINAL_STATES, Meaning.CLAIM: RefundState.SUCCEEDED}
OPEN_STATES: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)
STATES: Final = {
    Meaning.NOTHING: RefundState.REQUESTED,
    Meaning.BLOCKED: RefundState.BLOCKED,
    Meaning.DOUBT: RefundState.IN_DOUBT,
    Meaning.CLOSED_UNCONFIRMED: RefundState.IN_DOUBT,
    Meaning.CLOSURE: RefundState.IN_DOUBT,
    Meaning.MISMATCH: RefundState.IN_DOUBT,
    Meaning.FAILED_UNCONFIRMED: RefundState.IN_DOUBT,
    Meaning.CONFLICT: RefundState.IN_DOUBT,
    Meaning.CLAIM: RefundState.IN_DOUBT,
    Meaning.PROCESSING: RefundState.PROCESSING,
    Meaning.UNNAMED: RefundState.PROCESSING,
}
INITIAL_STATUS: Final = {
    Kind.IMMEDIATE: LedgerStatus.SUCCESS,
    Kind.PENDING: LedgerStatus.PROCESSING,
    Kind.REFUSED: LedgerStatus.FAIL,
}
SETTLED: Final = {
    SettlementOutcome.SUCCESS: LedgerStatus.SUCCESS,
    SettlementOutcome.FAIL: LedgerStatus.FAIL,
    SettlementOutcome.CLOSED: LedgerStatus.CLOSED,
}
TRUE_STATES: Final = {
    LedgerStatus.ABSENT: RefundState.CLOSED,  # called off
    LedgerStatus.SUCCESS: RefundState.SUCCEEDED,
    LedgerStatus.FAIL: RefundState.FAILED,
    LedgerStatus.CLOSED: RefundState.CLOSED,
}
UNUSABLE: Final = frozenset(
    {
        FaultKind.CUT_BEFORE,
        FaultKind.CUT_AFTER,
        FaultKind.TRUNCATED,
        FaultKind.HTTP_500,
        FaultKind.UNSIGNED,
        FaultKind.WRONG_KEY,
        FaultKind.GARBLED,
    }
)
# The meaning of a bare code as the response to the refund call, and to the inquiry.
RESPONSES: Final = {
    "UNKNOWN_EXCEPTION": (Meaning.DOUBT, Meaning.NOTHING),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": (Meaning.DOUBT, Meaning.NOTHING),
    "REFUND_IN_PROCESS": (Meaning.PROCESSING, Meaning.NOTHING),
    "ORDER_IS_CLOSED": (Meaning.CLOSED_UNCONFIRMED, Meaning.CLOSED),
    "ACCESS_DENIED": (Meaning.BLOCKED, Meaning.NOTHING),
    "PROCESS_FAIL": (Meaning.FAILED_UNCONFIRMED, Meaning.NOTHING),
    "BRAND_NEW_CODE": (Meaning.FAILED_UNCONFIRMED, Meaning.NOTHING),
    "REPEAT_REQ_INCONSISTENT": (Meaning.CONFLICT, Meaning.NOTHING),
    "SUCCESS": (Meaning.MISMATCH, None),  # without the required ids and the amount
    "REFUND_NOT_EXIST": (Meaning.FAILED_UNCONFIRMED, None),
}

CODE_FAULTS: Final = st.builds(
    Fault,
    kind=st.just(FaultKind.RESULT_CODE),
    code=st.sampled_from(sorted(RESPONSES)),
    executed=st.booleans(),
) | st.just(
    Fault(kind=FaultKind.RESULT_CODE, code="BRAND_NEW_CODE", status="U")  # unknown, and not final
)
UNUSABLE_FAULTS: Final = st.builds(
    Fault, kind=st.sampled_from(sorted(UNUSABLE)), executed=st.booleans()
) | st.builds(Fault)
REFUND_FAULTS: Final = (
    UNUSABLE_FAULTS | CODE_FAULTS | st.just(Fault(kind=FaultKind.NOTIFY_BEFORE_RESPONSE))
)
INQUIRY_FAULTS: Final = (
    UNUSABLE_FAULTS
    | CODE_FAULTS
    | st.builds(
        Fault,
        kind=st.sampled_from([FaultKind.STALE, FaultKind.NOT_FOUND, FaultKind.NOT_FOUND_NULL]),
    )
)
WHICH: Final = st.integers(0, 1)
# Sometimes a message stays in flight, and a later one is received first.
IS_LATE: Final = st.sampled_from([False, False, True])
NOTIFICATION_FAULTS: Final = st.sampled_from(
    [
        FaultKind.NONE,
        FaultKind.NOT_SENT,
        FaultKind.REPEATED,
        FaultKind.FORGED,
        FaultKind.INCONSISTENT,
        FaultKind.WRONG_AMOUNT,
        FaultKind.CONTRADICTING,
    ]
)


@dataclass(eq=False)
class Case:
    """One refund: its state in the product, its true status, and the messages in flight."""

    order: RefundOrder
    kind: Kind
    ends: SettlementOutcome
    refund: Refund
    ledger_status: LedgerStatus = LedgerStatus.ABSENT
    is_sent: bool = False
    is_called_off: bool = False
    received_false_result: bool = False
    in_flight: list[tuple[Evidence, Meaning]] = field(default_factory=list)
    received: list[Meaning] = field(default_factory=list)

    @property
    def ended_at(self) -> int | None:
        """The index of the first final result, or of the message that confirms a claim."""
        is_claimed = is_bound = False
        for number, meaning in enumerate(self.received):
            is_claimed |= meaning is Meaning.CLAIM
            is_bound |= meaning is Meaning.PROCESSING
            if meaning in FINAL_STATES or (is_claimed and is_bound):
                return number
        return None

    @property
    def end(self) -> Meaning | None:
        if self.ended_at is None:
            return None
        meaning = self.received[self.ended_at]
        return meaning if meaning in FINAL_STATES else Meaning.SUCCESS

    @property
    def state(self) -> RefundState:
        """The expected state after all received messages."""
        if self.end is not None:
            return FINAL_STATES[self.end]
        return max(
            (STATES[meaning] for meaning in self.received),
            key=OPEN_STATES.index,
            default=OPEN_STATES[0],
        )

    @property
    def is_contradicted(self) -> bool:
        if self.ended_at is None:
            return False
        if self.end is Meaning.SUCCESS and Meaning.CLOSURE in self.received:
            return True
        if self.end is not Meaning.SUCCESS and Meaning.CLAIM in self.received:
            return True
        later = self.received[self.ended_at + 1 :]
        against = {Meaning.MISMATCH, Meaning.CONFLICT, *FINAL_STATES} - {self.end}
        return any(meaning in against for meaning in later)


class RefundMachine(RuleBasedStateMachine):
    """Antom, the messages from and to it, and one or two refunds."""

    def __init__(self, merchant_keys: KeyFiles, antom_keys: KeyFiles) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._antoms_key = read_public_key(antom_keys[1])
        self._notifications: list[Evidence] = []
        self._forgeries = 0
        self._known: list[Case] = []
        self._simulator = AntomSimulator(
            read_private_key(antom_keys[0]),
            sleep=_never,
            transport=httpx.MockTransport(self._handle_notification),
        )
        self._simulator.register(
            AntomMerchant(
                client_id=CLIENT_ID,
                public_keys={"1": merchant_keys[1].read_text()},
                balance={AMOUNT.currency: BALANCE},
                notify_url=NOTIFY_URL,
            )
        )
        self._notifier = Notifier(
            self._simulator.sender,
            self._simulator.journal,
            self._simulator.fault_plan,
            speedup=1,
            now=lambda: datetime.now(UTC),
            sleep=_never,
        )
        account = MerchantAccount(
            client_id=CLIENT_ID,
            keys=KeyRing(merchant_keys[0], [antom_keys[1]]),
            gateway="http://antom.test",
        )
        transport = httpx.ASGITransport(create_app(self._simulator))
        self._antom = AntomClient(account, transport=transport)

    # --- actions

    @initialize(
        plans=st.lists(
            st.tuples(st.sampled_from(Kind), st.sampled_from(SettlementOutcome)),
            min_size=1,
            max_size=2,
        )
    )
    def order(self, plans: list[tuple[Kind, SettlementOutcome]]) -> None:
        for number, (kind, ends) in enumerate(plans):
            order = RefundOrder(
                refund_request_id=f"rf-{number}", payment_id=f"pay-{number}", amount=AMOUNT
            )
            fields = {
                "payment_id": order.payment_id,
                "client_id": CLIENT_ID,
                "amount": AMOUNT,
                "is_async": kind is Kind.PENDING,
                "ends": ends,
                "refuses_with": "RISK_REJECT" if kind is Kind.REFUSED else None,
            }
            self._simulator.ledger.add_payment(Payment.model_validate(fields))
            case = Case(order=order, kind=kind, ends=ends, refund=Refund(order=order))
            self._known.append(case)

    @rule(which=WHICH, fault=REFUND_FAULTS, is_late=IS_LATE)
    def send(self, which: int, fault: Fault, *, is_late: bool) -> None:
        case = self._case(which)
        if case.is_called_off:
            return
        self._script(case, Operation.REFUND, fault)
        evidence = self._run(self._send_refund(case.order))
        is_first = fault.takes_effect and case.ledger_status is LedgerStatus.ABSENT
        case.is_sent = True
        if is_first:
            case.ledger_status = INITIAL_STATUS[case.kind]
        meaning = _response_meaning(case, fault)
        if (
            is_first
            and fault.kind is FaultKind.NOTIFY_BEFORE_RESPONSE
            and case.kind is Kind.PENDING
        ):
            case.ledger_status = SETTLED[case.ends]
            self._add_notifications(case, _notification_meanings(case, FaultKind.NONE))
        self._add_in_flight(case, evidence, meaning)
        self._receive_all(case, is_late=is_late)

    @rule(which=WHICH, fault=INQUIRY_FAULTS, is_late=IS_LATE)
    def inquire(self, which: int, fault: Fault, *, is_late: bool) -> None:
        case = self._case(which)
        self._script(case, Operation.INQUIRY, fault)
        evidence = self._run(self._send_inquiry(case.refund))
        self._add_in_flight(case, evidence, _inquiry_meaning(case, fault))
        self._receive_all(case, is_late=is_late)

    @rule(which=WHICH, ending=st.sampled_from(SettlementOutcome))
    def settle(self, which: int, ending: SettlementOutcome) -> None:
        case = self._case(which)
        if case.ledger_status is not LedgerStatus.PROCESSING:
            return
        refund = self._simulator.ledger.store.refund(CLIENT_ID, case.order.refund_request_id)
        assert refund
        self._simulator.ledger.settle(refund, ending)
        case.ledger_status = SETTLED[ending]

    @rule(which=WHICH, kind=NOTIFICATION_FAULTS, is_late=IS_LATE)
    def notify(self, which: int, kind: FaultKind, *, is_late: bool) -> None:
        case = self._case(which)
        if case.ledger_status in {LedgerStatus.ABSENT, LedgerStatus.PROCESSING}:
            return
        refund = self._simulator.ledger.store.refund(CLIENT_ID, case.order.refund_request_id)
        assert refund
        self._script(case, Operation.NOTIFY, Fault(kind=kind))
        forgeries = self._forgeries
        self._run(self._notifier.attempt(refund, NOTIFY_URL, number=1))
        assert self._forgeries - forgeries == (kind is FaultKind.FORGED)
        self._add_notifications(case, _notification_meanings(case, kind))
        self._receive_all(case, is_late=is_late)

    @rule(which=WHICH, choice=st.integers(0, 9), is_repeated=st.booleans())
    def receive(self, which: int, choice: int, *, is_repeated: bool) -> None:
        case = self._case(which)
        if not case.in_flight:
            return
        evidence, meaning = case.in_flight[choice % len(case.in_flight)]
        if not is_repeated:
            case.in_flight.remove((evidence, meaning))
        self._receive_evidence(case, evidence, meaning)

    @rule(which=WHICH)
    def call_off(self, which: int) -> None:
        case = self._case(which)
        if case.is_sent or case.refund.state is not RefundState.REQUESTED:
            return
        instruction = Instruction(by="ops", reason="the buyer changed her mind")
        case.refund = apply(
            case.refund, contract.evidence_from_instruction(EvidenceKind.CALL_OFF, instruction)
        )
        case.is_called_off = True

    @rule(which=WHICH)
    def check(self, which: int) -> None:
        case = self._case(which)
        instruction = Instruction(by="ops", reason="the buyer asks")
        case.refund = apply(
            case.refund, contract.evidence_from_instruction(EvidenceKind.CHECK, instruction)
        )

    # --- invariants

    @invariant()
    def money_moves_at_most_once_and_only_where_the_refund_succeeded(self) -> None:
        for case in self._known:
            moved = self._simulator.snapshot().movements_of(case.order.refund_request_id)
            assert len(moved) == (case.ledger_status is LedgerStatus.SUCCESS)
            assert all(each.amount == case.order.amount for each in moved)

    @invariant()
    def the_balance_matches_the_ledger(self) -> None:
        held = sum(
            case.ledger_status in {LedgerStatus.PROCESSING, LedgerStatus.SUCCESS}
            for case in self._known
        )
        left = self._simulator.ledger.balances.available(CLIENT_ID, AMOUNT.currency)
        assert left == BALANCE - held * AMOUNT.minor

    @invariant()
    def every_refund_request_has_the_same_bytes(self) -> None:
        assert all(len(each.digests) == 1 for each in self._simulator.snapshot().payloads)

    @invariant()
    def the_state_follows_only_from_the_received_messages(self) -> None:
        for case in self._known:
            assert case.refund.state is case.state
            assert (case.refund.next_step is None) is (case.end is not None)

    @invariant()
    def failed_needs_a_final_failure_from_antom(self) -> None:
        for case in self._known:
            assert case.refund.state is not RefundState.FAILED or Meaning.FAIL in case.received

    @invariant()
    def a_contradiction_is_flagged_if_and_only_if_there_was_one(self) -> None:
        for case in self._known:
            assert bool(case.refund.contradictions) is case.is_contradicted
            assert case.refund.attention_reason or not case.is_contradicted

    @invariant()
    def a_terminal_state_is_true_unless_antom_sent_a_false_result(self) -> None:
        for case in self._known:
            if case.refund.is_terminal and not case.received_false_result:
                assert case.refund.state is TRUE_STATES[case.ledger_status]

    def teardown(self) -> None:
        """Every refund reaches a terminal state once Antom works normally."""
        try:
            for which in range(len(self._known)):
                self._converge(which)
        finally:
            self._run(self._close())
            self._runner.close()

    def _converge(self, which: int) -> None:
        case = self._known[which]
        for _ in range(ROUNDS_MAX):
            self.settle(which, case.ends)
            self._receive_all(case, is_late=False)
            self._take_next_step(which)
        assert case.refund.is_terminal
        self.a_terminal_state_is_true_unless_antom_sent_a_false_result()
        self.the_state_follows_only_from_the_received_messages()
        self.money_moves_at_most_once_and_only_where_the_refund_succeeded()

    def _take_next_step(self, which: int) -> None:
        """Do what the workflow and its activities would do next."""
        case = self._known[which]
        step = case.refund.next_step
        if step in {Step.INQUIRE, Step.POLL}:
            self.inquire(which, Fault(), is_late=False)
        is_unknown = (
            step is Step.POLL and case.ledger_status is LedgerStatus.ABSENT and case.refund.may_send
        )
        if step is Step.SEND or is_unknown:
            self.send(which, Fault(), is_late=False)

    # --- messages from and to Antom

    def _case(self, which: int) -> Case:
        return self._known[which % len(self._known)]

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    def _script(self, case: Case, operation: Operation, fault: Fault) -> None:
        script = FaultScript(
            subject=case.order.refund_request_id, operation=operation, faults=(fault,)
        )
        self._simulator.fault_plan.add(script)

    async def _send_refund(self, order: RefundOrder) -> Evidence:
        try:
            return interpret.from_response(await self._antom.refund(order))
        except (OutcomeUnknownError, GateRefusedError) as error:
            return interpret.from_error(error)

    async def _send_inquiry(self, refund: Refund) -> Evidence:
        try:
            response = await self._antom.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return interpret.from_inquiry_error(error)
        evidence = confirm_by_inquiry(refund, interpret.from_inquiry(response), is_quiet=True)
        payment = await self._antom.inquire_payment(refund.order.payment_id)
        if not interpret.lists_refund(payment, refund.order):
            return evidence
        return evidence.model_copy(update={"payment_id": refund.order.payment_id})

    def _handle_notification(self, request: httpx.Request) -> httpx.Response:
        """The webhook: verify, then parse."""
        signed = SignedMessage(
            path=WEBHOOK_PATH,
            client_id=request.headers["client-id"],
            time=request.headers["request-time"],
            body=request.content,
        )
        try:
            verify(signed, request.headers["signature"], [self._antoms_key])
        except WrongSignatureError:
            self._forgeries += 1
            return httpx.Response(401)
        self._notifications.append(
            interpret.from_notification(RefundNotification.model_validate_json(request.content))
        )
        return httpx.Response(200, content=ACKNOWLEDGEMENT)

    def _add_notifications(self, case: Case, meanings: Iterable[Meaning]) -> None:
        arrived = zip(self._notifications, meanings, strict=True)
        for evidence, meaning in list(arrived):
            self._add_in_flight(case, evidence, meaning)
        self._notifications.clear()

    def _add_in_flight(self, case: Case, evidence: Evidence, meaning: Meaning) -> None:
        truth = TRUE_STATES.get(case.ledger_status) if case.is_sent else RefundState.CLOSED
        claim = (
            RefundState.CLOSED
            if meaning in {Meaning.CLOSED_UNCONFIRMED, Meaning.CLOSURE}
            else CLAIMS.get(meaning)
        )
        if claim is not None and (claim is not truth or case.ledger_status is LedgerStatus.ABSENT):
            is_called_off = case.is_called_off and case.ledger_status is LedgerStatus.ABSENT
            case.received_false_result = case.received_false_result or not is_called_off
        case.in_flight.append((evidence, meaning))

    def _receive_evidence(self, case: Case, evidence: Evidence, meaning: Meaning) -> None:
        case.refund = apply(case.refund, evidence)
        case.received.append(meaning)

    def _receive_all(self, case: Case, *, is_late: bool) -> None:
        """Receive all messages in flight, the latest one first."""
        while case.in_flight and not is_late:
            self._receive_evidence(case, *case.in_flight.pop())

    async def _close(self) -> None:
        await self._antom.aclose()
        await self._simulator.__aexit__()


async def _never(seconds: float) -> None:
    """No scheduled action ever runs: the state machine decides when to act."""
    if seconds:
        await asyncio.Event().wait()


def _truth(case: Case) -> Meaning:
    """The meaning of a correct response or notification about this refund."""
    return {
        LedgerStatus.PROCESSING: Meaning.PROCESSING,
        LedgerStatus.SUCCESS: Meaning.SUCCESS,
        LedgerStatus.FAIL: Meaning.FAIL,
        LedgerStatus.CLOSED: Meaning.CLOSED_UNCONFIRMED,
    }[case.ledger_status]


def _as_response(meaning: Meaning) -> Meaning:
    """A failure in the response to the refund call contains no refund id."""
    return Meaning.FAILED_UNCONFIRMED if meaning is Meaning.FAIL else meaning


def _response_meaning(case: Case, fault: Fault) -> Meaning:
    if fault.kind in UNUSABLE:
        return Meaning.DOUBT
    if fault.kind is FaultKind.RESULT_CODE and fault.code:
        return Meaning.DOUBT if fault.status == "U" else RESPONSES[fault.code][0]
    return _as_response(_truth(case))


def _inquiry_meaning(case: Case, fault: Fault) -> Meaning:
    """Any inquiry except success and processing confirms a result that was announced before."""
    if fault.kind in UNUSABLE:
        return Meaning.NOTHING
    meaning = _reported_by_inquiry(case, fault)
    if meaning not in {None, Meaning.FAIL, Meaning.CLOSED}:
        return meaning or Meaning.NOTHING
    if case.refund.closure is not None:
        return Meaning.CLOSED
    if case.refund.failure is not None:
        return meaning or Meaning.FAIL
    if case.refund.call_off is not None:
        return meaning or Meaning.CLOSED
    return meaning or Meaning.NOTHING


def _reported_by_inquiry(case: Case, fault: Fault) -> Meaning | None:
    """The reported status; None if Antom reports that it does not know the refund."""
    if fault.kind is FaultKind.RESULT_CODE and fault.code:
        return RESPONSES[fault.code][1]
    is_denied = fault.kind in {FaultKind.NOT_FOUND, FaultKind.NOT_FOUND_NULL}
    if is_denied or case.ledger_status is LedgerStatus.ABSENT:
        return None
    if fault.kind is FaultKind.STALE:
        return Meaning.UNNAMED if case.kind is Kind.REFUSED else Meaning.PROCESSING
    return Meaning.CLOSED if case.ledger_status is LedgerStatus.CLOSED else _truth(case)


def _notification_meanings(case: Case, kind: FaultKind) -> list[Meaning]:
    truth = Meaning.CLOSURE if case.ledger_status is LedgerStatus.CLOSED else _truth(case)
    truth = Meaning.CLAIM if truth is Meaning.SUCCESS else truth
    opposite = Meaning.FAIL if truth is Meaning.CLAIM else Meaning.CLAIM
    match kind:
        case FaultKind.NOT_SENT | FaultKind.FORGED:
            return []
        case FaultKind.REPEATED:
            return [truth, truth]
        case FaultKind.INCONSISTENT | FaultKind.WRONG_AMOUNT:
            return [Meaning.MISMATCH]
        case FaultKind.CONTRADICTING:
            return [truth, opposite]
        case _:
            return [truth]


def test_the_state_of_a_refund_always_follows_from_antoms_messages(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    class Machine(RefundMachine):
        def __init__(self) -> None:
            super().__init__(merchant_keys, antom_keys)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
