"""How Antom misbehaves: by chance, and towards chosen refunds."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Final

from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, RandomFaults

# Real seconds that a worker waits for a response.
RESPONSE_TIMEOUT: Final = timedelta(seconds=2)
_TABLE: Final = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")

RATE_LIMIT: Final = Fault(kind=FaultKind.RESULT_CODE, code="REQUEST_TRAFFIC_EXCEED_LIMIT")
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
    (Fault(delay=timedelta(seconds=3)),),
    (Fault(kind=FaultKind.CUT_BEFORE), _CUT_AFTER),
)
# As often as needed for every rule about repeated failures to apply, lost workers included.
UNUSABLE: Final[tuple[tuple[Fault, ...], ...]] = (
    (Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=False),) * 4,
    (Fault(kind=FaultKind.STALE_RESPONSE),) * 4,
    (_ERROR,) * 4,
)


def random_faults(seed: int) -> RandomFaults:
    """Every fault that any call may meet, from antom_faults.toml."""
    return RandomFaults.model_validate({"seed": seed, **tomllib.loads(_TABLE)})
