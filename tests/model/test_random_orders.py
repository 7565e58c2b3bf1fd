"""Refunds against an abstract ledger: whatever Antom does, in whatever order we hear of it.

Real calls with real signatures go to the simulator. What comes back stays in the air and is heard
later: in any order, more than once, or not before the end. Beside it runs a model that knows only
what was done and what was said; nothing of the product is asked what that means.

One fault is left out, an Antom that forgets an id. It breaks the promise that ours rests on: the
next call would move the money again, and no caller could know.
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
from antom_refunds.simulator.fault_plan import FaultScript
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.notifier import Notifier
from antom_refunds.simulator.server import create_app
from antom_refunds.simulator.simulator import AntomSimulator
from tests.harness import AMOUNT, CLIENT_ID, NOTIFY_URL, WEBHOOK_PATH, KeyFiles

BALANCE: Final = 1_000_000
# Honest rounds after which every refund must have its end.
ROUNDS_MAX: Final = 5

Result = TypeVar("Result")


class Kind(StrEnum):
    """How Antom takes a refund."""

    AT_ONCE = "at once"
    PENDING = "pending"
    REFUSED = "refused"


class Books(StrEnum):
    """What really became of a refund."""

    ABSENT = "absent"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"


class Said(StrEnum):
    """What one message means, by the documentation."""

    NOTHING = "nothing"
    REFUSED = "refused at the gate"
    DOUBT = "doubt"
    CLOSING = "closed, to be confirmed"
    CLOSURE = "closed, with FAIL, to be confirmed"
    ODD = "disagrees with itself or with the order"
    PROCESSING = "processing"
    UNNAMED = "processing, and its payment does not name it"
    SUCCESS = "success"
    FAIL = "fail"
    CLOSED = "closed"
    REFUSAL = "refused with F, to be confirmed"
    CONFLICT = "the id is taken by other fields"
    CLAIM = "success, of a payment that is not named"


ENDS: Final = {
    Said.SUCCESS: RefundState.SUCCEEDED,
    Said.FAIL: RefundState.FAILED,
    Said.CLOSED: RefundState.CLOSED,
}
CLAIMS: Final = {**ENDS, Said.CLAIM: RefundState.SUCCEEDED}
LADDER: Final = (
    RefundState.REQUESTED,
    RefundState.BLOCKED,
    RefundState.IN_DOUBT,
    RefundState.PROCESSING,
)
RUNGS: Final = {
    Said.NOTHING: RefundState.REQUESTED,
    Said.REFUSED: RefundState.BLOCKED,
    Said.DOUBT: RefundState.IN_DOUBT,
    Said.CLOSING: RefundState.IN_DOUBT,
    Said.CLOSURE: RefundState.IN_DOUBT,
    Said.ODD: RefundState.IN_DOUBT,
    Said.REFUSAL: RefundState.IN_DOUBT,
    Said.CONFLICT: RefundState.IN_DOUBT,
    Said.CLAIM: RefundState.IN_DOUBT,
    Said.PROCESSING: RefundState.PROCESSING,
    Said.UNNAMED: RefundState.PROCESSING,
}
BEGINNINGS: Final = {
    Kind.AT_ONCE: Books.SUCCESS,
    Kind.PENDING: Books.PROCESSING,
    Kind.REFUSED: Books.FAIL,
}
SETTLED: Final = {
    SettlementOutcome.SUCCESS: Books.SUCCESS,
    SettlementOutcome.FAIL: Books.FAIL,
    SettlementOutcome.CLOSED: Books.CLOSED,
}
TRUTHS: Final = {
    Books.ABSENT: RefundState.CLOSED,  # called off
    Books.SUCCESS: RefundState.SUCCEEDED,
    Books.FAIL: RefundState.FAILED,
    Books.CLOSED: RefundState.CLOSED,
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
# A code as the bare answer to the refund call, and to the inquiry.
ANSWERS: Final = {
    "UNKNOWN_EXCEPTION": (Said.DOUBT, Said.NOTHING),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": (Said.DOUBT, Said.NOTHING),
    "REFUND_IN_PROCESS": (Said.PROCESSING, Said.NOTHING),
    "ORDER_IS_CLOSED": (Said.CLOSING, Said.CLOSED),
    "ACCESS_DENIED": (Said.REFUSED, Said.NOTHING),
    "PROCESS_FAIL": (Said.REFUSAL, Said.NOTHING),
    "BRAND_NEW_CODE": (Said.REFUSAL, Said.NOTHING),
    "REPEAT_REQ_INCONSISTENT": (Said.CONFLICT, Said.NOTHING),
    "SUCCESS": (Said.ODD, None),  # without the ids and the amount that come with it
    "REFUND_NOT_EXIST": (Said.REFUSAL, None),
}

CODED: Final = st.builds(
    Fault,
    kind=st.just(FaultKind.RESULT_CODE),
    code=st.sampled_from(sorted(ANSWERS)),
    executed=st.booleans(),
) | st.just(
    Fault(kind=FaultKind.RESULT_CODE, code="BRAND_NEW_CODE", status="U")  # unknown, and no end
)
SPOILT: Final = st.builds(
    Fault, kind=st.sampled_from(sorted(UNUSABLE)), executed=st.booleans()
) | st.builds(Fault)
ASK_FAULTS: Final = SPOILT | CODED | st.just(Fault(kind=FaultKind.NOTIFY_BEFORE_RESPONSE))
INQUIRY_FAULTS: Final = (
    SPOILT
    | CODED
    | st.builds(
        Fault,
        kind=st.sampled_from([FaultKind.STALE, FaultKind.NOT_FOUND, FaultKind.NOT_FOUND_NULL]),
    )
)
WHICH: Final = st.integers(0, 1)
# Now and then what was said stays in the air, and something else is heard first.
IS_LATE: Final = st.sampled_from([False, False, True])
NOTICE_FAULTS: Final = st.sampled_from(
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
    """One refund: as the product sees it, as it really is, and what is still in the air."""

    order: RefundOrder
    kind: Kind
    ends: SettlementOutcome
    refund: Refund
    books: Books = Books.ABSENT
    is_asked: bool = False
    is_called_off: bool = False
    was_lied_to: bool = False
    air: list[tuple[Evidence, Said]] = field(default_factory=list)
    heard: list[Said] = field(default_factory=list)

    @property
    def ended_at(self) -> int | None:
        """Which of the heard made the end: the first last word, or what tied a claim to it."""
        is_claimed = is_bound = False
        for number, said in enumerate(self.heard):
            is_claimed |= said is Said.CLAIM
            is_bound |= said is Said.PROCESSING
            if said in ENDS or (is_claimed and is_bound):
                return number
        return None

    @property
    def end(self) -> Said | None:
        if self.ended_at is None:
            return None
        said = self.heard[self.ended_at]
        return said if said in ENDS else Said.SUCCESS

    @property
    def state(self) -> RefundState:
        """What the refund must be, for all that was heard."""
        if self.end is not None:
            return ENDS[self.end]
        return max((RUNGS[said] for said in self.heard), key=LADDER.index, default=LADDER[0])

    @property
    def is_contradicted(self) -> bool:
        if self.ended_at is None:
            return False
        if self.end is Said.SUCCESS and Said.CLOSURE in self.heard:
            return True
        if self.end is not Said.SUCCESS and Said.CLAIM in self.heard:
            return True
        later = self.heard[self.ended_at + 1 :]
        against = {Said.ODD, Said.CONFLICT, *ENDS} - {self.end}
        return any(said in against for said in later)


class RefundMachine(RuleBasedStateMachine):
    """Antom, the way to it and back, and a refund or two."""

    def __init__(self, merchant_keys: KeyFiles, antom_keys: KeyFiles) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._antoms_key = read_public_key(antom_keys[1])
        self._mail: list[Evidence] = []
        self._forgeries = 0
        self._known: list[Case] = []
        self._simulator = AntomSimulator(
            read_private_key(antom_keys[0]),
            sleep=_for_ever,
            transport=httpx.MockTransport(self._receive),
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
            sleep=_for_ever,
        )
        account = MerchantAccount(
            client_id=CLIENT_ID,
            keys=KeyRing(merchant_keys[0], [antom_keys[1]]),
            gateway="http://antom.test",
        )
        transport = httpx.ASGITransport(create_app(self._simulator))
        self._antom = AntomClient(account, transport=transport)

    # --- what may happen

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

    @rule(which=WHICH, fault=ASK_FAULTS, is_late=IS_LATE)
    def ask(self, which: int, fault: Fault, *, is_late: bool) -> None:
        case = self._case(which)
        if case.is_called_off:
            return
        self._script(case, Operation.REFUND, fault)
        evidence = self._run(self._asked(case.order))
        is_first = fault.takes_effect and case.books is Books.ABSENT
        case.is_asked = True
        if is_first:
            case.books = BEGINNINGS[case.kind]
        said = _answer_says(case, fault)
        if (
            is_first
            and fault.kind is FaultKind.NOTIFY_BEFORE_RESPONSE
            and case.kind is Kind.PENDING
        ):
            case.books = SETTLED[case.ends]
            self._arrive(case, _notice_says(case, FaultKind.NONE))
        self._say(case, evidence, said)
        self._catch_up(case, is_late=is_late)

    @rule(which=WHICH, fault=INQUIRY_FAULTS, is_late=IS_LATE)
    def inquire(self, which: int, fault: Fault, *, is_late: bool) -> None:
        case = self._case(which)
        self._script(case, Operation.INQUIRY, fault)
        evidence = self._run(self._inquired(case.refund))
        self._say(case, evidence, _inquiry_says(case, fault))
        self._catch_up(case, is_late=is_late)

    @rule(which=WHICH, ending=st.sampled_from(SettlementOutcome))
    def settle(self, which: int, ending: SettlementOutcome) -> None:
        case = self._case(which)
        if case.books is not Books.PROCESSING:
            return
        refund = self._simulator.ledger.store.refund(CLIENT_ID, case.order.refund_request_id)
        assert refund
        self._simulator.ledger.settle(refund, ending)
        case.books = SETTLED[ending]

    @rule(which=WHICH, kind=NOTICE_FAULTS, is_late=IS_LATE)
    def notify(self, which: int, kind: FaultKind, *, is_late: bool) -> None:
        case = self._case(which)
        if case.books in {Books.ABSENT, Books.PROCESSING}:
            return
        refund = self._simulator.ledger.store.refund(CLIENT_ID, case.order.refund_request_id)
        assert refund
        self._script(case, Operation.NOTIFY, Fault(kind=kind))
        forgeries = self._forgeries
        self._run(self._notifier.attempt(refund, NOTIFY_URL, number=1))
        assert self._forgeries - forgeries == (kind is FaultKind.FORGED)
        self._arrive(case, _notice_says(case, kind))
        self._catch_up(case, is_late=is_late)

    @rule(which=WHICH, choice=st.integers(0, 9), is_repeated=st.booleans())
    def hear(self, which: int, choice: int, *, is_repeated: bool) -> None:
        case = self._case(which)
        if not case.air:
            return
        evidence, said = case.air[choice % len(case.air)]
        if not is_repeated:
            case.air.remove((evidence, said))
        self._hear(case, evidence, said)

    @rule(which=WHICH)
    def call_off(self, which: int) -> None:
        case = self._case(which)
        if case.is_asked or case.refund.state is not RefundState.REQUESTED:
            return
        person = Instruction(by="ops", reason="the buyer changed her mind")
        case.refund = apply(
            case.refund, contract.evidence_from_instruction(EvidenceKind.CALL_OFF, person)
        )
        case.is_called_off = True

    @rule(which=WHICH)
    def check(self, which: int) -> None:
        case = self._case(which)
        person = Instruction(by="ops", reason="the buyer asks")
        case.refund = apply(
            case.refund, contract.evidence_from_instruction(EvidenceKind.CHECK, person)
        )

    # --- what must hold, whatever happened

    @invariant()
    def money_moves_at_most_once_and_only_where_the_refund_succeeded(self) -> None:
        for case in self._known:
            moved = self._simulator.snapshot().movements_of(case.order.refund_request_id)
            assert len(moved) == (case.books is Books.SUCCESS)
            assert all(each.amount == case.order.amount for each in moved)

    @invariant()
    def the_balance_is_what_the_ledger_says(self) -> None:
        held = sum(case.books in {Books.PROCESSING, Books.SUCCESS} for case in self._known)
        left = self._simulator.ledger.balances.available(CLIENT_ID, AMOUNT.currency)
        assert left == BALANCE - held * AMOUNT.minor

    @invariant()
    def every_ask_about_a_refund_bears_the_same_bytes(self) -> None:
        assert all(len(each.digests) == 1 for each in self._simulator.snapshot().payloads)

    @invariant()
    def the_state_is_what_was_heard_and_nothing_else(self) -> None:
        for case in self._known:
            assert case.refund.state is case.state
            assert (case.refund.next_step is None) is (case.end is not None)

    @invariant()
    def failed_needs_antoms_last_word(self) -> None:
        for case in self._known:
            assert case.refund.state is not RefundState.FAILED or Said.FAIL in case.heard

    @invariant()
    def a_contradiction_is_flagged_if_and_only_if_there_was_one(self) -> None:
        for case in self._known:
            assert bool(case.refund.contradictions) is case.is_contradicted
            assert case.refund.attention_reason or not case.is_contradicted

    @invariant()
    def an_end_is_true_unless_antom_lied(self) -> None:
        for case in self._known:
            if case.refund.is_terminal and not case.was_lied_to:
                assert case.refund.state is TRUTHS[case.books]

    def teardown(self) -> None:
        """Every refund reaches its end once Antom is itself again."""
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
            self._catch_up(case, is_late=False)
            self._go_on(which)
        assert case.refund.is_terminal
        self.an_end_is_true_unless_antom_lied()
        self.the_state_is_what_was_heard_and_nothing_else()
        self.money_moves_at_most_once_and_only_where_the_refund_succeeded()

    def _go_on(self, which: int) -> None:
        """What the workflow and its activities would do next."""
        case = self._known[which]
        step = case.refund.next_step
        if step in {Step.INQUIRE, Step.POLL}:
            self.inquire(which, Fault(), is_late=False)
        is_unknown = step is Step.POLL and case.books is Books.ABSENT and case.refund.may_send
        if step is Step.SEND or is_unknown:
            self.ask(which, Fault(), is_late=False)

    # --- the way there and back

    def _case(self, which: int) -> Case:
        return self._known[which % len(self._known)]

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    def _script(self, case: Case, operation: Operation, fault: Fault) -> None:
        script = FaultScript(
            subject=case.order.refund_request_id, operation=operation, faults=(fault,)
        )
        self._simulator.fault_plan.add(script)

    async def _asked(self, order: RefundOrder) -> Evidence:
        try:
            return interpret.from_response(await self._antom.refund(order))
        except (OutcomeUnknownError, GateRefusedError) as error:
            return interpret.from_error(error)

    async def _inquired(self, refund: Refund) -> Evidence:
        try:
            answer = await self._antom.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            return interpret.from_inquiry_error(error)
        evidence = confirm_by_inquiry(refund, interpret.from_inquiry(answer), is_quiet=True)
        payment = await self._antom.inquire_payment(refund.order.payment_id)
        if not interpret.lists_refund(payment, refund.order):
            return evidence
        return evidence.model_copy(update={"payment_id": refund.order.payment_id})

    def _receive(self, request: httpx.Request) -> httpx.Response:
        """The webhook: verify, then read."""
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
        self._mail.append(
            interpret.from_notification(RefundNotification.model_validate_json(request.content))
        )
        return httpx.Response(200, content=ACKNOWLEDGEMENT)

    def _arrive(self, case: Case, said: Iterable[Said]) -> None:
        arrived = zip(self._mail, said, strict=True)
        for evidence, meaning in list(arrived):
            self._say(case, evidence, meaning)
        self._mail.clear()

    def _say(self, case: Case, evidence: Evidence, said: Said) -> None:
        truth = TRUTHS.get(case.books) if case.is_asked else RefundState.CLOSED
        claim = RefundState.CLOSED if said in {Said.CLOSING, Said.CLOSURE} else CLAIMS.get(said)
        if claim is not None and (claim is not truth or case.books is Books.ABSENT):
            is_called_off = case.is_called_off and case.books is Books.ABSENT
            case.was_lied_to = case.was_lied_to or not is_called_off
        case.air.append((evidence, said))

    def _hear(self, case: Case, evidence: Evidence, said: Said) -> None:
        case.refund = apply(case.refund, evidence)
        case.heard.append(said)

    def _catch_up(self, case: Case, *, is_late: bool) -> None:
        """Hear what is in the air, the latest word first."""
        while case.air and not is_late:
            self._hear(case, *case.air.pop())

    async def _close(self) -> None:
        await self._antom.aclose()
        await self._simulator.__aexit__()


async def _for_ever(seconds: float) -> None:
    """Nothing happens by itself here: the machine decides when."""
    if seconds:
        await asyncio.Event().wait()


def _truth(case: Case) -> Said:
    """What Antom says of this refund if it is asked, or notifies, honestly."""
    return {
        Books.PROCESSING: Said.PROCESSING,
        Books.SUCCESS: Said.SUCCESS,
        Books.FAIL: Said.FAIL,
        Books.CLOSED: Said.CLOSING,
    }[case.books]


def _answered(said: Said) -> Said:
    """A refusal as the answer to the refund call names no refund."""
    return Said.REFUSAL if said is Said.FAIL else said


def _answer_says(case: Case, fault: Fault) -> Said:
    if fault.kind in UNUSABLE:
        return Said.DOUBT
    if fault.kind is FaultKind.RESULT_CODE and fault.code:
        return Said.DOUBT if fault.status == "U" else ANSWERS[fault.code][0]
    return _answered(_truth(case))


def _inquiry_says(case: Case, fault: Fault) -> Said:
    """Where an end was announced before, what is neither success nor processing confirms it."""
    if fault.kind in UNUSABLE:
        return Said.NOTHING
    said = _inquiry_finds(case, fault)
    if said not in {None, Said.FAIL, Said.CLOSED}:
        return said or Said.NOTHING
    if case.refund.closure is not None:
        return Said.CLOSED
    if case.refund.failure is not None:
        return said or Said.FAIL
    if case.refund.call_off is not None:
        return said or Said.CLOSED
    return said or Said.NOTHING


def _inquiry_finds(case: Case, fault: Fault) -> Said | None:
    """None if Antom says that it knows no such refund."""
    if fault.kind is FaultKind.RESULT_CODE and fault.code:
        return ANSWERS[fault.code][1]
    is_denied = fault.kind in {FaultKind.NOT_FOUND, FaultKind.NOT_FOUND_NULL}
    if is_denied or case.books is Books.ABSENT:
        return None
    if fault.kind is FaultKind.STALE:
        return Said.UNNAMED if case.kind is Kind.REFUSED else Said.PROCESSING
    return Said.CLOSED if case.books is Books.CLOSED else _truth(case)


def _notice_says(case: Case, kind: FaultKind) -> list[Said]:
    truth = Said.CLOSURE if case.books is Books.CLOSED else _truth(case)
    truth = Said.CLAIM if truth is Said.SUCCESS else truth
    opposite = Said.FAIL if truth is Said.CLAIM else Said.CLAIM
    match kind:
        case FaultKind.NOT_SENT | FaultKind.FORGED:
            return []
        case FaultKind.REPEATED:
            return [truth, truth]
        case FaultKind.INCONSISTENT | FaultKind.WRONG_AMOUNT:
            return [Said.ODD]
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
