"""The whole schedule of a storm: a pure function of its size and its seed."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, Final, NamedTuple

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultScript, Operation
from antom_refunds.simulator.ledger import ExternalRefund
from proofs.storm import antom_faults
from proofs.storm.plan import (
    Intervention,
    InterventionKind,
    Plan,
    PlannedRequest,
    ProcessFault,
    ProcessFaultKind,
    StormSize,
)

CLIENT_ID: Final = "SANDBOX_5X00000000000000"
# Weeks in minutes: refunds in doubt are retried after 0.25 s, 1.5 s, 3 s, 10 s.
SPEEDUP: Final = 480.0
_AMOUNT_MAX: Final = 50_000
_CONCURRENT: Final = 0.25
_CONFLICTING: Final = 0.03
_CONFLICT_AFTER: Final = 0.5
# Immediately; at a bank that pays, refuses or closes; by a method that refuses immediately.
_PAYMENTS: Final = (
    *({"is_async": False},) * 2,
    *({"is_async": True, "ends": SettlementOutcome.SUCCESS},) * 3,
    {"is_async": True, "ends": SettlementOutcome.FAIL},
    {"is_async": True, "ends": SettlementOutcome.CLOSED},
    {"is_async": False, "refuses_with": "RISK_REJECT"},
)
_SETTLES: Final = (0.2, 5.0)

# What each fault hits, and for how many seconds: from SIGKILL to the restart it is as quick as a
# supervisor, or as slow as a new machine. How long workers pause depends on the size.
_PROCESS_FAULTS: Final = {
    ProcessFaultKind.WORKER_KILLED: ("worker", (0.2, 2.0)),
    ProcessFaultKind.WORKERS_KILLED: ("worker", (0.2, 1.0)),
    ProcessFaultKind.WORKER_PAUSED: ("worker", None),
    ProcessFaultKind.WEBHOOK_KILLED: ("webhook", (0.1, 0.3)),
    ProcessFaultKind.WEBHOOK_UNAVAILABLE: ("webhook", (2.0, 5.0)),
    ProcessFaultKind.TEMPORAL_KILLED: ("temporal", (0.2, 1.5)),
    ProcessFaultKind.ANTOM_HANGS: ("simulator", (1.0, 4.0)),
    ProcessFaultKind.CALLER_KILLED: ("caller", (0.2, 1.0)),
}
# A restarted process has time to come up before its next fault.
_RECOVERY: Final = 3.0
_FIRST: Final = 1.0
_WINDOW_LASTS: Final = (1.5, 4.0)
_WINDOW_GAP: Final = (6.0, 20.0)

_SHARES: Final = (0.03, 0.04, 0.05, 0.08)
_MALFORMED_SHARE: Final = 0.15
_DELAYS: Final = (0.0, 1.5)
_STOPS: Final = (InterventionKind.CALL_OFF, InterventionKind.CANCEL)
_NAMES: Final = {
    InterventionKind.MALFORMED_SIGNAL: ("notify", "notify", "no_such_signal"),
    InterventionKind.MALFORMED_UPDATE: ("check_now", "resolve", "call_off"),
}
_MALFORMED: Final[tuple[tuple[Any, ...], ...]] = (
    *((), (None,), ("text",), (7,), ([],), ({},), ({}, {}), (None, None)),
    ({"source": "nobody", "kind": "perhaps", "by": ""},),
)


class _Groups(NamedTuple):
    """Disjoint groups of refundRequestIds, by what happens to them."""

    elsewhere: list[str]  # another system used the id
    unusable: list[str]  # Antom's first responses are unusable, each like the one before
    mixed_up: list[str]  # Antom's response to another call arrives
    stopped: list[str]  # called off, or the workflow is cancelled
    ordinary: list[str]


def draw_plan(size: StormSize, seed: int) -> Plan:
    """The same plan for the same size and seed, on every machine."""
    # Reproducible on purpose; nothing secret depends on it.
    dice = Random(f"storm/{size.name}/{seed}")  # noqa: S311
    payments = tuple(_payment(number, dice) for number in range(size.payments))
    requests = sorted(_requests(size, payments, dice), key=lambda request: request.at)
    faults, windows = tuple(_process_faults(size, dice)), tuple(_windows(size, dice))
    first = {each.order.refund_request_id: each for each in reversed(requests)}
    groups = _groups(list(first), dice)
    limited = [
        _script(each, Operation.REFUND, (antom_faults.RATE_LIMIT,) * dice.randint(1, 2))
        for each in groups.ordinary
        if any(start <= first[each].at < until for start, until in windows)
    ]
    return Plan(
        seed=seed,
        size=size,
        payments=payments,
        requests=tuple(requests),
        process_faults=faults,
        rate_limit_windows=windows,
        scripts=(*limited, *_scripts(groups, dice)),
        interventions=_interventions(first, groups, dice),
        refunds_elsewhere=tuple(
            _made_elsewhere(first[each].order, payments, dice) for each in groups.elsewhere
        ),
        unusable=frozenset(groups.unusable),
        random_faults=antom_faults.random_faults(seed),
    )


def euros(minor: int) -> Money:
    return Money(currency="EUR", minor=minor)


def payment(payment_id: str, **fields: Any) -> Payment:
    """A payment of 1,000,000 euros to the account of the storm."""
    usual = {"client_id": CLIENT_ID, "payment_id": payment_id, "amount": euros(10**8)}
    return Payment.model_validate(usual | fields)


def _payment(number: int, dice: Random) -> Payment:
    # The simulator divides its waits by the speedup; these are meant as real seconds.
    settles = dice.uniform(*_SETTLES) * SPEEDUP
    kind = _PAYMENTS[number % len(_PAYMENTS)]
    return payment(f"storm-pay-{number}", settle_after=settles, **kind)


def _requests(
    size: StormSize, payments: Sequence[Payment], dice: Random
) -> Iterator[PlannedRequest]:
    """At a steady rate; some by several callers, some repeated with another amount."""
    for number in range(size.refunds):
        at, payment_id = number / size.per_second, dice.choice(payments).payment_id
        amount = euros(dice.randint(1, _AMOUNT_MAX))
        order = RefundOrder(
            refund_request_id=f"storm-{number}", payment_id=payment_id, amount=amount
        )
        count = dice.randint(2, size.callers) if dice.random() < _CONCURRENT else 1
        callers = dice.sample(range(size.callers), k=count)
        yield from (PlannedRequest(at=at, caller=caller, order=order) for caller in callers)
        if dice.random() < _CONFLICTING:
            again = order.model_copy(update={"amount": euros(amount.minor + 1)})
            yield PlannedRequest(at=at + _CONFLICT_AFTER, caller=callers[0], order=again)


def _process_faults(size: StormSize, dice: Random) -> Iterator[ProcessFault]:
    """Within `size.fault_seconds`: each kind once before any repeats, never two of one process at
    the same time."""
    free_from: dict[str, float] = {}
    at, kinds = _FIRST, _shuffled_kinds(dice)
    while at <= size.fault_seconds:
        fault = _process_fault(next(kinds), at, size, free_from, dice)
        free_from |= dict.fromkeys(fault.targets, fault.until + _RECOVERY)
        if fault.at <= size.fault_seconds:
            yield fault
        at += dice.uniform(*size.fault_gap)


def _shuffled_kinds(dice: Random) -> Iterator[ProcessFaultKind]:
    while True:
        kinds = list(ProcessFaultKind)
        dice.shuffle(kinds)
        yield from kinds


def _process_fault(
    kind: ProcessFaultKind, at: float, size: StormSize, free_from: Mapping[str, float], dice: Random
) -> ProcessFault:
    """At this time, or as soon as one of the possible targets is up again."""
    process, duration = _PROCESS_FAULTS[kind]
    free = {each: free_from.get(each, 0.0) for each in size.processes(process)}
    start = max(at, min(free.values()))
    running = [each for each, since in free.items() if since <= start]
    is_for_all = kind is ProcessFaultKind.WORKERS_KILLED
    targets = tuple(running) if is_for_all else (dice.choice(running),)
    lasts = size.pause_seconds if duration is None else dice.uniform(*duration)
    return ProcessFault(at=start, kind=kind, targets=targets, lasts=lasts)


def _windows(size: StormSize, dice: Random) -> Iterator[tuple[float, float]]:
    """When Antom limits traffic: start and end of each window, in order."""
    at = dice.uniform(1.0, 4.0)
    while at < size.request_seconds:
        until = at + dice.uniform(*_WINDOW_LASTS)
        yield at, until
        at = until + dice.uniform(*_WINDOW_GAP)


def _groups(ids: Sequence[str], dice: Random) -> _Groups:
    """Shares of these ids; at least one id in each group, however short the storm."""
    left = iter(dice.sample(ids, k=len(ids)))
    shares = [list(islice(left, max(1, round(share * len(ids))))) for share in _SHARES]
    return _Groups._make([*shares, list(left)])


def _scripts(groups: _Groups, dice: Random) -> Iterator[FaultScript]:
    """Antom's responses to the refunds of each group."""
    correct = antom_faults.CORRECT
    table = (
        (groups.elsewhere, ((NO_FAULT,),), correct),
        (groups.mixed_up, antom_faults.MIXED_UP, correct),
        (groups.stopped, antom_faults.STOPPED, correct),
        (groups.unusable, antom_faults.UNUSABLE, None),
    )
    for ids, refunds, inquiries in table:
        for each in ids:
            faults = dice.choice(refunds)
            yield _script(each, Operation.REFUND, faults)
            yield _script(each, Operation.INQUIRY, inquiries or faults)


def _script(subject: str, operation: Operation, faults: tuple[Fault, ...]) -> FaultScript:
    return FaultScript(subject=subject, operation=operation, faults=faults)


def _interventions(
    first: Mapping[str, PlannedRequest], groups: _Groups, dice: Random
) -> tuple[Intervention, ...]:
    """Soon after these refunds were requested first."""
    malformed = [each for each in first if dice.random() < _MALFORMED_SHARE]
    drawn: list[dict[str, Any]] = [
        {"refund": each, "kind": dice.choice(_STOPS)} for each in groups.stopped
    ]
    for each in malformed:
        kind = dice.choice(tuple(_NAMES))
        name, arguments = dice.choice(_NAMES[kind]), dice.choice(_MALFORMED)
        drawn.append({"refund": each, "kind": kind, "name": name, "arguments": arguments})
    return tuple(
        Intervention(at=first[each["refund"]].at + dice.uniform(*_DELAYS), **each) for each in drawn
    )


def _made_elsewhere(
    order: RefundOrder, payments: Sequence[Payment], dice: Random
) -> ExternalRefund:
    """A refund of another payment with the same amount: as similar as possible."""
    wallets = (each.payment_id for each in payments[:: len(_PAYMENTS)])
    return ExternalRefund(
        client_id=CLIENT_ID,
        payment_id=dice.choice([one for one in wallets if one != order.payment_id]),
        amount=order.amount,
        refund_request_id=order.refund_request_id,
    )
