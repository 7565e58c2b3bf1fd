"""The demo: its audit finds what it claims to find, its scenes are all there, and it holds."""

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
from starter.demo import acts, director
from starter.demo.acts import Claim, Stage
from starter.demo.audit import Audit, audit
from starter.demo.board import Board
from starter.demo.scenes import ALL, CRASH, KIOSK, SCENES, Scene
from tests.starter.shop import COMMAND, PATIENCE, Processes, Shop, ended, read_until

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TWICE = "money moved twice"
LOST = "lost: asked for, without an end"
DISAGREES = "states that disagree with the ledger"
BYTES = "sent with different bytes"
OTHERWISE = "ended otherwise than its scene says"
SCENE = Scene(key="one", title="a refund")
PAID = (SCENE.amount,)


@dataclass(frozen=True, slots=True)
class Case:
    """One refund as we say that it ended, and as Antom's ledger shows it."""

    says: RefundState | None = RefundState.SUCCEEDED
    status: RefundStatus | None = RefundStatus.SUCCESS
    moved: tuple[Money, ...] = PAID
    digests: tuple[str, ...] = ("a",)
    scene: Scene = SCENE

    @property
    def outcomes(self) -> dict[str, RefundOutcome]:
        if self.says is None:
            return {}
        order = self.scene.order
        outcome = RefundOutcome(
            refund_request_id=order.refund_request_id,
            payment_id=order.payment_id,
            merchant=order.merchant,
            amount=order.amount,
            state=self.says,
            result_code="SUCCESS",
        )
        return {order.refund_request_id: outcome}

    @property
    def ledger(self) -> LedgerSnapshot:
        own = {"client_id": "c", "refund_request_id": self.scene.order.refund_request_id}
        payment = self.scene.order.payment_id
        movements = (
            Movement(**own, payment_id=payment, amount=each, at=NOW) for each in self.moved
        )
        return LedgerSnapshot(
            refunds=() if self.status is None else (self._booked(self.status),),
            movements=tuple(movements),
            payloads=(PayloadDigests(**own, digests=self.digests),),
        )

    def _booked(self, status: RefundStatus) -> RefundRecord:
        order = self.scene.order
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
        return audit([self.scene], self.outcomes, self.ledger)

    def found(self) -> set[str]:
        return {each.text for each in self.audited().findings if each.refunds}


FAILS = replace(SCENE, ends=RefundState.FAILED)
CLOSES = replace(SCENE, ends=RefundState.CLOSED)
CENT_MORE = Money(currency="EUR", minor=SCENE.amount.minor + 1)


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(says=RefundState.FAILED, status=RefundStatus.FAIL, moved=(), scene=FAILS),
        Case(says=RefundState.CLOSED, status=RefundStatus.CLOSED, moved=(), scene=CLOSES),
        Case(says=RefundState.FAILED, status=None, moved=(), digests=(), scene=FAILS),
    ],
)
def test_a_clean_audit_holds(case: Case) -> None:
    assert case.audited().holds
    assert case.found() == set()


@pytest.mark.parametrize(
    ("case", "found"),
    [
        pytest.param(Case(moved=PAID * 2), {TWICE, DISAGREES}, id="money moved twice"),
        pytest.param(Case(says=None), {LOST}, id="no end"),
        pytest.param(Case(digests=("a", "b")), {BYTES}, id="different bytes"),
        pytest.param(
            Case(says=RefundState.FAILED, status=RefundStatus.FAIL, moved=()),
            {OTHERWISE},
            id="another end than the scene's",
        ),
        pytest.param(
            Case(status=RefundStatus.FAIL, moved=()), {DISAGREES}, id="we say done, Antom failed"
        ),
        pytest.param(Case(moved=()), {DISAGREES}, id="we say done, nothing moved"),
        pytest.param(
            Case(status=RefundStatus.PROCESSING, moved=()),
            {DISAGREES},
            id="we say done, Antom is not done yet",
        ),
        pytest.param(
            Case(status=None, moved=()), {DISAGREES}, id="we say done, Antom knows nothing"
        ),
        pytest.param(Case(moved=(CENT_MORE,)), {DISAGREES}, id="another amount moved"),
        pytest.param(
            Case(says=RefundState.FAILED, scene=FAILS),
            {DISAGREES},
            id="we say failed, Antom is done",
        ),
        pytest.param(
            Case(says=RefundState.FAILED, status=RefundStatus.FAIL, scene=FAILS),
            {DISAGREES},
            id="we say failed, money moved",
        ),
        pytest.param(
            Case(says=RefundState.FAILED, status=None, scene=FAILS),
            {DISAGREES},
            id="we say failed, money moved without a record",
        ),
        pytest.param(
            Case(says=RefundState.FAILED, status=RefundStatus.CLOSED, moved=(), scene=FAILS),
            {DISAGREES},
            id="we say failed, Antom closed",
        ),
        pytest.param(
            Case(says=RefundState.CLOSED, status=RefundStatus.FAIL, moved=(), scene=CLOSES),
            {DISAGREES},
            id="we say closed, Antom failed",
        ),
    ],
)
def test_the_audit_finds(case: Case, found: set[str]) -> None:
    assert case.found() == found
    assert not case.audited().holds


def test_a_finding_names_its_refunds_and_no_others() -> None:
    other = Case(scene=Scene(key="other", title="another"), moved=PAID * 2)
    ledger = LedgerSnapshot(
        refunds=Case().ledger.refunds + other.ledger.refunds,
        movements=Case().ledger.movements + other.ledger.movements,
    )

    found = audit([SCENE, other.scene], Case().outcomes | other.outcomes, ledger)

    assert (found.asked, found.ended) == (2, 2)
    assert found.findings[0].refunds == ("demo-other",)


def test_no_two_scenes_share_a_key() -> None:
    keys = [scene.key for scene in ALL]

    assert len(set(keys)) == len(keys)
    assert ALL == SCENES + CRASH


@pytest.mark.parametrize(
    ("title", "ends"),
    [
        ("succeeded at once", RefundState.SUCCEEDED),
        ("succeeded by notification", RefundState.SUCCEEDED),
        ("notification lost, found by inquiry", RefundState.SUCCEEDED),
        ("answer lost after the money moved", RefundState.SUCCEEDED),
        ("UNKNOWN_EXCEPTION", RefundState.SUCCEEDED),
        ("REQUEST_TRAFFIC_EXCEED_LIMIT", RefundState.SUCCEEDED),
        ("MERCHANT_BALANCE_NOT_ENOUGH", RefundState.FAILED),
        ("REFUND_WINDOW_EXCEED", RefundState.FAILED),
        ("ORDER_IS_CLOSED", RefundState.CLOSED),
        ("no such refund", RefundState.SUCCEEDED),
        ("notified three times, and a stale one after", RefundState.SUCCEEDED),
        ("notification before the answer", RefundState.SUCCEEDED),
        ("a forged notification is refused", RefundState.SUCCEEDED),
        ("wrong key: blocked, mended, goes on", RefundState.SUCCEEDED),
        ("asked for twice", RefundState.SUCCEEDED),
        ("worker killed while Antom answers", RefundState.SUCCEEDED),
    ],
)
def test_the_demo_shows(title: str, ends: RefundState) -> None:
    found = [scene for scene in ALL if title in scene.title]

    assert found
    assert {scene.ends for scene in found} == {ends}


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.key)
def test_a_scene_gives_back_a_part_of_its_payment(scene: Scene) -> None:
    paid = scene.paid("c")

    assert paid.payment_id == scene.order.payment_id
    assert paid.amount.minor == 4 * scene.order.amount.minor
    assert all(script.subject == scene.order.refund_request_id for script in scene.scripts)
    assert scene.merchant in {"default", KIOSK}


def view_of(scene: Scene, state: RefundState, *, is_running: bool = True) -> RefundView:
    order = scene.order
    return RefundView(
        refund_request_id=order.refund_request_id,
        payment_id=order.payment_id,
        merchant=order.merchant,
        amount=order.amount,
        state=state,
        result_code="SOME_CODE",
        needs_human=False,
        is_running=is_running,
        due_at=None,
        started_at=NOW,
        ended_at=None,
        history_length=10,
        workflow_id="w",
        run_id="r",
    )


def show_two(console: Console) -> None:
    with Board([SCENE, Scene(key="two", title="another")], console) as board:
        board.show(view_of(SCENE, RefundState.REQUESTED))
        board.show(view_of(SCENE, RefundState.REQUESTED))
        board.show(view_of(SCENE, RefundState.SUCCEEDED, is_running=False))
        board.remark(SCENE.order.refund_request_id, "well done")


def test_the_board_is_plain_lines_where_there_is_no_terminal() -> None:
    screen = StringIO()

    show_two(Console(file=screen, width=40))

    lines = screen.getvalue().splitlines()
    assert [line.split(" s  ", 1)[1].split() for line in lines] == [
        ["demo-one", "a", "refund", "requested", "(SOME_CODE)"],
        ["demo-one", "a", "refund", "succeeded", "(SOME_CODE)"],
        ["demo-one", "a", "refund", "well", "done"],
    ]


def test_the_board_is_a_table_on_a_terminal() -> None:
    screen = StringIO()

    show_two(Console(file=screen, width=160, height=50, force_terminal=True, color_system=None))

    table = screen.getvalue().rsplit("refunds ended", 1)[1]
    rows = [row.split() for row in table.splitlines()[1:4]]
    assert "1 of 2 refunds ended" in screen.getvalue()
    assert rows[0] == ["scene", "amount", "way", "code", "remark"]
    assert rows[1] == [
        *("a", "refund", "12.50", "EUR", "requested", "→", "succeeded"),
        *("SOME_CODE", "well", "done"),
    ]
    assert rows[2] == ["another", "12.50", "EUR"]


def stage_of(shop: Shop, scenes: list[Scene], screen: StringIO) -> Stage:
    board = Board(scenes, Console(file=screen, width=200))
    return Stage(shop.stack, shop.refunds, shop.antom, board)


async def test_an_antom_that_pays_twice_fails_the_audit(shop: Shop) -> None:
    # The answer is lost, and the repetition finds an Antom without memory.
    forgetful = (Fault(kind=FaultKind.CUT_AFTER), Fault(kind=FaultKind.ID_FORGOTTEN))
    scene = Scene(
        key="forgotten",
        title="paid twice",
        faults={Operation.REFUND: forgetful, Operation.INQUIRY: (Fault(kind=FaultKind.NOT_FOUND),)},
    )
    screen = StringIO()
    stage = stage_of(shop, [scene], screen)
    await stage.antom.add_payments(scene.paid(shop.stack.merchants["default"].client_id))
    await stage.antom.add_scripts(*scene.scripts)

    await acts.ask(stage, [scene])
    refund_request_id = scene.order.refund_request_id
    outcome = await stage.refunds.outcome(refund_request_id, wait=PATIENCE)
    assert outcome is not None
    found = audit([scene], {refund_request_id: outcome}, await stage.antom.ledger())
    director._report(stage, found, Console(file=screen, width=200))

    assert not found.holds
    assert {each.text for each in found.findings if each.refunds} == {TWICE, DISAGREES}
    assert f"!!  {TWICE:<50} 1  {refund_request_id}" in screen.getvalue()
    assert "the audit does not hold" in screen.getvalue()


async def test_a_demo_that_hangs_does_not_hold(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(stage: Stage) -> None:
        await asyncio.Event().wait()

    screen = StringIO()
    monkeypatch.setattr(director, "_play", hang)
    monkeypatch.setattr(director, "_LIMIT", timedelta(milliseconds=1))

    holds = await director.run(shop.stack, Console(file=screen, width=200))

    assert not holds
    assert f"!!  {LOST:<50} {len(ALL)}  demo-once-1" in screen.getvalue()
    assert all(f"!!  {claim:<50} NOT SEEN" in screen.getvalue() for claim in Claim)
    assert "the audit does not hold" in screen.getvalue()


async def test_what_was_not_so_for_one_refund_was_not_seen(shop: Shop) -> None:
    screen = StringIO()
    stage = stage_of(shop, [SCENE], screen)

    stage.claim(SCENE, Claim.MENDED, holds=False)
    stage.claim(SCENE, Claim.MENDED)
    stage.claim(SCENE, Claim.FORGED)

    assert "NOT SEEN: blocked until the key was mended" in screen.getvalue()
    assert {claim for claim, holds in stage.claims.items() if holds} == {Claim.FORGED}


@pytest.mark.slow
async def test_a_demo_that_is_told_to_stop_leaves_nothing(lone_processes: Processes) -> None:
    playing = await lone_processes.start(COMMAND, "demo")
    await read_until(playing, "requested")

    playing.terminate()
    said = await ended(playing)

    assert (said.code, said.err) == (130, "")
    assert "audit" not in said.out
    assert lone_processes.left() == []


async def test_the_demo_plays_every_scene_and_its_audit_holds(
    demo: Process, demo_processes: Processes
) -> None:
    said = await ended(demo)

    assert said.code == 0, said.out + said.err
    assert said.err == ""
    assert [scene.title for scene in ALL if scene.title not in said.out] == []
    assert "advice: wait for new sales or top up the balance" in said.out
    assert [claim for claim in Claim if f"ok  {claim}" not in said.out] == []
    assert "NOT SEEN" not in said.out
    assert said.out.endswith("the audit holds\n")
    assert demo_processes.left() == []
