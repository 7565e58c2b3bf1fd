"""The product broken on purpose: a storm that cannot fail would prove nothing.

Each mutation is a function that breaks the process it is called in (workers, webhook, callers;
never Temporal, the simulator or the checks), with the scenario that triggers it and the invariants
that must find it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from activities.antom_activities import AntomActivities
from antom_refunds import contract
from antom_refunds.antom import interpret
from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.wire import RefundRequest, RefundResponse
from antom_refunds.client import RefundClient, StartedRefund
from antom_refunds.contract import Instruction, RefundOutcome
from antom_refunds.delivery import Delivery
from antom_refunds.domain import state_machine
from antom_refunds.domain.evidence import Evidence, EvidenceKind
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.fault_plan import FaultScript
from antom_refunds.simulator.faults import NO_FAULT, Fault, FaultKind, Operation
from antom_refunds.webhook import verification
from proofs.storm.interventions import Intervention, InterventionKind
from proofs.storm.invariants import Invariant
from proofs.storm.schedule import CLIENT_ID, SPEEDUP, Plan, PlannedRequest
from proofs.storm.sizes import StormSize
from workflows import inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """How to break a process, the scenario for it, and the invariants that must find it.

    `payment` are fields of the payment, `faults` what Antom's successive calls meet. `amounts` are
    requested under one refund's id, each by another caller. `intervention` is the fields of what
    is done to each refund, if anything.
    """

    apply: Callable[[], None]
    finds: tuple[Invariant, ...]
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]] = field(default_factory=dict)
    amounts: tuple[int, ...] = (1000,)
    intervention: Mapping[str, Any] | None = None


_SETTLES_SOON: Final = 0.3 * SPEEDUP  # in the simulator's time, which is faster
_AT_BANK: Final = {"is_async": True, "settle_after": _SETTLES_SOON}
_ERROR: Final = Fault(kind=FaultKind.HTTP_500)
# And the inquiry before the retry, which would make the retry unnecessary.
_RESPONSE_LOST: Final = {
    Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),),
    Operation.INQUIRY: (_ERROR,),
}
_STALE: Final = Fault(kind=FaultKind.STALE)
_REFUSED: Final = Fault(kind=FaultKind.RESULT_CODE, code="INVALID_SIGNATURE", is_signed=False)
# Longer than the call-off takes, shorter than a call may take.
_SLOW_ERROR: Final = Fault(kind=FaultKind.HTTP_500, delay=timedelta(seconds=1.5))
# Inquiries that bring no result before the notification arrives.
_STALE_INQUIRIES: Final = {Operation.INQUIRY: (_STALE,) * 6}

MUTATIONS: Final[dict[str, Mutation]] = {}


def _mutation(
    *finds: Invariant, **scenario: Any
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Registers a mutation under its function's name."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        MUTATIONS[apply.__name__] = Mutation(apply=apply, finds=finds, **scenario)
        return apply

    return register


def _replace(owner: object, name: str, by: object) -> None:
    """Only an existing name can be replaced: a renamed method must not disable a mutation."""
    getattr(owner, name)
    setattr(owner, name, by)


@_mutation(Invariant.OVERPAID, Invariant.UNKNOWN_ID, faults=_RESPONSE_LOST)
def fresh_id() -> None:
    """A retry uses a new id, as if it were another refund."""
    requests: Counter[str] = Counter()
    original = AntomClient.refund

    async def refund(self: AntomClient, order: RefundOrder) -> RefundResponse:
        requests[order.refund_request_id] += 1
        number = requests[order.refund_request_id]
        fresh = order.refund_request_id + ("" if number == 1 else f"-{number}")
        return await original(self, order.model_copy(update={"refund_request_id": fresh}))

    _replace(AntomClient, "refund", refund)


@_mutation(Invariant.TWO_PAYLOADS, faults=_RESPONSE_LOST)
def other_bytes() -> None:
    """A retry sends a slightly different body."""
    sent: Counter[str] = Counter()
    original = RefundRequest.body

    def body(self: RefundRequest) -> bytes:
        sent[self.refund_request_id] += 1
        return original(self) + b" " * (sent[self.refund_request_id] - 1)

    _replace(RefundRequest, "body", body)


# Antom never moves money twice for one id, unless it forgets the first time.
@_mutation(
    Invariant.MOVED_TWICE, faults={Operation.REFUND: (NO_FAULT, Fault(kind=FaultKind.ID_FORGOTTEN))}
)
def success_doubted() -> None:
    """A success is requested once more, to be sure."""
    original = AntomClient.refund

    async def refund(self: AntomClient, order: RefundOrder) -> RefundResponse:
        answer = await original(self, order)
        return await original(self, order) if answer.result.result_status == "S" else answer

    _replace(AntomClient, "refund", refund)


@_mutation(Invariant.FAILED_WITHOUT_ANTOM, faults=_RESPONSE_LOST)
def doubt_is_failure() -> None:
    """A missing response is read as a failure."""
    original = interpret.from_error

    def unanswered(error: Any) -> Evidence:
        return original(error).model_copy(update={"kind": EvidenceKind.FAILED})

    _replace(interpret, "from_error", unanswered)


@_mutation(Invariant.NEVER_ENDED, faults={Operation.REFUND: (_ERROR,)})
def doubt_forgotten() -> None:
    """After an unclear response there is no further call."""
    original = Policy.next_wait

    def wait(self: Policy, schedule: Schedule, elapsed: timedelta) -> timedelta:
        never = timedelta(days=1000)
        return never if schedule == self.retry_in_doubt else original(self, schedule, elapsed)

    _replace(Policy, "next_wait", wait)


@_mutation(
    Invariant.LEDGER_DISAGREES,
    # Signed with a wrong key: a refusal, and its confirmation.
    faults={
        Operation.REFUND: (Fault(kind=FaultKind.WRONG_KEY, code="PROCESS_FAIL"),),
        Operation.INQUIRY: (Fault(kind=FaultKind.WRONG_KEY, code="REFUND_NOT_EXIST"),) * 20,
    },
)
def unsigned_trusted() -> None:
    """Responses are trusted without checking their signature."""
    _replace(AntomClient, "_verify", lambda *_: None)


@_mutation(
    Invariant.LEDGER_DISAGREES,
    # Genuine and old: a refusal, although the refund is executed, and its confirmation.
    faults={
        Operation.REFUND: (
            Fault(kind=FaultKind.STALE_RESPONSE, code="PROCESS_FAIL", executed=True),
        ),
        Operation.INQUIRY: (Fault(kind=FaultKind.STALE_RESPONSE, code="REFUND_NOT_EXIST"),) * 20,
    },
)
def stale_trusted() -> None:
    """Responses are trusted without checking that they are fresh."""
    _replace(AntomClient, "_require_fresh", lambda *_: None)


@_mutation(
    Invariant.HISTORY_TOO_LONG,
    payment=_AT_BANK,
    faults={
        Operation.INQUIRY: (_STALE,) * 7,
        Operation.NOTIFY: (Fault(delay=timedelta(seconds=8)),),
    },
)
def polls_in_history() -> None:
    """Each inquiry returns to the workflow, even without news."""

    def news(_: AntomActivities, __: Any, evidence: Evidence, ___: Schedule) -> Evidence:
        return evidence

    _replace(AntomActivities, "_return_or_retry", news)


@_mutation(
    Invariant.CONTRADICTION_HIDDEN,
    payment=_AT_BANK,
    faults={**_STALE_INQUIRIES, Operation.NOTIFY: (Fault(kind=FaultKind.CONTRADICTING),)},
)
def contradiction_dropped() -> None:
    """Workflow and webhook ignore what contradicts a final state."""
    _replace(state_machine, "contradicts", lambda *_: False)
    _replace(contract, "contradicts_outcome", lambda *_: False)


@_mutation(Invariant.NOTIFICATION_LOST, payment=_AT_BANK, faults=_STALE_INQUIRIES)
def early_ack() -> None:
    """The webhook acknowledges immediately, and never signals the workflow."""

    async def deliver(*_: object, **__: object) -> Delivery:
        return Delivery.DELIVERED

    _replace(NotificationDelivery, "deliver", deliver)


@_mutation(
    Invariant.FORGERY_ACCEPTED,
    payment=_AT_BANK,
    faults={**_STALE_INQUIRIES, Operation.NOTIFY: (Fault(kind=FaultKind.FORGED),)},
)
def stranger_trusted() -> None:
    """Notifications are trusted without checking their signature."""
    _replace(verification, "verify", lambda *_: None)


@_mutation(Invariant.TWO_ORDERS, amounts=(1000, 1001))
def other_fields() -> None:
    """An order is not compared with the one that its id already names."""

    async def already_started(self: RefundClient, order: RefundOrder) -> StartedRefund:
        view = await self.describe(order.refund_request_id, merchant=order.merchant)
        workflow_id = contract.workflow_id(order.refund_request_id, merchant=order.merchant)
        return StartedRefund(workflow_id=workflow_id, run_id=view.run_id, is_new=False)

    _replace(RefundClient, "_already_started", already_started)


@_mutation(Invariant.UNANSWERED, amounts=(1000, 1000))
def bare_error() -> None:
    """Requesting an existing refund raises Temporal's own error."""

    async def already_started(_: RefundClient, order: RefundOrder) -> StartedRefund:
        raise WorkflowAlreadyStartedError(order.refund_request_id, contract.WORKFLOW)

    _replace(RefundClient, "_already_started", already_started)


@_mutation(Invariant.WRONG_OUTCOME_REPORTED, payment={**_AT_BANK, "ends": SettlementOutcome.CLOSED})
def closed_is_failure() -> None:
    """A closed refund is reported to callers as failed."""
    original = RefundClient.outcome

    async def outcome(self: RefundClient, *which: Any, **wait: Any) -> RefundOutcome | None:
        result: RefundOutcome | None = await original(self, *which, **wait)
        if result is None or result.state is not RefundState.CLOSED:
            return result
        return result.model_copy(update={"state": RefundState.FAILED})

    _replace(RefundClient, "outcome", outcome)


@_mutation(
    Invariant.DOUBT_SILENT,
    faults={Operation.REFUND: (_REFUSED,) * 4, Operation.INQUIRY: (_REFUSED,) * 4},
)
def doubt_unshown() -> None:
    """No refund ever asks for an operator."""
    _replace(Refund, "attention_reason", property(lambda _: None))


@_mutation(
    Invariant.SENT_AFTER_CALL_OFF,
    faults={Operation.REFUND: (_SLOW_ERROR, *[_ERROR] * 5)},
    intervention={"at": 0.7, "kind": InterventionKind.CALL_OFF},
)
def call_off_forgotten() -> None:
    """A call-off is accepted, and then treated as a request to inquire."""
    original = contract.evidence_from_instruction

    def instructed(word: EvidenceKind, instruction: Instruction) -> Evidence:
        return original(EvidenceKind.CHECK if word is EvidenceKind.CALL_OFF else word, instruction)

    _replace(contract, "evidence_from_instruction", instructed)


@_mutation(
    Invariant.NEVER_ENDED,
    payment=_AT_BANK,
    faults=_STALE_INQUIRIES,
    intervention={"at": 0.7, "kind": InterventionKind.MALFORMED_SIGNAL, "name": "notify"},
)
def malformed_fatal() -> None:
    """A signal that is no notification makes every workflow task of its refund fail."""
    original = inputs.notification_evidence

    def notification_evidence(arguments: Sequence[Any]) -> Evidence:
        try:
            return original(arguments)
        except inputs.InvalidInputError as error:
            raise TypeError(str(error)) from error

    _replace(inputs, "notification_evidence", notification_evidence)


@_mutation(Invariant.ENDED_WITHOUT_OUTCOME, payment={"refuses_with": "RISK_REJECT"})
def failure_raised() -> None:
    """A refund that failed makes its workflow fail too."""
    original = contract.outcome_of

    def outcome_of(refund: Refund) -> RefundOutcome:
        if refund.state is RefundState.FAILED:
            raise ApplicationError("the refund failed")
        return original(refund)

    _replace(contract, "outcome_of", outcome_of)


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
    payments = [
        {"payment_id": f"{each}-pay", "amount": _euros(100_000), **MUTATIONS[each].payment}
        for each in names
    ]
    refunds = [(MUTATIONS[name], each) for name in names for each in _ids(name)]
    return Plan(
        seed=0,
        size=_SIZE,
        payments=tuple(Payment.model_validate({"client_id": CLIENT_ID, **e}) for e in payments),
        requests=tuple(request for name in names for request in _requests(name)),
        scripts=tuple(
            FaultScript(subject=each, operation=operation, faults=faults)
            for mutation, each in refunds
            for operation, faults in mutation.faults.items()
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
            amount, caller = _euros(minor), (place + turn) % _SIZE.callers
            order = RefundOrder(refund_request_id=each, payment_id=f"{name}-pay", amount=amount)
            yield PlannedRequest(at=turn * _REQUESTED_AGAIN_AFTER, caller=caller, order=order)


def _ids(name: str) -> list[str]:
    return [f"{name}-{number}" for number in range(_SIZE.refunds)]


def _euros(minor: int) -> Money:
    return Money(currency="EUR", minor=minor)
