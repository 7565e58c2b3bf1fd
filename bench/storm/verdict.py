"""The verdict: what was found, what was done to us, and what it cost. Pure; it only counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.refund import RefundState
from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.plans import drawn
from bench.spread import Spread
from bench.storm.aftermath import Aftermath
from bench.storm.blows import Struck
from bench.storm.invariants import Invariant, history_bound, violations
from bench.storm.schedule import Plan

_OPERATIONS: Final = {CallKind.REFUND: Operation.REFUND, CallKind.INQUIRY: Operation.INQUIRY}


class Verdict(BaseModel):
    """One storm in numbers; `found` names for each invariant whom it found.

    `late` is the time in seconds from Antom's final word, wherever it stood first, to ours.
    `contradicted` are refunds of which Antom signed both ends, `contradicted_shown` those of them
    that a person was shown.
    """

    model_config = ConfigDict(frozen=True)

    shape: str
    seed: int
    mutation: str = ""
    lasted: float
    refunds: int
    payments: int
    asks: int
    states: dict[str, int]
    found: dict[Invariant, tuple[str, ...]]
    faults: dict[str, int]
    late: Spread
    calls: Spread
    calls_mean: float
    events: Spread
    events_bound: int
    contradicted: int
    contradicted_shown: int

    @property
    def holds(self) -> bool:
        return self.refunds > 0 and not any(self.found.values())


def judged(
    plan: Plan, seen: Aftermath, struck: Iterable[Struck], *, lasted: float, mutation: str = ""
) -> Verdict:
    """The verdict on this aftermath."""
    calls = _calls(seen)
    ends = [history.outcome for history in seen.histories.values() if history.outcome]
    two_words = [
        each for each in seen.histories.values() if seen.has_two_words(each.refund_request_id)
    ]
    return Verdict(
        shape=plan.shape.name,
        seed=plan.seed,
        mutation=mutation,
        lasted=lasted,
        refunds=len(seen.histories),
        payments=len(plan.payments),
        asks=len(plan.asks),
        states=dict(Counter(end.state.value for end in ends)),
        found=violations(seen),
        faults=_faults(plan, seen, struck),
        late=Spread.of(_late(seen)),
        calls=Spread.of(calls),
        calls_mean=sum(calls) / max(len(calls), 1),
        events=Spread.of(history.events for history in seen.histories.values()),
        events_bound=max(
            (
                history_bound(each, interruptions=seen.interruptions)
                for each in seen.histories.values()
            ),
            default=0,
        ),
        contradicted=len(two_words),
        contradicted_shown=sum(seen.is_shown(each) for each in two_words),
    )


def _late(seen: Aftermath) -> Iterable[float]:
    for each, history in seen.histories.items():
        refund = seen.refunds.get(each)
        if refund is None or refund.ended_at is None or history.closed_at is None:
            continue
        # Where Antom's lie ended it, our end may come before Antom's.
        if not refund.is_made_elsewhere:
            yield max(0.0, (history.closed_at - refund.ended_at).total_seconds())


def _calls(seen: Aftermath) -> list[int]:
    """Calls at Antom for each refund."""
    counted = dict.fromkeys(seen.histories, 0)
    for calls in seen.ledger.calls:
        counted[calls.subject] = counted.get(calls.subject, 0) + calls.count
    return list(counted.values())


def _faults(plan: Plan, seen: Aftermath, struck: Iterable[Struck]) -> dict[str, int]:
    """How often each kind struck: processes as it happened, Antom as its seed has it."""
    found = Counter(blow.kind.value for blow in struck)
    found.update(act.kind.value for act in plan.acts)
    found.update("id used for another payment" for _ in plan.elsewhere)
    scripted = {(each.subject, each.operation): each.faults for each in plan.scripts}
    for subject, operation, times in _tries(seen):
        script = scripted.get((subject, operation), ())
        for number in range(1, times + 1):
            is_scripted = number <= len(script)
            fault = (
                script[number - 1]
                if is_scripted
                else drawn(plan.weather, subject, operation, number)
            )
            if fault != WELL:
                found[_named(operation, fault)] += 1
    return dict(sorted(found.items()))


def _tries(seen: Aftermath) -> Iterable[tuple[str, Operation, int]]:
    for calls in seen.ledger.calls:
        if calls.kind in _OPERATIONS:
            yield calls.subject, _OPERATIONS[calls.kind], calls.count
    for subject, sent in seen.sent.items():
        yield subject, Operation.NOTIFY, max(sending.number for sending in sent)


def _named(operation: Operation, fault: Fault) -> str:
    """ "refund: cut_after", "notify: late", "refund: answer_code UNKNOWN_EXCEPTION"."""
    kind = "late" if fault.kind is FaultKind.NONE else fault.kind.value
    how = " (done)" if fault.executed else ""
    how += "" if fault.is_signed else " (unsigned)"
    how += " (at once)" if fault.at_once else ""
    return f"{operation}: {kind} {fault.code or ''}".rstrip() + how


def ended(states: dict[str, int]) -> str:
    """ "410 succeeded, 80 failed, 33 closed"."""
    return ", ".join(f"{states[state]} {state}" for state in RefundState if state in states)
