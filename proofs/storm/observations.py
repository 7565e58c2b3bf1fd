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
from antom_refunds.domain.refund import RefundState
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

# Notifications that Antom means: the result, on time or late, once or more, and its opposite.
_FINAL_RESULTS: Final = frozenset({None, FaultKind.REPEATED, FaultKind.CONTRADICTING})
_NEVER_ARRIVED: Final = "ConnectError"
_TRUE_FORMS: Final = (FaultKind.NONE, FaultKind.ODD_FIELDS, FaultKind.WITHOUT_AMOUNT)
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One refund as Temporal recorded it; without `started_at` it knows no such refund.

    `outcome` is None unless the workflow completed; `broke_off` says how a run without outcome
    ended. `notices` are the delivery ids of its notifications. `lost_tasks` and `lost_calls` are
    workflow tasks and calls that timed out with their worker. `not_found` counts
    inquiries that reported "no such refund" to the workflow. `flagged_at` is when it first asked
    for an operator before its end, `called_off_at` when it first accepted that it must stop.
    `instructions` counts accepted updates and cancellations, `handed_over` the cases it opened.
    """

    started_at: datetime | None = None
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
    handed_over: int = 0
    broke_off: str = ""


@dataclass(frozen=True)
class Observations:
    """Everything that the invariants may use.

    `chosen` are the ids that callers used, `unanswered` those without a documented answer,
    `accepted` what start() accepted, `reported` the outcomes that callers read. `flagged` are
    refunds for which the webhook alerted operators. `interruptions` is the number of process
    faults. Antom's first responses to `unusable` were all unusable. `in_flight` is how long a call
    may take to reach Antom. `cases` are the kind and the refund of every case.
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
    cases: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @cached_property
    def refunds(self) -> Mapping[str, "SeenRefund"]:
        """Every refund that anybody knows of, by refundRequestId."""
        ledger = self.ledger
        refunds, payloads = _by_id(ledger.refunds), _by_id(ledger.payloads)
        moved, sent = _by_id(ledger.movements), _by_id(ledger.notifications)
        orders, calls = _by_id(set(self.accepted)), _by_id(ledger.calls, "subject")
        ours = {*self.chosen, *self.unanswered, *self.histories, *orders}
        return {
            each: SeenRefund(
                id=each,
                seen=self,
                history=self.histories.get(each, History()),
                orders=orders[each],
                refund=next(iter(refunds[each]), None),
                moved=moved[each],
                sent=sent[each],
                calls=calls[each],
                digests=[digest for entry in payloads[each] for digest in entry.digests],
            )
            for each in ours.union(refunds, payloads, moved, sent)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRefund:
    """One refund, as callers, Temporal and Antom know it; `orders` are the accepted ones."""

    id: str
    seen: Observations
    history: History
    orders: Sequence[RefundOrder]
    refund: RefundRecord | None
    moved: Sequence[Movement]
    sent: Sequence[NotificationAttempt]
    calls: Sequence[CallCount]
    digests: Sequence[str]

    @property
    def state(self) -> RefundState | None:
        """The final state of our refund; None if it has none."""
        return self.history.outcome.state if self.history.outcome else None

    @property
    def exists(self) -> bool:
        """Whether Temporal knows it."""
        return self.history.started_at is not None

    @property
    def is_settled_by_hand(self) -> bool:
        """Whether the id was used for another payment, and an operator ended ours for that."""
        outcome, refund = self.history.outcome, self.refund
        is_by_hand = outcome is not None and outcome.result_code == "resolved_by_operator"
        return is_by_hand and refund is not None and refund.is_external

    def is_true(self, sending: NotificationAttempt) -> bool:
        """Whether this notification says what Antom's ledger says."""
        if self.refund is None:
            return False
        bodies = (messages_for(self.refund, Fault(kind=kind))[0].body for kind in _TRUE_FORMS)
        return sending.digest in {sha256(body).hexdigest() for body in bodies}

    @property
    def is_contradictory(self) -> bool:
        """Whether Antom signed the opposite of its ledger, and we may have received it."""
        lies = (each for each in self.sent if each.fault == FaultKind.CONTRADICTING)
        return any(each.error != _NEVER_ARRIVED and not self.is_true(each) for each in lies)

    @property
    def received_both_results(self) -> bool:
        """Whether we acknowledged both, and so had to notice the contradiction."""
        taken = (each for each in self.sent if each.is_acknowledged)
        return len({each.digest for each in taken if each.fault in _FINAL_RESULTS}) > 1

    @property
    def was_flagged(self) -> bool:
        """Whether an operator was notified of the contradiction."""
        outcome = self.history.outcome
        return self.id in self.seen.flagged or (outcome is not None and outcome.is_contradicted)


def _by_id(
    entries: Iterable[Entry], name: str = "refund_request_id"
) -> defaultdict[str, list[Entry]]:
    """The entries of each refundRequestId, in order; an empty list where there are none."""
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[getattr(entry, name)].append(entry)
    return found


def is_quiescent(ledger: LedgerSnapshot, payments: Iterable[Payment]) -> bool:
    """Whether every refund is final at Antom, and its notification acknowledged or given up.

    Before that a storm is not evaluated: notifications after a refund's end are checked too.
    """
    notified = {payment.payment_id for payment in payments if payment.is_async}
    sent = _by_id(ledger.notifications)
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
