"""The report counts the observations, and holds only if no invariant is violated."""

import json

from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation, RandomFaults
from antom_refunds.simulator.records import CallCount
from antom_refunds.simulator.requests import CallKind
from bench.figures import Percentiles
from proofs.storm.invariants import Invariant
from proofs.storm.observations import Observations
from proofs.storm.plan import SHORT, Intervention, InterventionKind, ProcessFault, ProcessFaultKind
from proofs.storm.report import StormReport, evaluate
from proofs.storm.schedule import draw_plan
from tests.storm.builders import history, ledger, observations, refund, sending

ACT = Intervention(at=1.0, kind=InterventionKind.CALL_OFF, refund="r-1")
KILL = ProcessFault(at=1, kind=ProcessFaultKind.WORKER_KILLED, targets=("worker-0",), lasts=1)


def report_on(seen: Observations) -> StormReport:
    script = FaultScript(
        subject="r-1", operation=Operation.REFUND, faults=(Fault(kind=FaultKind.CUT_AFTER),)
    )
    quiet = {
        "random_faults": RandomFaults(),
        "scripts": (script,),
        "interventions": (ACT,),
        "refunds_elsewhere": (),
    }
    plan = draw_plan(SHORT, 1).model_copy(update=quiet)
    return evaluate(plan, seen, [KILL], lasted=12.0)


def test_a_good_storm_holds() -> None:
    assert report_on(observations()).holds


def test_one_violation_is_enough() -> None:
    found = report_on(observations(ledger=ledger(movements=())))

    assert not found.holds
    assert found.found[Invariant.LEDGER_DISAGREES] == ("r-1",)


def test_a_storm_without_refunds_proves_nothing() -> None:
    nothing = observations(histories={}, accepted=(), reported=())

    assert not report_on(nothing).holds


def test_faults_are_counted_by_kind() -> None:
    calls = CallCount(client_id="shop", subject="r-1", kind=CallKind.REFUND, count=3)

    faults = report_on(observations(ledger=ledger(calls=(calls,)))).faults

    assert faults == {"worker killed": 1, "call-off": 1, "refund: cut_after": 1}


def test_a_refund_that_another_system_made_has_no_delay() -> None:
    theirs = observations(ledger=ledger(refunds=(refund(is_external=True),)))

    assert report_on(theirs).delays.max == 0


def test_calls_are_counted_for_each_refund() -> None:
    kinds = ((CallKind.REFUND, 2), (CallKind.INQUIRY, 5))
    calls = tuple(
        CallCount(client_id="shop", subject="r-1", kind=kind, count=count) for kind, count in kinds
    )

    found = report_on(observations(ledger=ledger(calls=calls)))

    assert found.calls.max == 7


def test_delays_are_measured_from_antoms_final_result_to_ours() -> None:
    assert report_on(observations()).delays.max == 1.0


def test_contradictions_of_antom_are_counted_and_those_that_were_flagged() -> None:
    lie = sending(succeeded=False, fault="contradicting", is_acknowledged=False)
    seen = observations(its=history(), ledger=ledger(notifications=(lie,)))

    found = report_on(seen)

    assert (found.contradicted, found.contradicted_flagged) == (1, 0)


def test_the_json_names_every_invariant() -> None:
    written = json.loads(report_on(observations()).model_dump_json())

    assert set(written["found"]) == {invariant.value for invariant in Invariant}


def test_percentiles_of_nothing_are_zero() -> None:
    assert Percentiles.of([]) == Percentiles()
    assert Percentiles.of(range(1, 101)) == Percentiles(p50=50, p99=99, max=100)
