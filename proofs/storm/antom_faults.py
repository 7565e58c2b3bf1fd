"""How Antom misbehaves: by chance, and towards chosen refunds."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from antom_refunds.simulator.faults import (
    NO_FAULT,
    Fault,
    FaultKind,
    FaultProbability,
    Operation,
    RandomFaults,
)

# Real seconds that a worker waits for a response, and how late the late responses are.
RESPONSE_TIMEOUT: Final = timedelta(seconds=2)
_TOO_LATE: Final = timedelta(seconds=3)
_LATE_NOTICE: Final = timedelta(seconds=4)
# Slightly more than the accepted clock difference between a call and its response.
_OLD: Final = timedelta(minutes=6)
_RANDOM_MAX: Final = 4
_TRAFFIC: Final = "REQUEST_TRAFFIC_EXCEED_LIMIT"
_DONE: Final = {"executed": True}
_NOT_CLIENT: Final = {"code": "INVALID_CLIENT", "is_signed": False}
_NOT_KNOWN: Final = {"code": "UNKNOWN_EXCEPTION"}

# The probability of each fault, its kind, and its other fields.
_CHANCES: Final[Mapping[Operation, tuple[tuple[float, FaultKind, Mapping[str, Any]], ...]]] = {
    Operation.REFUND: (
        (0.04, FaultKind.CUT_BEFORE, {}), (0.06, FaultKind.CUT_AFTER, {}),
        (0.03, FaultKind.TRUNCATED, {}), (0.03, FaultKind.HTTP_500, {}),
        (0.03, FaultKind.HTTP_500, _DONE), (0.02, FaultKind.UNSIGNED, {}),
        (0.02, FaultKind.UNSIGNED, {"code": "PROCESS_FAIL"}), (0.02, FaultKind.WRONG_KEY, {}),
        (0.02, FaultKind.GARBLED, {}), (0.03, FaultKind.NONE, {"delay": _TOO_LATE}),
        (0.02, FaultKind.RESULT_CODE, _NOT_KNOWN),
        (0.03, FaultKind.RESULT_CODE, {**_NOT_KNOWN, **_DONE}),
        (0.02, FaultKind.RESULT_CODE, {"code": "ACCESS_DENIED"}),
        (0.02, FaultKind.RESULT_CODE, _NOT_CLIENT), (0.02, FaultKind.STALE_RESPONSE, _DONE),
        (0.01, FaultKind.STALE_RESPONSE, {"code": "SUCCESS", "age": _OLD, **_DONE}),
        (0.03, FaultKind.ODD_FIELDS, {}), (0.05, FaultKind.NOTIFY_BEFORE_RESPONSE, {}),
    ),
    Operation.INQUIRY: (
        (0.10, FaultKind.STALE, {}), (0.04, FaultKind.NOT_FOUND, {}),
        (0.03, FaultKind.NOT_FOUND_NULL, {}), (0.05, FaultKind.CUT_AFTER, {}),
        (0.03, FaultKind.TRUNCATED, {}), (0.05, FaultKind.HTTP_500, {}),
        (0.03, FaultKind.UNSIGNED, {"code": "ORDER_IS_CLOSED"}), (0.03, FaultKind.WRONG_KEY, {}),
        (0.02, FaultKind.RESULT_CODE, _NOT_CLIENT), (0.03, FaultKind.STALE_RESPONSE, {}),
        (0.02, FaultKind.STALE_RESPONSE, {"code": "PROCESS_FAIL", "age": _OLD}),
        (0.02, FaultKind.MIXED_UP_RESPONSE, {"code": "PROCESS_FAIL"}),
        (0.04, FaultKind.ODD_FIELDS, {}), (0.03, FaultKind.NONE, {"delay": _TOO_LATE}),
        (0.05, FaultKind.RESULT_CODE, {"code": _TRAFFIC}),
    ),
    Operation.NOTIFY: (
        (0.15, FaultKind.NOT_SENT, {}), (0.15, FaultKind.REPEATED, {"times": 3}),
        (0.08, FaultKind.FORGED, {}), (0.05, FaultKind.INCONSISTENT, {}),
        (0.05, FaultKind.WRONG_AMOUNT, {}), (0.04, FaultKind.CONTRADICTING, {}),
        (0.04, FaultKind.CONTRADICTING, {"concurrent": True}), (0.05, FaultKind.ODD_FIELDS, {}),
        (0.05, FaultKind.WITHOUT_AMOUNT, {}), (0.15, FaultKind.NONE, {"delay": _LATE_NOTICE}),
    ),
}  # fmt: skip

RATE_LIMIT: Final = Fault(kind=FaultKind.RESULT_CODE, code=_TRAFFIC)
_ERROR: Final = Fault(kind=FaultKind.HTTP_500)
_CUT_AFTER: Final = Fault(kind=FaultKind.CUT_AFTER)
_MIXED_UP: Final = Fault(kind=FaultKind.MIXED_UP_RESPONSE)
# Two untrue responses that agree cannot be told from the truth: where one is certain, inquiries
# are answered correctly, for more calls than random faults may affect.
CORRECT: Final = (NO_FAULT,) * 8
# What the refund call of each refund in a group meets, one line after another.
MIXED_UP: Final[tuple[tuple[Fault, ...], ...]] = (
    (_MIXED_UP,),
    (_CUT_AFTER, _MIXED_UP),
    (_MIXED_UP.model_copy(update={"code": "UNKNOWN_EXCEPTION"}), _MIXED_UP),
)
STOPPED: Final[tuple[tuple[Fault, ...], ...]] = (
    (NO_FAULT,),
    (_ERROR,) * 2,
    (Fault(delay=_TOO_LATE),),
    (Fault(kind=FaultKind.CUT_BEFORE), _CUT_AFTER),
)
# As often as needed for every rule about repeated failures to apply, lost workers included.
UNUSABLE: Final[tuple[tuple[Fault, ...], ...]] = (
    (Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=False),) * 4,
    (Fault(kind=FaultKind.STALE_RESPONSE),) * 4,
    (_ERROR,) * 4,
)


def random_faults(seed: int) -> RandomFaults:
    """Every fault that any call may meet; from the fifth call about one thing on, none occurs."""
    chances = tuple(
        FaultProbability(operation=each, fault=Fault(kind=kind, **fields), probability=chance)
        for each, faults in _CHANCES.items()
        for chance, kind, fields in faults
    )
    return RandomFaults(seed=seed, probabilities=chances, faults_max=_RANDOM_MAX)
