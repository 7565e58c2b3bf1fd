"""The verdict counts what the aftermath holds, and holds itself only if nothing was found."""

import json

from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.plans import Script, Weather
from antom_refunds.simulator.records import Calls
from bench.spread import Spread
from bench.storm.aftermath import Aftermath
from bench.storm.blows import BlowKind, Struck
from bench.storm.interference import Act, ActKind
from bench.storm.invariants import Invariant
from bench.storm.schedule import drawn
from bench.storm.shape import SHORT
from bench.storm.verdict import Verdict, judged
from tests.storm.witnesses import history, ledger, refund, sending, witnessed

ACT = Act(at=1.0, kind=ActKind.CALL_OFF, refund="r-1")
KILL = Struck(BlowKind.WORKER_KILLED, ("worker-0",), 1.0, 2.0)


def verdict_on(seen: Aftermath) -> Verdict:
    script = Script(
        subject="r-1", operation=Operation.REFUND, faults=(Fault(kind=FaultKind.CUT_AFTER),)
    )
    quiet = {"weather": Weather(), "scripts": (script,), "acts": (ACT,), "elsewhere": ()}
    plan = drawn(SHORT, 1).model_copy(update=quiet)
    return judged(plan, seen, [KILL], lasted=12.0)


def test_a_good_storm_holds() -> None:
    assert verdict_on(witnessed()).holds


def test_one_breach_is_enough() -> None:
    found = verdict_on(witnessed(ledger=ledger(movements=())))

    assert not found.holds
    assert found.found[Invariant.LEDGER_DISAGREES] == ("r-1",)


def test_a_storm_without_refunds_proves_nothing() -> None:
    nothing = witnessed(histories={}, accepted=(), told=())

    assert not verdict_on(nothing).holds


def test_faults_are_counted_by_kind_as_often_as_they_struck() -> None:
    calls = Calls(client_id="shop", subject="r-1", kind=CallKind.REFUND, count=3)

    faults = verdict_on(witnessed(ledger=ledger(calls=(calls,)))).faults

    assert faults == {"worker killed": 1, "call-off": 1, "refund: cut_after": 1}


def test_a_refund_that_another_system_made_is_not_late() -> None:
    theirs = witnessed(ledger=ledger(refunds=(refund(is_made_elsewhere=True),)))

    assert verdict_on(theirs).late.max == 0


def test_calls_are_counted_for_each_refund() -> None:
    kinds = ((CallKind.REFUND, 2), (CallKind.INQUIRY, 5))
    calls = tuple(
        Calls(client_id="shop", subject="r-1", kind=kind, count=count) for kind, count in kinds
    )

    found = verdict_on(witnessed(ledger=ledger(calls=calls)))

    assert found.calls.max == found.calls_mean == 7


def test_lateness_runs_from_antoms_final_word_to_ours() -> None:
    assert verdict_on(witnessed()).late.max == 1.0


def test_contradictions_of_antom_are_counted_and_those_that_were_shown() -> None:
    lie = sending(succeeded=False, fault="reordered", is_acknowledged=False)
    seen = witnessed(its=history(), ledger=ledger(notifications=(lie,)))

    found = verdict_on(seen)

    assert (found.contradicted, found.contradicted_shown) == (1, 0)


def test_the_json_names_every_invariant() -> None:
    written = json.loads(verdict_on(witnessed()).model_dump_json())

    assert set(written["found"]) == {invariant.value for invariant in Invariant}


def test_a_spread_of_nothing_is_nothing() -> None:
    assert Spread.of([]) == Spread()
    assert Spread.of(range(1, 101)) == Spread(p50=50, p99=99, max=100)
