"""What operators, strangers and other systems do to refunds meanwhile: drawn from the seed."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from random import Random
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from antom_refunds.simulator.faults import WELL, Fault, FaultKind, Operation
from antom_refunds.simulator.plans import Script
from bench.storm.shape import Seconds
from bench.storm.skies import TOO_LATE


class ActKind(StrEnum):
    """What is done to a running refund; the names appear in the verdict."""

    MALFORMED_SIGNAL = "malformed signal"
    MALFORMED_UPDATE = "malformed update"
    CALL_OFF = "call-off"
    CANCEL = "workflow cancelled"


class Act(BaseModel):
    """At `at` this is done to the refund with this id; `name` and `arguments` if malformed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Seconds
    kind: ActKind
    refund: str
    name: str = ""
    arguments: tuple[Any, ...] = ()


class Parts(NamedTuple):
    """Which refunds meet what, by refundRequestId; no refund is in two parts."""

    elsewhere: list[str]  # another system used the id
    unusable: list[str]  # Antom's first responses are unusable, each like the one before
    mixed_up: list[str]  # Antom's response to another call arrives
    stopped: list[str]  # somebody calls it off, or cancels its workflow
    ordinary: list[str]


_SHARES: Final = (0.03, 0.04, 0.05, 0.08)
_MALFORMED_SHARE: Final = 0.15
_SOON: Final = (0.0, 1.5)
_STOPS: Final = (ActKind.CALL_OFF, ActKind.CANCEL)
_NAMES: Final = {
    ActKind.MALFORMED_SIGNAL: ("notify", "notify", "no_such_signal"),
    ActKind.MALFORMED_UPDATE: ("check_now", "resolve", "call_off"),
}
_MALFORMED: Final[tuple[tuple[Any, ...], ...]] = (
    *((), (None,), ("text",), (7,), ([],), ({},), ({}, {}), (None, None)),
    ({"source": "nobody", "word": "perhaps", "by": ""},),
)
# Long enough that each way of counting "again and again" has come to its end, losses included.
_UNUSABLE_TIMES: Final = 4
_UNUSABLE: Final = (
    Fault(kind=FaultKind.ANSWER_CODE, code="INVALID_SIGNATURE", is_signed=False),
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
    (WELL,),
    (Fault(kind=FaultKind.HTTP_500),) * 2,
    (Fault(delay=TOO_LATE),),
    (Fault(kind=FaultKind.CUT_BEFORE), Fault(kind=FaultKind.CUT_AFTER)),
)
# Two untrue responses about one refund could not be told from the truth: where one is certain,
# inquiries are answered well, beyond the calls that the weather may strike.
_WELL: Final = (WELL,) * 8


def drawn_parts(ids: Sequence[str], dice: Random) -> Parts:
    """Shares of these ids; at least one of each part in however short a storm."""
    left = iter(dice.sample(ids, k=len(ids)))
    shares = [list(islice(left, max(1, round(share * len(ids))))) for share in _SHARES]
    return Parts._make([*shares, list(left)])


def scripted(parts: Parts, dice: Random) -> tuple[Script, ...]:
    """What Antom's responses to these refunds are like."""
    ways = (
        (parts.elsewhere, ((WELL,),), _WELL),
        (parts.mixed_up, _MIXED_UP_REFUNDS, _WELL),
        (parts.stopped, _STOPPED_REFUNDS, _WELL),
        (parts.unusable, tuple((each,) * _UNUSABLE_TIMES for each in _UNUSABLE), None),
    )
    return tuple(
        Script(subject=each, operation=operation, faults=faults)
        for ids, refunds, inquiries in ways
        for each in ids
        for chosen in (dice.choice(refunds),)
        for operation, faults in (
            (Operation.REFUND, chosen),
            (Operation.INQUIRY, inquiries or chosen),
        )
    )


def drawn_acts(asked: Mapping[str, float], parts: Parts, dice: Random) -> tuple[Act, ...]:
    """Soon after these refunds were asked for."""
    spoken_to = [each for each in asked if dice.random() < _MALFORMED_SHARE]
    done: list[tuple[str, ActKind, str, tuple[Any, ...]]] = [
        (each, dice.choice(_STOPS), "", ()) for each in parts.stopped
    ]
    for each in spoken_to:
        kind = dice.choice(tuple(_NAMES))
        done.append((each, kind, dice.choice(_NAMES[kind]), dice.choice(_MALFORMED)))
    return tuple(
        Act(
            at=asked[each] + dice.uniform(*_SOON), kind=kind, refund=each, name=name, arguments=said
        )
        for each, kind, name, said in done
    )
