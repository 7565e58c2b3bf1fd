"""What is known after a storm: the evidence that the invariants are judged by."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Final, TypeVar

from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.faults import Fault, FaultKind
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.notices import letters
from antom_refunds.simulator.records import Calls, LedgerView, Movement, Refund, Sending

_CONTRADICTING: Final = FaultKind.REORDERED
# Notifications that Antom means: the truth, on time or late, once or more, and its opposite.
_FINAL_WORDS: Final = frozenset({None, FaultKind.REPEATED, _CONTRADICTING})
_NEVER_ARRIVED: Final = "ConnectError"
_TRUTHS: Final = (FaultKind.NONE, FaultKind.ODD_FIELDS, FaultKind.WITHOUT_AMOUNT)

Entry = TypeVar("Entry", Movement, Sending)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One refund as Temporal recorded it.

    `outcome` is None unless the workflow completed. `notices` are the delivery ids of the
    notifications in it. `lost_tasks` and `lost_calls` are tasks of the workflow and calls at Antom
    that the engine gave up because their worker did not report in time. `unknown` counts the
    inquiries that found no such refund and came home to the workflow. `called_at` is when it
    first called for an operator, its end not counted, `called_off_at` when it first accepted that
    it must stop. `instructions` counts accepted updates and cancellations. `broke_off` says how a
    run without outcome ended.
    """

    refund_request_id: str
    started_at: datetime
    closed_at: datetime | None = None
    outcome: RefundOutcome | None = None
    events: int = 0
    notices: tuple[str, ...] = ()
    lost_tasks: int = 0
    lost_calls: int = 0
    unknown: int = 0
    called_at: datetime | None = None
    called_off_at: datetime | None = None
    instructions: int = 0
    broke_off: str = ""


@dataclass(frozen=True)
class Aftermath:
    """Everything that the judge may look at.

    `chosen` are the ids that callers ever chose, `unanswered` those for which one of them got
    neither yes nor no, or an error that it cannot know, `accepted` what start() took, `told` the
    ends that callers read. `flagged` are refunds about whose notification the webhook called a
    person. `interruptions` is how often processes were struck. About `unusable` Antom's first
    responses were all unusable. `in_flight` is how long a call may take to reach Antom.
    """

    chosen: frozenset[str]
    accepted: tuple[RefundOrder, ...]
    told: tuple[tuple[str, str], ...]
    histories: Mapping[str, History]
    ledger: LedgerView
    unanswered: frozenset[str] = field(default_factory=frozenset)
    flagged: frozenset[str] = field(default_factory=frozenset)
    interruptions: int = 0
    unusable: frozenset[str] = field(default_factory=frozenset)
    in_flight: timedelta = timedelta()

    @cached_property
    def refunds(self) -> Mapping[str, Refund]:
        """Antom's books, by refundRequestId."""
        return {refund.refund_request_id: refund for refund in self.ledger.refunds}

    @cached_property
    def moved(self) -> Mapping[str, list[Movement]]:
        """Money that went back, by refundRequestId."""
        return by_id(self.ledger.movements)

    @cached_property
    def sent(self) -> Mapping[str, list[Sending]]:
        """Notifications that left, by refundRequestId."""
        return by_id(self.ledger.notifications)

    def calls(self, refund_request_id: str, *kinds: CallKind) -> tuple[Calls, ...]:
        """What Antom heard about this refund, of these kinds of calls."""
        ours = (each for each in self.ledger.calls if each.subject == refund_request_id)
        return tuple(each for each in ours if each.kind in kinds)

    def is_true(self, sending: Sending) -> bool:
        """Whether this notification said what Antom's books say."""
        refund = self.refunds.get(sending.refund_request_id)
        if refund is None:
            return False
        said = (letters(refund, Fault(kind=kind))[0].body for kind in _TRUTHS)
        return sending.digest in {sha256(body).hexdigest() for body in said}

    def has_two_words(self, refund_request_id: str) -> bool:
        """Whether Antom itself signed the opposite of its books, and it may have reached us."""
        return any(
            each.fault == _CONTRADICTING and each.error != _NEVER_ARRIVED and not self.is_true(each)
            for each in self.sent.get(refund_request_id, ())
        )

    def has_heard_two_words(self, refund_request_id: str) -> bool:
        """Whether we took both of them from Antom, and so had to notice."""
        sent = self.sent.get(refund_request_id, ())
        taken = [each for each in sent if each.is_acknowledged and each.fault in _FINAL_WORDS]
        return len({each.digest for each in taken}) > 1

    def is_shown(self, history: History) -> bool:
        """Whether a person was shown the contradiction."""
        is_contradicted = history.outcome is not None and history.outcome.is_contradicted
        return is_contradicted or history.refund_request_id in self.flagged


def by_id(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    """The entries of each refundRequestId, in their order; an empty list where there are none."""
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.refund_request_id].append(entry)
    return found
