"""The report of a storm: what was found, which faults occurred, what it cost. Pure: it counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict
from rich.columns import Columns
from rich.console import Console

from antom_refunds.simulator.faults import NO_FAULT, FaultKind, FaultPlan, Operation
from antom_refunds.simulator.requests import CallKind
from bench.figures import Percentiles
from proofs.storm.invariants import Invariant, history_bound, violations
from proofs.storm.observations import Observations
from proofs.storm.plan import Plan, ProcessFault

_OPERATIONS: Final = {CallKind.REFUND: Operation.REFUND, CallKind.INQUIRY: Operation.INQUIRY}
_LATE: Final = {FaultKind.NONE: "late"}
_NAMED_MAX: Final = 4


class StormReport(BaseModel):
    """One storm in numbers; `found` lists for each invariant what violates it.

    `delays` are seconds from Antom's final result to ours. `contradicted` are refunds for which
    Antom signed both results, `contradicted_flagged` those of them that operators were notified of.
    """

    model_config = ConfigDict(frozen=True)

    size: str
    seed: int
    lasted: float
    requests: int
    states: dict[str, int]
    found: dict[Invariant, tuple[str, ...]]
    faults: dict[str, int]
    delays: Percentiles
    calls: Percentiles
    events: Percentiles
    events_bound: int
    contradicted: int
    contradicted_flagged: int

    @property
    def holds(self) -> bool:
        return bool(self.states) and not any(self.found.values())


def evaluate(
    plan: Plan, seen: Observations, faults: Iterable[ProcessFault], *, lasted: float
) -> StormReport:
    """The report about these observations."""
    histories = seen.histories.values()
    bounds = (history_bound(each, interruptions=seen.interruptions) for each in histories)
    contradicted = [each for each in seen.refunds.values() if each.exists and each.is_contradictory]
    calls: Counter[str] = Counter(dict.fromkeys(seen.histories, 0))
    for each in seen.ledger.calls:
        calls[each.subject] += each.count
    return StormReport(
        size=plan.size.name,
        seed=plan.seed,
        lasted=lasted,
        requests=len(plan.requests),
        states=dict(Counter(each.outcome.state.value for each in histories if each.outcome)),
        found=violations(seen),
        faults=_faults(plan, seen, faults),
        delays=Percentiles.of(_delays(seen)),
        calls=Percentiles.of(calls.values()),
        events=Percentiles.of(each.events for each in histories),
        events_bound=max(bounds, default=0),
        contradicted=len(contradicted),
        contradicted_flagged=sum(each.was_flagged for each in contradicted),
    )


def _delays(seen: Observations) -> Iterable[float]:
    for case in seen.refunds.values():
        refund, closed_at = case.refund, case.history.closed_at
        if refund and refund.ended_at and closed_at and not refund.is_external:
            # Where an untrue notification of Antom's ended it, our end may be before Antom's.
            yield max(0.0, (closed_at - refund.ended_at).total_seconds())


def _faults(plan: Plan, seen: Observations, applied: Iterable[ProcessFault]) -> dict[str, int]:
    """How often each kind occurred: of processes as it happened, of Antom as the seed has it."""
    counted = Counter([fault.kind.value for fault in applied])
    counted.update(act.kind.value for act in plan.interventions)
    counted.update("id used for another payment" for _ in plan.refunds_elsewhere)
    antom = FaultPlan(plan.random_faults)
    for script in plan.scripts:
        antom.add(script)
    for subject, operation, times in _tries(seen):
        faults = [antom.next(subject, operation) for _ in range(times)]
        kinds = [_LATE.get(each.kind, each.kind) for each in faults if each != NO_FAULT]
        counted.update(f"{operation}: {kind}" for kind in kinds)
    return dict(sorted(counted.items()))


def _tries(seen: Observations) -> Iterable[tuple[str, Operation, int]]:
    for calls in seen.ledger.calls:
        if calls.kind in _OPERATIONS:
            yield calls.subject, _OPERATIONS[calls.kind], calls.count
    for case in seen.refunds.values():
        yield case.id, Operation.NOTIFY, max((sending.number for sending in case.sent), default=0)


def show(report: StormReport, console: Console) -> None:
    """The report on one screen."""
    console.rule(f"storm {report.size}, seed {report.seed}")
    faults = [f"{count:>5} {name}" for name, count in report.faults.items()]
    console.print(Columns(faults, equal=True, column_first=True, title="faults that occurred"))
    states = ", ".join(f"{count} {state}" for state, count in sorted(report.states.items()))
    console.print(f"{report.requests} requests in {report.lasted:.0f} s: {states}")
    for title, numbers in (
        ("seconds from Antom's final result to ours", report.delays),
        ("calls to Antom per refund", report.calls),
        (f"history events per refund, bound {report.events_bound}", report.events),
    ):
        console.print(
            f"{title}: p50 {numbers.p50:.3g}, p99 {numbers.p99:.3g}, max {numbers.max:.3g}"
        )
    told = f"operators were notified of {report.contradicted_flagged}"
    console.print(f"Antom signed both results of {report.contradicted}, {told}")
    for invariant, found in report.found.items():
        more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
        count = f"[{'red' if found else 'green'}]{len(found):>5}[/]"
        console.print(f"{count}  {invariant.value}  {', '.join(found[:_NAMED_MAX])}{more}")
    holds = "[green]no money lost, none doubled: every invariant is 0[/]"
    console.print(holds if report.holds else "[red]an invariant is violated[/]")
