"""The product broken on purpose: a storm that cannot fail would prove nothing.

Each mutation replaces functions of the product in workers, webhook and callers (never in
Temporal, the simulator or the checks), with the scenario that triggers it and the invariants that
must find it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from activities.antom_activities import AntomActivities
from antom_refunds import contract, late_evidence
from antom_refunds.antom import interpret
from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.wire import RefundRequest
from antom_refunds.client import RefundClient, StartedRefund
from antom_refunds.contract import Instruction
from antom_refunds.delivery import Delivery
from antom_refunds.domain import state_machine
from antom_refunds.domain.evidence import EvidenceKind
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.accounts import SettlementOutcome
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, FaultScript, Operation
from antom_refunds.webhook import verification
from proofs.storm.invariants import Invariant
from proofs.storm.plan import Intervention, InterventionKind, Plan, PlannedRequest, StormSize
from proofs.storm.schedule import SPEEDUP, euros, payment
from workflows import inputs, refund_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """How to break a process, the scenario for it, and the invariants that must find it.

    `payment` are fields of the payment; `refund`, `inquiry` and `notify` the faults of successive
    calls. `amounts` are requested under one refund's id, each by another caller. `intervention` is
    the fields of what is done to each refund, if anything.
    """

    apply: Callable[[], None]
    about: str
    finds: tuple[Invariant, ...]
    payment: Mapping[str, Any] = field(default_factory=dict)
    refund: tuple[Fault, ...] = ()
    inquiry: tuple[Fault, ...] = ()
    notify: tuple[Fault, ...] = ()
    amounts: tuple[int, ...] = (1000,)
    intervention: Mapping[str, Any] | None = None


_AT_BANK: Final = {"is_async": True, "settle_after": 0.3 * SPEEDUP}  # in the simulator's time
_ERROR: Final = Fault(kind=FaultKind.HTTP_500)
# And the inquiry before the retry, which would make the retry unnecessary.
_RESPONSE_LOST: Final = {"refund": (Fault(kind=FaultKind.CUT_AFTER),), "inquiry": (_ERROR,)}
_STALE: Final = Fault(kind=FaultKind.STALE)
# Inquiries that bring no result before the notification arrives.
_NOTIFIED: Final = {"payment": _AT_BANK, "inquiry": (_STALE,) * 6}
_REFUSED: Final = Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=False)
# Longer than the call-off takes, shorter than a call may take.
_SLOW_ERROR: Final = Fault(kind=FaultKind.HTTP_500, delay=timedelta(seconds=1.5))

_Function = Callable[..., Any]
MUTATIONS: Final[dict[str, Mutation]] = {}
_REQUESTS: Final = Counter[str]()


def _replaces(
    *targets: tuple[object, str], finds: tuple[Invariant, ...], **scenario: Any
) -> Callable[[_Function], _Function]:
    """Registers a replacement by its name; its first argument is the original function."""

    def register(by: _Function) -> _Function:
        def apply() -> None:
            for owner, name in targets:
                # Only an existing name can be replaced: a renamed one must not disable a mutation.
                setattr(owner, name, _bound(getattr(owner, name), by))

        about = by.__doc__ or ""
        MUTATIONS[by.__name__] = Mutation(apply=apply, about=about, finds=finds, **scenario)
        return by

    return register


def _bound(original: Any, by: _Function) -> object:
    def replacement(*args: Any, **fields: Any) -> Any:
        return by(original, *args, **fields)

    return property(replacement) if isinstance(original, property) else replacement


@_replaces(
    (AntomClient, "refund"), finds=(Invariant.OVERPAID, Invariant.UNKNOWN_ID), **_RESPONSE_LOST
)
async def fresh_id(original: Any, self: AntomClient, order: RefundOrder) -> Any:
    """A retry uses a new id, as if it were another refund."""
    number, name = _REQUESTS[order.refund_request_id], order.refund_request_id
    _REQUESTS[name] += 1
    fresh = f"{name}-{number + 1}" if number else name
    return await original(self, order.model_copy(update={"refund_request_id": fresh}))


@_replaces((RefundRequest, "body"), finds=(Invariant.TWO_PAYLOADS,), **_RESPONSE_LOST)
def other_bytes(original: Any, self: RefundRequest) -> Any:
    """A retry sends a slightly different body."""
    _REQUESTS[self.refund_request_id] += 1
    return original(self) + b" " * (_REQUESTS[self.refund_request_id] - 1)


# Antom never moves money twice for one id, unless it forgets the first time.
@_replaces(
    (AntomClient, "refund"), finds=(Invariant.MOVED_TWICE,),
    refund=(NO_FAULT, Fault(kind=FaultKind.ID_FORGOTTEN)),
)  # fmt: skip
async def success_doubted(original: Any, self: AntomClient, order: RefundOrder) -> Any:
    """A success is requested once more, to be sure."""
    answer = await original(self, order)
    return await original(self, order) if answer.result.result_status == "S" else answer


@_replaces((interpret, "from_error"), finds=(Invariant.FAILED_WITHOUT_ANTOM,), **_RESPONSE_LOST)
def doubt_is_failure(original: Any, error: Any) -> Any:
    """A missing response is read as a failure."""
    return original(error).model_copy(update={"kind": EvidenceKind.FAILED})


@_replaces((Policy, "next_wait"), finds=(Invariant.NEVER_ENDED,), refund=(_ERROR,))
def doubt_forgotten(original: Any, self: Policy, schedule: Schedule, elapsed: timedelta) -> Any:
    """After an unclear response there is no further call."""
    never = timedelta(days=1000)
    return never if schedule == self.retry_in_doubt else original(self, schedule, elapsed)


# Signed with a wrong key: a refusal, and its confirmation.
@_replaces(
    (AntomClient, "_verify"), finds=(Invariant.LEDGER_DISAGREES,),
    refund=(Fault(kind=FaultKind.WRONG_KEY, code="PROCESS_FAIL"),),
    inquiry=(Fault(kind=FaultKind.WRONG_KEY, code="REFUND_NOT_EXIST"),) * 20,
)  # fmt: skip
def unsigned_trusted(*_: object) -> None:
    """Responses are trusted without checking their signature."""


# Genuine and old: a refusal, although the refund is executed, and its confirmation.
@_replaces(
    (AntomClient, "_require_fresh"), finds=(Invariant.LEDGER_DISAGREES,),
    refund=(Fault(kind=FaultKind.STALE_RESPONSE, code="PROCESS_FAIL", executed=True),),
    inquiry=(Fault(kind=FaultKind.STALE_RESPONSE, code="REFUND_NOT_EXIST"),) * 20,
)  # fmt: skip
def stale_trusted(*_: object) -> None:
    """Responses are trusted without checking that they are fresh."""


@_replaces(
    (AntomActivities, "_return_or_retry"), finds=(Invariant.HISTORY_TOO_LONG,), payment=_AT_BANK,
    inquiry=(_STALE,) * 7, notify=(Fault(delay=timedelta(seconds=8)),),
)  # fmt: skip
def polls_in_history(*given: Any) -> Any:
    """Each inquiry returns to the workflow, even without news."""
    _, _, _, evidence, _ = given
    return evidence


@_replaces(
    (state_machine, "contradicts"), (contract, "contradicts_outcome"),
    finds=(Invariant.CONTRADICTION_HIDDEN,),
    notify=(Fault(kind=FaultKind.CONTRADICTING),), **_NOTIFIED,
)  # fmt: skip
def contradiction_dropped(*_: object) -> bool:
    """Workflow and webhook ignore what contradicts a final state."""
    return False


@_replaces(
    (refund_workflow, "cases_of_ended"), (late_evidence, "case_of"),
    finds=(Invariant.CASE_MISSING,),
    notify=(Fault(kind=FaultKind.CONTRADICTING),), **_NOTIFIED,
)  # fmt: skip
def case_not_opened(original: Any, *_: object) -> object:
    """No case is opened about what an operator must look at."""
    return () if original.__name__ == "cases_of_ended" else None


@_replaces((NotificationDelivery, "deliver"), finds=(Invariant.NOTIFICATION_LOST,), **_NOTIFIED)
async def early_ack(*_: object, **__: object) -> Delivery:
    """The webhook acknowledges immediately, and never signals the workflow."""
    return Delivery.DELIVERED


@_replaces(
    (verification, "verify"), finds=(Invariant.FORGERY_ACCEPTED,),
    notify=(Fault(kind=FaultKind.FORGED),), **_NOTIFIED,
)  # fmt: skip
def stranger_trusted(*_: object) -> None:
    """Notifications are trusted without checking their signature."""


@_replaces((RefundClient, "_already_started"), finds=(Invariant.TWO_ORDERS,), amounts=(1000, 1001))
async def other_fields(_: Any, self: RefundClient, order: RefundOrder) -> StartedRefund:
    """An order is not compared with the one that its id already names."""
    view = await self.describe(order.refund_request_id, merchant=order.merchant)
    workflow_id = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
    return StartedRefund(workflow_id=workflow_id, run_id=view.run_id, is_new=False)


@_replaces((RefundClient, "_already_started"), finds=(Invariant.UNANSWERED,), amounts=(1000, 1000))
async def bare_error(_: Any, __: RefundClient, order: RefundOrder) -> None:
    """Requesting an existing refund raises Temporal's own error."""
    raise WorkflowAlreadyStartedError(order.refund_request_id, contract.WORKFLOW)


@_replaces(
    (RefundClient, "outcome"), finds=(Invariant.WRONG_OUTCOME_REPORTED,),
    payment={**_AT_BANK, "ends": SettlementOutcome.CLOSED},
)  # fmt: skip
async def closed_is_failure(original: Any, *which: Any, **wait: Any) -> Any:
    """A closed refund is reported to callers as failed."""
    result = await original(*which, **wait)
    is_closed = result is not None and result.state is RefundState.CLOSED
    return result.model_copy(update={"state": RefundState.FAILED}) if is_closed else result


@_replaces(
    (Refund, "attention_reason"), finds=(Invariant.DOUBT_SILENT,),
    refund=(_REFUSED,) * 4, inquiry=(_REFUSED,) * 4,
)  # fmt: skip
def doubt_unshown(*_: object) -> None:
    """No refund ever asks for an operator."""


@_replaces(
    (contract, "evidence_from_instruction"), finds=(Invariant.SENT_AFTER_CALL_OFF,),
    refund=(_SLOW_ERROR, *[_ERROR] * 5),
    intervention={"at": 0.7, "kind": InterventionKind.CALL_OFF},
)  # fmt: skip
def call_off_forgotten(original: Any, word: EvidenceKind, instruction: Instruction) -> Any:
    """A call-off is accepted, and then treated as a request to inquire."""
    return original(EvidenceKind.CHECK if word is EvidenceKind.CALL_OFF else word, instruction)


@_replaces(
    (inputs, "notification_evidence"), finds=(Invariant.NEVER_ENDED,), **_NOTIFIED,
    intervention={"at": 0.7, "kind": InterventionKind.MALFORMED_SIGNAL, "name": "notify"},
)  # fmt: skip
def malformed_fatal(original: Any, arguments: Any) -> Any:
    """A signal that is no notification makes every workflow task of its refund fail."""
    try:
        return original(arguments)
    except inputs.InvalidInputError as error:
        raise TypeError(str(error)) from error


@_replaces(
    (contract, "outcome_of"), finds=(Invariant.ENDED_WITHOUT_OUTCOME,),
    payment={"refuses_with": "RISK_REJECT"},
)  # fmt: skip
def failure_raised(original: Any, refund: Refund) -> Any:
    """A refund that failed makes its workflow fail too."""
    if refund.state is RefundState.FAILED:
        raise ApplicationError("the refund failed")
    return original(refund)


_SIZE: Final = StormSize(
    name="scenario", request_seconds=1, fault_seconds=0, pause_seconds=0, fault_gap=(1, 1),
    drain_seconds=20, per_second=3, workers=1, callers=2,
)  # fmt: skip
# A refund that is requested again exists by then.
_REQUESTED_AGAIN_AFTER: Final = 0.5


def control_plan() -> Plan:
    """All scenarios together, for the unbroken product, with time for a busy machine."""
    size = _SIZE.model_copy(update={"drain_seconds": 90})
    return plan_for(*MUTATIONS).model_copy(update={"size": size})


def plan_for(*names: str) -> Plan:
    """A few refunds for each of these mutations, all with the same faults; nothing else happens."""
    refunds = [(MUTATIONS[name], each) for name in names for each in _ids(name)]
    return Plan(
        seed=0,
        size=_SIZE,
        payments=tuple(payment(f"{name}-pay", **MUTATIONS[name].payment) for name in names),
        requests=tuple(request for name in names for request in _requests(name)),
        scripts=tuple(
            FaultScript(subject=each, operation=operation, faults=faults)
            for mutation, each in refunds
            for operation in (Operation.REFUND, Operation.INQUIRY, Operation.NOTIFY)
            if (faults := getattr(mutation, operation))
        ),
        interventions=tuple(
            Intervention(refund=each, **mutation.intervention)
            for mutation, each in refunds
            if mutation.intervention
        ),
        unusable=frozenset(_ids("doubt_unshown")),
    )


def _requests(name: str) -> Iterator[PlannedRequest]:
    for place, each in enumerate(_ids(name)):
        for turn, minor in enumerate(MUTATIONS[name].amounts):
            at, caller = turn * _REQUESTED_AGAIN_AFTER, (place + turn) % _SIZE.callers
            order = RefundOrder(
                refund_request_id=each, payment_id=f"{name}-pay", amount=euros(minor)
            )
            yield PlannedRequest(at=at, caller=caller, order=order)


def _ids(name: str) -> list[str]:
    return [f"{name}-{number}" for number in range(_SIZE.refunds)]
