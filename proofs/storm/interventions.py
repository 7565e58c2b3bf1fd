"""What operators, strangers and other systems do to running refunds: drawn from the seed."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from random import Random
from typing import Any, Final, NamedTuple

from antom_refunds.simulator.fault_plan import FaultScript
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, Operation
from proofs.storm.antom_faults import TOO_LATE
from proofs.storm.sizes import Seconds, StormModel


class InterventionKind(StrEnum):
    """What is done to a running refund; the values appear in the report."""

    MALFORMED_SIGNAL = "malformed signal"
    MALFORMED_UPDATE = "malformed update"
    CALL_OFF = "call-off"
    CANCEL = "workflow cancelled"


class Intervention(StormModel):
    """At `at` this is done to this refund; malformed ones have a `name` and `arguments`."""

    at: Seconds
    kind: InterventionKind
    refund: str
    name: str = ""
    arguments: tuple[Any, ...] = ()


class RefundGroups(NamedTuple):
    """Disjoint groups of refundRequestIds, by what happens to them."""

    elsewhere: list[str]  # another system used the id
    unusable: list[str]  # Antom's first responses are unusable, each like the one before
    mixed_up: list[str]  # Antom's response to another call arrives
    stopped: list[str]  # called off, or the workflow is cancelled
    ordinary: list[str]


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
# Enough for every rule about repeated failures to apply, lost workers included.
_UNUSABLE_TIMES: Final = 4
_UNUSABLE: Final = (
    Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=False),
    Fault(kind=FaultKind.STALE_RESPONSE),
    Fault(kind=FaultKind.HTTP_500),
)
_MIXED_UP: Final = Fault(kind=FaultKind.MIXED_UP_RESPONSE)
_MIXED_UP_REFUNDS: Final[tuple[tuple[Fault, ...], ...]] = (
    (_MIXED_UP,),
    (Fault(kind=FaultKind.CUT_AFTER), _MIXED_UP),
    (Fault(kind=FaultKind.MIXED_UP_RESPONSE, code="UNKNOWN_EXCEPTION"), _MIXED_UP),
)
_STOPPED_REFUNDS: Final[tuple[tuple[Fault, ...], ...]] = (
    (NO_FAULT,),
    (Fault(kind=FaultKind.HTTP_500),) * 2,
    (Fault(delay=TOO_LATE),),
    (Fault(kind=FaultKind.CUT_BEFORE), Fault(kind=FaultKind.CUT_AFTER)),
)
# Two untrue responses that agree cannot be told from the truth: where one is certain, inquiries
# are answered correctly, for more calls than random faults may affect.
_CORRECT: Final = (NO_FAULT,) * 8


def draw_groups(ids: Sequence[str], dice: Random) -> RefundGroups:
    """Shares of these ids; at least one id in each group, however short the storm."""
    left = iter(dice.sample(ids, k=len(ids)))
    shares = [list(islice(left, max(1, round(share * len(ids))))) for share in _SHARES]
    return RefundGroups._make([*shares, list(left)])


def scripts_for_groups(groups: RefundGroups, dice: Random) -> tuple[FaultScript, ...]:
    """Antom's responses to the refunds of each group."""
    table = (
        (groups.elsewhere, ((NO_FAULT,),), _CORRECT),
        (groups.mixed_up, _MIXED_UP_REFUNDS, _CORRECT),
        (groups.stopped, _STOPPED_REFUNDS, _CORRECT),
        (groups.unusable, tuple((each,) * _UNUSABLE_TIMES for each in _UNUSABLE), None),
    )
    return tuple(
        FaultScript(subject=each, operation=operation, faults=faults)
        for ids, refunds, inquiries in table
        for each in ids
        for chosen in (dice.choice(refunds),)
        for operation, faults in (
            (Operation.REFUND, chosen),
            (Operation.INQUIRY, inquiries or chosen),
        )
    )


def draw_interventions(
    requested: Mapping[str, float], groups: RefundGroups, dice: Random
) -> tuple[Intervention, ...]:
    """Soon after these refunds were requested."""
    malformed = [each for each in requested if dice.random() < _MALFORMED_SHARE]
    drawn: list[dict[str, Any]] = [
        {"refund": each, "kind": dice.choice(_STOPS)} for each in groups.stopped
    ]
    for each in malformed:
        kind = dice.choice(tuple(_NAMES))
        name, arguments = dice.choice(_NAMES[kind]), dice.choice(_MALFORMED)
        drawn.append({"refund": each, "kind": kind, "name": name, "arguments": arguments})
    return tuple(
        Intervention(at=requested[fields["refund"]] + dice.uniform(*_DELAYS), **fields)
        for fields in drawn
    )
