"""The report of a storm: what was found, which faults occurred, what it cost. Pure: it counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict
from rich.columns import Columns
from rich.console import Console

from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.fault_plan import draw
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, Operation
from antom_refunds.simulator.requests import CallKind
from bench.figures import Percentiles
from proofs.storm.invariants import Invariant, history_bound, violations
from proofs.storm.observations import Observations
from proofs.storm.process_faults import ProcessFault
from proofs.storm.schedule import Plan

_OPERATIONS: Final = {CallKind.REFUND: Operation.REFUND, CallKind.INQUIRY: Operation.INQUIRY}
_NAMED_MAX: Final = 4


class StormReport(BaseModel):
    """One storm in numbers; `found` lists for each invariant what violates it.

    `delays` are seconds from Antom's final result to ours. `contradicted` are refunds for which
    Antom signed both results, `contradicted_flagged` those of them that operators were notified of.
    """

    model_config = ConfigDict(frozen=True)

    size: str
    seed: int
    mutation: str = ""
    lasted: float
    refunds: int
    payments: int
    requests: int
    states: dict[str, int]
    found: dict[Invariant, tuple[str, ...]]
    faults: dict[str, int]
    delays: Percentiles
    calls: Percentiles
    calls_mean: float
    events: Percentiles
    events_bound: int
    contradicted: int
    contradicted_flagged: int

    @property
    def holds(self) -> bool:
        return self.refunds > 0 and not any(self.found.values())


def evaluate(
    plan: Plan,
    seen: Observations,
    faults: Iterable[ProcessFault],
    *,
    lasted: float,
    mutation: str = "",
) -> StormReport:
    """The report about these observations."""
    histories = seen.histories.values()
    calls = _calls(seen)
    bounds = (history_bound(each, interruptions=seen.interruptions) for each in histories)
    contradicted = [
        each for each in histories if seen.antom_contradicted_itself(each.refund_request_id)
    ]
    return StormReport(
        size=plan.size.name,
        seed=plan.seed,
        mutation=mutation,
        lasted=lasted,
        refunds=len(histories),
        payments=len(plan.payments),
        requests=len(plan.requests),
        states=dict(Counter(each.outcome.state.value for each in histories if each.outcome)),
        found=violations(seen),
        faults=_faults(plan, seen, faults),
        delays=Percentiles.of(_delays(seen)),
        calls=Percentiles.of(calls),
        calls_mean=sum(calls) / max(len(calls), 1),
        events=Percentiles.of(each.events for each in histories),
        events_bound=max(bounds, default=0),
        contradicted=len(contradicted),
        contradicted_flagged=sum(map(seen.was_flagged, contradicted)),
    )


def _delays(seen: Observations) -> Iterable[float]:
    for each, history in seen.histories.items():
        refund = seen.refunds.get(each)
        if refund is None or refund.ended_at is None or history.closed_at is None:
            continue
        # Where an untrue notification of Antom's ended it, our end may be earlier than Antom's.
        if not refund.is_external:
            yield max(0.0, (history.closed_at - refund.ended_at).total_seconds())


def _calls(seen: Observations) -> list[int]:
    """Calls to Antom for each refund."""
    counted = dict.fromkeys(seen.histories, 0)
    for calls in seen.ledger.calls:
        counted[calls.subject] = counted.get(calls.subject, 0) + calls.count
    return list(counted.values())


def _faults(plan: Plan, seen: Observations, applied: Iterable[ProcessFault]) -> dict[str, int]:
    """How often each kind occurred: of processes as it happened, of Antom as the seed has it."""
    counted = Counter(fault.kind.value for fault in applied)
    counted.update(act.kind.value for act in plan.interventions)
    counted.update("id used for another payment" for _ in plan.refunds_elsewhere)
    scripted = {(each.subject, each.operation): each.faults for each in plan.scripts}
    for subject, operation, times in _tries(seen):
        script = scripted.get((subject, operation), ())
        numbers = range(len(script) + 1, times + 1)
        random = [draw(plan.random_faults, subject, operation, number) for number in numbers]
        faults = [*script[:times], *random]
        counted.update(_name(operation, fault) for fault in faults if fault != NO_FAULT)
    return dict(sorted(counted.items()))


def _tries(seen: Observations) -> Iterable[tuple[str, Operation, int]]:
    for calls in seen.ledger.calls:
        if calls.kind in _OPERATIONS:
            yield calls.subject, _OPERATIONS[calls.kind], calls.count
    for subject, sent in seen.sent.items():
        yield subject, Operation.NOTIFY, max(sending.number for sending in sent)


def _name(operation: Operation, fault: Fault) -> str:
    """ "refund: cut_after", "notify: late", "refund: answer_code UNKNOWN_EXCEPTION"."""
    kind = "late" if fault.kind is FaultKind.NONE else fault.kind.value
    how = " (executed)" if fault.executed else ""
    how += "" if fault.is_signed else " (unsigned)"
    how += " (immediately)" if fault.concurrent else ""
    return f"{operation}: {kind} {fault.code or ''}".rstrip() + how


def show(report: StormReport, console: Console) -> None:
    """The report on one screen."""
    broken = f", broken on purpose: {report.mutation}" if report.mutation else ""
    console.rule(f"storm {report.size}, seed {report.seed}{broken}")
    ends = (f"{report.states[state]} {state}" for state in RefundState if state in report.states)
    faults = [f"{count:>5} {name}" for name, count in report.faults.items()]
    console.print(Columns(faults, equal=True, column_first=True, title="faults that occurred"))
    lines = [
        (
            f"{report.refunds} refunds of {report.payments} payments, {report.requests} requests "
            f"in {report.lasted:.0f} s: {', '.join(ends)}"
        ),
        f"Antom's final result to ours   {_numbers(report.delays, ' s', 2)}",
        f"calls to Antom per refund      {_numbers(report.calls)}, mean {report.calls_mean:.1f}",
        f"history events per refund      {_numbers(report.events)}, bound {report.events_bound}",
        (
            f"Antom signed both results of   {report.contradicted}, "
            f"operators were notified of {report.contradicted_flagged}"
        ),
    ]
    for invariant in Invariant:
        found = report.found.get(invariant, ())
        more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
        count = f"[{'red' if found else 'green'}]{len(found):>5}[/]"
        lines.append(f"{count}  {invariant.value}  {', '.join(found[:_NAMED_MAX])}{more}")
    holds = "[green]no money lost, none doubled: every invariant is 0[/]"
    lines.append(holds if report.holds else "[red]an invariant is violated[/]")
    console.print("\n".join(lines), highlight=False)


def _numbers(numbers: Percentiles, unit: str = "", digits: int = 0) -> str:
    named = (("p50", numbers.p50), ("p99", numbers.p99), ("max", numbers.max))
    return ", ".join(f"{name} {number:.{digits}f}{unit}" for name, number in named)
