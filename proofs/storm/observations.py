"""What is known after a storm: the facts that the invariants are checked against."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Final, TypeVar

from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment
from antom_refunds.simulator.fault_effects import messages_for
from antom_refunds.simulator.faults import Fault, FaultKind
from antom_refunds.simulator.notifier import SCHEDULE
from antom_refunds.simulator.records import (
    CallCount,
    LedgerSnapshot,
    Movement,
    NotificationAttempt,
    RefundRecord,
    RefundStatus,
)
from antom_refunds.simulator.requests import CallKind

# Notifications that Antom means: the result, on time or late, once or more, and its opposite.
_FINAL_RESULTS: Final = frozenset({None, FaultKind.REPEATED, FaultKind.CONTRADICTING})
_NEVER_ARRIVED: Final = "ConnectError"
_TRUE_FORMS: Final = (FaultKind.NONE, FaultKind.ODD_FIELDS, FaultKind.WITHOUT_AMOUNT)

Entry = TypeVar("Entry", Movement, NotificationAttempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One refund as Temporal recorded it.

    `outcome` is None unless the workflow completed; `broke_off` says how a run without outcome
    ended. `notices` are the delivery ids of its notifications. `lost_tasks` and `lost_calls` are
    workflow tasks and calls that timed out with their worker. `not_found` counts
    inquiries that reported "no such refund" to the workflow. `flagged_at` is when it first asked
    for an operator before its end, `called_off_at` when it first accepted that it must stop.
    `instructions` counts accepted updates and cancellations.
    """

    refund_request_id: str
    started_at: datetime
    closed_at: datetime | None = None
    outcome: RefundOutcome | None = None
    events: int = 0
    notices: tuple[str, ...] = ()
    lost_tasks: int = 0
    lost_calls: int = 0
    not_found: int = 0
    flagged_at: datetime | None = None
    called_off_at: datetime | None = None
    instructions: int = 0
    broke_off: str = ""


@dataclass(frozen=True)
class Observations:
    """Everything that the invariants may use.

    `chosen` are the ids that callers used, `unanswered` those without a documented answer,
    `accepted` what start() accepted, `reported` the outcomes that callers read. `flagged` are
    refunds for which the webhook alerted operators. `interruptions` is the number of process
    faults. Antom's first responses to `unusable` were all unusable. `in_flight` is how long a call
    may take to reach Antom.
    """

    chosen: frozenset[str]
    accepted: tuple[RefundOrder, ...]
    reported: tuple[tuple[str, str], ...]
    histories: Mapping[str, History]
    ledger: LedgerSnapshot
    unanswered: frozenset[str] = field(default_factory=frozenset)
    flagged: frozenset[str] = field(default_factory=frozenset)
    interruptions: int = 0
    unusable: frozenset[str] = field(default_factory=frozenset)
    in_flight: timedelta = timedelta()

    @cached_property
    def refunds(self) -> Mapping[str, RefundRecord]:
        """Antom's refunds, by refundRequestId."""
        return {refund.refund_request_id: refund for refund in self.ledger.refunds}

    @cached_property
    def moved(self) -> Mapping[str, list[Movement]]:
        """Money that went back, by refundRequestId."""
        return by_id(self.ledger.movements)

    @cached_property
    def sent(self) -> Mapping[str, list[NotificationAttempt]]:
        """Notifications that Antom sent, by refundRequestId."""
        return by_id(self.ledger.notifications)

    def calls(self, refund_request_id: str, *kinds: CallKind) -> tuple[CallCount, ...]:
        """Calls about this refund that Antom received, of these kinds."""
        ours = (each for each in self.ledger.calls if each.subject == refund_request_id)
        return tuple(each for each in ours if each.kind in kinds)

    def is_true(self, sending: NotificationAttempt) -> bool:
        """Whether this notification says what Antom's ledger says."""
        refund = self.refunds.get(sending.refund_request_id)
        if refund is None:
            return False
        bodies = (messages_for(refund, Fault(kind=kind))[0].body for kind in _TRUE_FORMS)
        return sending.digest in {sha256(body).hexdigest() for body in bodies}

    def antom_contradicted_itself(self, refund_request_id: str) -> bool:
        """Whether Antom signed the opposite of its ledger, and we may have received it."""
        return any(
            each.fault == FaultKind.CONTRADICTING
            and each.error != _NEVER_ARRIVED
            and not self.is_true(each)
            for each in self.sent.get(refund_request_id, ())
        )

    def received_both_results(self, refund_request_id: str) -> bool:
        """Whether we acknowledged both, and so had to notice the contradiction."""
        sent = self.sent.get(refund_request_id, ())
        taken = [each for each in sent if each.is_acknowledged and each.fault in _FINAL_RESULTS]
        return len({each.digest for each in taken}) > 1

    def was_flagged(self, history: History) -> bool:
        """Whether an operator was notified of the contradiction."""
        is_contradicted = history.outcome is not None and history.outcome.is_contradicted
        return is_contradicted or history.refund_request_id in self.flagged


def by_id(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    """The entries of each refundRequestId, in order; an empty list where there are none."""
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.refund_request_id].append(entry)
    return found


def is_quiescent(ledger: LedgerSnapshot, payments: Iterable[Payment]) -> bool:
    """Whether every refund is final at Antom, and its notification acknowledged or given up.

    Before that a storm is not evaluated: notifications after a refund's end are checked too.
    """
    notified = {payment.payment_id for payment in payments if payment.is_async}
    sent = by_id(ledger.notifications)
    return all(
        refund.status is not RefundStatus.PROCESSING and _is_done(sent[refund.refund_request_id])
        for refund in ledger.refunds
        if refund.was_accepted and refund.key_fields.payment_id in notified
    )


def _is_done(sent: Sequence[NotificationAttempt]) -> bool:
    if not sent:
        return False
    last = [sending for sending in sent if sending.number == sent[-1].number]
    # The opposite still follows; of several messages of one try the first one counts.
    is_whole = last[0].fault != FaultKind.CONTRADICTING or len(last) > 1
    return is_whole and (last[0].is_acknowledged or last[0].number == len(SCHEDULE))
