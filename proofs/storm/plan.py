"""What a storm consists of: its size, and everything that its seed decides."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.faults import FaultScript, RandomFaults
from antom_refunds.simulator.ledger import ExternalRefund

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


class StormModel(BaseModel):
    """Base of everything in a plan: immutable, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StormSize(StormModel):
    """One size of storm; all times are real seconds after its start.

    Process faults start within `fault_seconds`, so that calls lost with their worker, which
    Temporal gives up after 30 s, can end. `fault_gap` is the minimum and maximum between two of
    them. Refunds that are not final `drain_seconds` after the last request count as lost.
    """

    name: str
    request_seconds: Seconds
    fault_seconds: Seconds
    pause_seconds: Seconds
    fault_gap: tuple[Seconds, Seconds]
    drain_seconds: Seconds
    per_second: Annotated[float, Field(gt=0)] = 6
    payments: Count = 40
    workers: Count = 3
    callers: Annotated[int, Field(gt=1)] = 3

    @property
    def refunds(self) -> int:
        return int(self.request_seconds * self.per_second)

    def processes(self, kind: str) -> list[str]:
        """All processes of this kind: of workers and callers there are several."""
        count = {"worker": self.workers, "caller": self.callers}.get(kind)
        return [kind] if count is None else [f"{kind}-{number}" for number in range(count)]


# A minute leaves no time for a pause longer than the 30 s timeout of a call, so the short storm
# only pauses longer than the 10 s of a workflow task; the others exceed both.
SHORT: Final = StormSize(
    name="short", request_seconds=12, fault_seconds=7, pause_seconds=11, fault_gap=(0.5, 0.8),
    drain_seconds=110, per_second=5,
)  # fmt: skip
USUAL: Final = StormSize(
    name="usual", request_seconds=110, fault_seconds=95, pause_seconds=36, fault_gap=(2, 6),
    drain_seconds=240, per_second=5,
)  # fmt: skip
LONG: Final = StormSize(
    name="long", request_seconds=1700, fault_seconds=1690, pause_seconds=36, fault_gap=(3, 12),
    drain_seconds=240, payments=400,
)  # fmt: skip
SIZES: Final = {size.name: size for size in (SHORT, USUAL, LONG)}


class ProcessFaultKind(StrEnum):
    """What happens to processes; the values appear in the report."""

    WORKER_KILLED = "worker killed"
    WORKERS_KILLED = "all running workers killed"
    WORKER_PAUSED = "worker paused"
    WEBHOOK_KILLED = "webhook killed"
    WEBHOOK_UNAVAILABLE = "webhook unavailable"
    TEMPORAL_KILLED = "temporal killed"
    ANTOM_HANGS = "antom hangs"
    CALLER_KILLED = "caller killed"


PAUSES: Final = frozenset({ProcessFaultKind.WORKER_PAUSED, ProcessFaultKind.ANTOM_HANGS})


class ProcessFault(StormModel):
    """From `at`, for `lasts`, these processes are dead or paused."""

    at: Seconds
    kind: ProcessFaultKind
    targets: tuple[str, ...]
    lasts: Seconds

    @property
    def until(self) -> float:
        return self.at + self.lasts


class InterventionKind(StrEnum):
    """What operators and strangers do to a running refund; the values appear in the report."""

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


class PlannedRequest(StormModel):
    """One caller requests one refund at this time; several callers may request the same one."""

    at: Seconds
    caller: int
    order: RefundOrder


class Plan(StormModel):
    """Everything about a storm that can be decided beforehand.

    `refunds_elsewhere` are made by another system under ids of ours, before we request them.
    `unusable` are ids to which Antom's first responses are all unusable.
    """

    seed: int
    size: StormSize
    payments: tuple[Payment, ...]
    requests: tuple[PlannedRequest, ...]
    process_faults: tuple[ProcessFault, ...] = ()
    rate_limit_windows: tuple[tuple[Seconds, Seconds], ...] = ()
    scripts: tuple[FaultScript, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    refunds_elsewhere: tuple[ExternalRefund, ...] = ()
    unusable: frozenset[str] = frozenset()
    random_faults: RandomFaults = RandomFaults()

    @property
    def ids(self) -> frozenset[str]:
        """Every refundRequestId that a caller will use."""
        return frozenset(request.order.refund_request_id for request in self.requests)
