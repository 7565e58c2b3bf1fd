"""How Antom misbehaves: faults of its responses and notifications, by chance and in windows."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from random import Random
from typing import Final

from antom_refunds.simulator.fault_plan import FaultProbability, FaultScript, RandomFaults
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from proofs.storm.sizes import StormSize

# Real seconds that a worker waits for a response, and how late the late responses are.
RESPONSE_TIMEOUT: Final = timedelta(seconds=2)
TOO_LATE: Final = timedelta(seconds=3)
# Slightly more than the accepted clock difference between a call and its response.
_STALE: Final = timedelta(minutes=6)
_LATE_NOTICE: Final = timedelta(seconds=4)
_STRUCK_MAX: Final = 4
_WINDOW_LASTS: Final = (1.5, 4.0)
_WINDOW_GAP: Final = (6.0, 20.0)
_LIMIT: Final = Fault(kind=FaultKind.RESULT_CODE, code="REQUEST_TRAFFIC_EXCEED_LIMIT")

_CHANCES: Final[Mapping[Operation, tuple[tuple[Fault, float], ...]]] = {
    Operation.REFUND: (
        (Fault(kind=FaultKind.CUT_BEFORE), 0.04),
        (Fault(kind=FaultKind.CUT_AFTER), 0.06),
        (Fault(kind=FaultKind.TRUNCATED), 0.03),
        (Fault(kind=FaultKind.HTTP_500), 0.03),
        (Fault(kind=FaultKind.HTTP_500, executed=True), 0.03),
        (Fault(kind=FaultKind.UNSIGNED), 0.02),
        (Fault(kind=FaultKind.UNSIGNED, code="PROCESS_FAIL"), 0.02),
        (Fault(kind=FaultKind.WRONG_KEY), 0.02),
        (Fault(kind=FaultKind.GARBLED), 0.02),
        (Fault(delay=TOO_LATE), 0.03),
        (Fault(kind=FaultKind.RESULT_CODE, code="UNKNOWN_EXCEPTION"), 0.02),
        (Fault(kind=FaultKind.RESULT_CODE, code="UNKNOWN_EXCEPTION", executed=True), 0.03),
        (Fault(kind=FaultKind.RESULT_CODE, code="ACCESS_DENIED"), 0.02),
        (Fault(kind=FaultKind.RESULT_CODE, code="INVALID_CLIENT", is_signed=False), 0.02),
        (Fault(kind=FaultKind.STALE_RESPONSE, executed=True), 0.02),
        (Fault(kind=FaultKind.STALE_RESPONSE, code="SUCCESS", executed=True, age=_STALE), 0.01),
        (Fault(kind=FaultKind.ODD_FIELDS), 0.03),
        (Fault(kind=FaultKind.NOTIFY_BEFORE_RESPONSE), 0.05),
    ),
    Operation.INQUIRY: (
        (Fault(kind=FaultKind.STALE), 0.10),
        (Fault(kind=FaultKind.NOT_FOUND), 0.04),
        (Fault(kind=FaultKind.NOT_FOUND_NULL), 0.03),
        (Fault(kind=FaultKind.CUT_AFTER), 0.05),
        (Fault(kind=FaultKind.TRUNCATED), 0.03),
        (Fault(kind=FaultKind.HTTP_500), 0.05),
        (Fault(kind=FaultKind.UNSIGNED, code="ORDER_IS_CLOSED"), 0.03),
        (Fault(kind=FaultKind.WRONG_KEY), 0.03),
        (Fault(kind=FaultKind.RESULT_CODE, code="INVALID_CLIENT", is_signed=False), 0.02),
        (Fault(kind=FaultKind.STALE_RESPONSE), 0.03),
        (Fault(kind=FaultKind.STALE_RESPONSE, code="PROCESS_FAIL", age=_STALE), 0.02),
        (Fault(kind=FaultKind.MIXED_UP_RESPONSE, code="PROCESS_FAIL"), 0.02),
        (Fault(kind=FaultKind.ODD_FIELDS), 0.04),
        (Fault(delay=TOO_LATE), 0.03),
        (_LIMIT, 0.05),
    ),
    Operation.NOTIFY: (
        (Fault(kind=FaultKind.NOT_SENT), 0.15),
        (Fault(kind=FaultKind.REPEATED, times=3), 0.15),
        (Fault(kind=FaultKind.FORGED), 0.08),
        (Fault(kind=FaultKind.INCONSISTENT), 0.05),
        (Fault(kind=FaultKind.WRONG_AMOUNT), 0.05),
        (Fault(kind=FaultKind.CONTRADICTING), 0.04),
        (Fault(kind=FaultKind.CONTRADICTING, concurrent=True), 0.04),
        (Fault(kind=FaultKind.ODD_FIELDS), 0.05),
        (Fault(kind=FaultKind.WITHOUT_AMOUNT), 0.05),
        (Fault(delay=_LATE_NOTICE), 0.15),
    ),
}


def random_faults(seed: int) -> RandomFaults:
    """Every fault that any call may meet; from the fifth call about one thing on, none occurs."""
    chances = tuple(
        FaultProbability(operation=operation, fault=fault, probability=probability)
        for operation, faults in _CHANCES.items()
        for fault, probability in faults
    )
    return RandomFaults(seed=seed, probabilities=chances, faults_max=_STRUCK_MAX)


def rate_limit_windows(size: StormSize, dice: Random) -> tuple[tuple[float, float], ...]:
    """When Antom limits traffic: start and end of each window, in order."""
    windows, at = [], dice.uniform(1.0, 4.0)
    while at < size.request_seconds:
        until = at + dice.uniform(*_WINDOW_LASTS)
        windows.append((at, until))
        at = until + dice.uniform(*_WINDOW_GAP)
    return tuple(windows)


def rate_limit_scripts(
    requested: Iterable[tuple[str, float]], windows: tuple[tuple[float, float], ...], dice: Random
) -> tuple[FaultScript, ...]:
    """The rate limit for each refund that is requested within a window."""
    return tuple(
        FaultScript(subject=each, operation=Operation.REFUND, faults=(_LIMIT,) * dice.randint(1, 2))
        for each, at in requested
        if any(start <= at < until for start, until in windows)
    )
