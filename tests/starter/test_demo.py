"""The demo: its audit detects each kind of error, all its scenarios run, and the audit holds."""

import asyncio
from asyncio.subprocess import Process
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.money import Money
from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.records import (
    LedgerSnapshot,
    Movement,
    PayloadDigests,
    RefundRecord,
    RefundStatus,
)
from antom_refunds.simulator.requests import KeyFields
from antom_refunds.simulator.result_codes import result
from antom_refunds.views import RefundView
from starter.demo import disruptions, runner
from starter.demo.audit import Audit, audit
from starter.demo.display import Display
from starter.demo.disruptions import Check, DemoContext
from starter.demo.scenarios import ALL, CRASH, KIOSK, SCENARIOS, Scenario
from tests.starter.processes import (
    COMMAND,
    TEST_TIMEOUT,
    Processes,
    SampleRefunds,
    ended,
    read_until,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TWICE = "money moved twice"
LOST = "lost: requested, without a terminal state"
DISAGREES = "states that disagree with the ledger"
BYTES = "sent with different bytes"
OTHER_STATE = "ended in another state than its scenario expects"
SCENARIO = Scenario(key="one", title="a refund")
PAID = (SCENARIO.amount,)


@dataclass(frozen=True, slots=True)
class Case:
    """One refund: the state that we report, and Antom's ledger."""

    reported: RefundState | None = RefundState.SUCCEEDED
    status: RefundStatus | None = RefundStatus.SUCCESS
    moved: tuple[Money, ...] = PAID
    digests: tuple[str, ...] = ("a",)
    scenario: Scenario = SCENARIO

    @property
    def outcomes(self) -> dict[str, RefundOutcome]:
        if self.reported is None:
            return {}
        order = self.scenario.order
        outcome = RefundOutcome(
            refund_request_id=order.refund_request_id,
            payment_id=order.payment_id,
            merchant=order.merchant,
            amount=order.amount,
            state=self.reported,
            result_code="SUCCESS",
        )
        return {order.refund_request_id: outcome}

    @property
    def ledger(self) -> LedgerSnapshot:
        own = {"client_id": "c", "refund_request_id": self.scenario.order.refund_request_id}
        payment = self.scenario.order.payment_id
        movements = (
            Movement(**own, payment_id=payment, amount=each, at=NOW) for each in self.moved
        )
        return LedgerSnapshot(
            refunds=() if self.status is None else (self._record(self.status),),
            movements=tuple(movements),
            payloads=(PayloadDigests(**own, digests=self.digests),),
        )

    def _record(self, status: RefundStatus) -> RefundRecord:
        order = self.scenario.order
        fields = KeyFields(
            payment_id=order.payment_id,
            currency=order.amount.currency,
            value=str(order.amount.minor),
        )
        return RefundRecord(
            client_id="c",
            refund_request_id=order.refund_request_id,
            refund_id="r",
            key_fields=fields,
            status=status,
            result=result("SUCCESS"),
            was_accepted=True,
            requested_at=NOW,
        )

    def audited(self) -> Audit:
        return audit([self.scenario], self.outcomes, self.ledger)

    def errors(self) -> set[str]:
        return {each.text for each in self.audited().findings if each.refunds}


FAILS = replace(SCENARIO, final_state=RefundState.FAILED)
CLOSES = replace(SCENARIO, final_state=RefundState.CLOSED)
CENT_MORE = Money(currency="EUR", minor=SCENARIO.amount.minor + 1)


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(reported=RefundState.FAILED, status=RefundStatus.FAIL, moved=(), scenario=FAILS),
        Case(reported=RefundState.CLOSED, status=RefundStatus.CLOSED, moved=(), scenario=CLOSES),
        Case(reported=RefundState.FAILED, status=None, moved=(), digests=(), scenario=FAILS),
    ],
)
def test_a_clean_audit_holds(case: Case) -> None:
    assert case.audited().holds
    assert case.errors() == set()


@pytest.mark.parametrize(
    ("case", "found"),
    [
        pytest.param(Case(moved=PAID * 2), {TWICE, DISAGREES}, id="money moved twice"),
        pytest.param(Case(reported=None), {LOST}, id="no terminal state"),
        pytest.param(Case(digests=("a", "b")), {BYTES}, id="different bytes"),
        pytest.param(
            Case(reported=RefundState.FAILED, status=RefundStatus.FAIL, moved=()),
            {OTHER_STATE},
            id="another state than expected",
        ),
        pytest.param(
            Case(status=RefundStatus.FAIL, moved=()),
            {DISAGREES},
            id="we report success, Antom failed",
        ),
        pytest.param(Case(moved=()), {DISAGREES}, id="we report success, nothing moved"),
        pytest.param(
            Case(status=RefundStatus.PROCESSING, moved=()),
            {DISAGREES},
            id="we report success, Antom still processes",
        ),
        pytest.param(
            Case(status=None, moved=()),
            {DISAGREES},
            id="we report success, Antom has no such refund",
        ),
        pytest.param(Case(moved=(CENT_MORE,)), {DISAGREES}, id="another amount moved"),
        pytest.param(
            Case(reported=RefundState.FAILED, scenario=FAILS),
            {DISAGREES},
            id="we report failure, Antom succeeded",
        ),
        pytest.param(
            Case(reported=RefundState.FAILED, status=RefundStatus.FAIL, scenario=FAILS),
            {DISAGREES},
            id="we report failure, money moved",
        ),
        pytest.param(
            Case(reported=RefundState.FAILED, status=None, scenario=FAILS),
            {DISAGREES},
            id="we report failure, money moved without a record",
        ),
        pytest.param(
            Case(reported=RefundState.FAILED, status=RefundStatus.CLOSED, moved=(), scenario=FAILS),
            {DISAGREES},
            id="we report failure, Antom closed",
        ),
        pytest.param(
            Case(reported=RefundState.CLOSED, status=RefundStatus.FAIL, moved=(), scenario=CLOSES),
            {DISAGREES},
            id="we report closure, Antom failed",
        ),
    ],
)
def test_the_audit_detects(case: Case, found: set[str]) -> None:
    assert case.errors() == found
    assert not case.audited().holds


def test_a_finding_names_its_refunds_and_no_others() -> None:
    other = Case(scenario=Scenario(key="other", title="another"), moved=PAID * 2)
    ledger = LedgerSnapshot(
        refunds=Case().ledger.refunds + other.ledger.refunds,
        movements=Case().ledger.movements + other.ledger.movements,
    )

    found = audit([SCENARIO, other.scenario], Case().outcomes | other.outcomes, ledger)

    assert (found.requested, found.ended) == (2, 2)
    assert found.findings[0].refunds == ("demo-other",)


def test_every_scenario_has_its_own_key() -> None:
    keys = [scenario.key for scenario in ALL]

    assert len(set(keys)) == len(keys)
    assert ALL == SCENARIOS + CRASH


@pytest.mark.parametrize(
    ("title", "final_state"),
    [
        ("succeeds immediately", RefundState.SUCCEEDED),
        ("succeeds by notification", RefundState.SUCCEEDED),
        ("notification lost, found by inquiry", RefundState.SUCCEEDED),
        ("response lost after the money moved", RefundState.SUCCEEDED),
        ("UNKNOWN_EXCEPTION", RefundState.SUCCEEDED),
        ("REQUEST_TRAFFIC_EXCEED_LIMIT", RefundState.SUCCEEDED),
        ("MERCHANT_BALANCE_NOT_ENOUGH", RefundState.FAILED),
        ("REFUND_WINDOW_EXCEED", RefundState.FAILED),
        ("ORDER_IS_CLOSED", RefundState.CLOSED),
        ("first inquiry does not find the refund", RefundState.SUCCEEDED),
        ("three notifications, and a stale one later", RefundState.SUCCEEDED),
        ("notification before the response", RefundState.SUCCEEDED),
        ("forged notification is rejected", RefundState.SUCCEEDED),
        ("wrong key: blocked, fixed, continues", RefundState.SUCCEEDED),
        ("requested twice", RefundState.SUCCEEDED),
        ("worker killed while Antom responds", RefundState.SUCCEEDED),
    ],
)
def test_the_demo_shows(title: str, final_state: RefundState) -> None:
    found = [scenario for scenario in ALL if title in scenario.title]

    assert found
    assert {scenario.final_state for scenario in found} == {final_state}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.key)
def test_a_scenario_refunds_a_part_of_its_payment(scenario: Scenario) -> None:
    paid = scenario.payment_for("c")

    assert paid.payment_id == scenario.order.payment_id
    assert paid.amount.minor == 4 * scenario.order.amount.minor
    assert all(script.subject == scenario.order.refund_request_id for script in scenario.scripts)
    assert scenario.merchant in {"default", KIOSK}


def view_of(scenario: Scenario, state: RefundState, *, is_running: bool = True) -> RefundView:
    order = scenario.order
    return RefundView(
        refund_request_id=order.refund_request_id,
        payment_id=order.payment_id,
        merchant=order.merchant,
        amount=order.amount,
        state=state,
        result_code="SOME_CODE",
        needs_attention=False,
        is_running=is_running,
        overdue_at=None,
        started_at=NOW,
        ended_at=None,
        history_length=10,
        workflow_id="w",
        run_id="r",
    )


def show_two(console: Console) -> None:
    with Display([SCENARIO, Scenario(key="two", title="another")], console) as display:
        display.show(view_of(SCENARIO, RefundState.REQUESTED))
        display.show(view_of(SCENARIO, RefundState.REQUESTED))
        display.show(view_of(SCENARIO, RefundState.SUCCEEDED, is_running=False))
        display.note(SCENARIO.order.refund_request_id, "well done")


def test_the_display_is_plain_lines_where_there_is_no_terminal() -> None:
    screen = StringIO()

    show_two(Console(file=screen, width=40))

    lines = screen.getvalue().splitlines()
    assert [line.split(" s  ", 1)[1].split() for line in lines] == [
        ["demo-one", "a", "refund", "requested", "(SOME_CODE)"],
        ["demo-one", "a", "refund", "succeeded", "(SOME_CODE)"],
        ["demo-one", "a", "refund", "well", "done"],
    ]


def test_the_display_is_a_table_on_a_terminal() -> None:
    screen = StringIO()

    show_two(Console(file=screen, width=160, height=50, force_terminal=True, color_system=None))

    table = screen.getvalue().rsplit("refunds ended", 1)[1]
    rows = [row.split() for row in table.splitlines()[1:4]]
    assert "1 of 2 refunds ended" in screen.getvalue()
    assert rows[0] == ["scenario", "amount", "state", "code", "note"]
    assert rows[1] == ["a", "refund", "12.50", "EUR", "succeeded", "SOME_CODE", "well", "done"]
    assert rows[2] == ["another", "12.50", "EUR"]


def context_of(
    sample_refunds: SampleRefunds, scenarios: list[Scenario], screen: StringIO
) -> DemoContext:
    display = Display(scenarios, Console(file=screen, width=200))
    return DemoContext(sample_refunds.stack, sample_refunds.refunds, sample_refunds.antom, display)


async def test_an_antom_that_pays_twice_fails_the_audit(sample_refunds: SampleRefunds) -> None:
    # The response is lost, and Antom does not recognise the id of the repeated request.
    forgetful = (Fault(kind=FaultKind.CUT_AFTER), Fault(kind=FaultKind.ID_FORGOTTEN))
    scenario = Scenario(
        key="forgotten",
        title="paid twice",
        faults={Operation.REFUND: forgetful, Operation.INQUIRY: (Fault(kind=FaultKind.NOT_FOUND),)},
    )
    screen = StringIO()
    context = context_of(sample_refunds, [scenario], screen)
    await context.antom.add_payments(
        scenario.payment_for(sample_refunds.stack.merchants["default"].client_id)
    )
    await context.antom.add_scripts(*scenario.scripts)

    await disruptions.request(context, [scenario])
    refund_request_id = scenario.order.refund_request_id
    outcome = await context.refunds.outcome(refund_request_id, wait=TEST_TIMEOUT)
    assert outcome is not None
    found = audit([scenario], {refund_request_id: outcome}, await context.antom.ledger())
    runner._report(context, found, Console(file=screen, width=200))

    assert not found.holds
    assert {each.text for each in found.findings if each.refunds} == {TWICE, DISAGREES}
    assert f"!!  {TWICE:<56} 1  {refund_request_id}" in screen.getvalue()
    assert "the audit does not hold" in screen.getvalue()


async def test_a_demo_that_hangs_does_not_hold(
    sample_refunds: SampleRefunds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_context: DemoContext) -> None:
        await asyncio.Event().wait()

    screen = StringIO()
    monkeypatch.setattr(runner, "_run_scenarios", hang)
    monkeypatch.setattr(runner, "_LIMIT", timedelta(milliseconds=1))

    holds = await runner.run(sample_refunds.stack, Console(file=screen, width=200))

    assert not holds
    assert f"!!  {LOST:<56} {len(ALL)}  demo-once-1" in screen.getvalue()
    assert all(f"!!  {check:<56} NOT SHOWN" in screen.getvalue() for check in Check)
    assert "the audit does not hold" in screen.getvalue()


async def test_a_check_that_fails_for_one_refund_fails(sample_refunds: SampleRefunds) -> None:
    screen = StringIO()
    context = context_of(sample_refunds, [SCENARIO], screen)

    context.record(SCENARIO, Check.FIXED, holds=False)
    context.record(SCENARIO, Check.FIXED)
    context.record(SCENARIO, Check.FORGED)

    assert "NOT SHOWN: blocked until the key was fixed" in screen.getvalue()
    assert {check for check, holds in context.checks.items() if holds} == {Check.FORGED}


@pytest.mark.slow
async def test_a_stopped_demo_leaves_no_process(lone_processes: Processes) -> None:
    running = await lone_processes.start(COMMAND, "demo")
    await read_until(running, "requested")

    running.terminate()
    result = await ended(running)

    assert (result.code, result.err) == (130, "")
    assert "audit" not in result.out
    assert lone_processes.running() == []


async def test_the_demo_runs_every_scenario_and_its_audit_holds(
    demo: Process, demo_processes: Processes
) -> None:
    result = await ended(demo)

    assert result.code == 0, result.out + result.err
    assert result.err == ""
    assert [scenario.title for scenario in ALL if scenario.title not in result.out] == []
    assert "advice: wait for new sales or top up the balance" in result.out
    assert [check for check in Check if f"ok  {check}" not in result.out] == []
    assert "NOT SHOWN" not in result.out
    assert result.out.endswith("the audit holds\n")
    assert demo_processes.running() == []
