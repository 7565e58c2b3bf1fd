"""A case: one open matter about a refund that an operator must settle, and what was done about it.

All functions are pure: they return the case after an event, and know no clock.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import AntomId, MerchantKey
from antom_refunds.domain.policy import CASE_DUE_AFTER, CASE_DUE_AFTER_SHORT

# How many findings and actions a case lists; it remembers more digests, to recognise repetitions.
LISTED_MAX: Final = 50
DIGESTS_MAX: Final = 500
# Maximum lengths; a code is also a search attribute.
_EVIDENCE_TEXTS: Final = {
    "code": 64, "message": 500, "advice": 500, "claimed_code": 64, "refund_request_id": 64,
    "refund_id": 64, "payment_id": 64,
}  # fmt: skip


class CaseKind(StrEnum):
    """Why an operator must look (docs/operators.md#cases)."""

    NEEDS_ATTENTION = "needs_attention"  # the refund ended, and its result requires an action
    CONTRADICTION = "contradiction"  # Antom contradicts the refund's terminal state
    STOPPED = "stopped"  # the workflow was stopped in Temporal before a terminal state
    EXTERNAL_REFUND = "external_refund"  # Antom reports a refund that does not run here
    RETURNED = "returned"  # the refund succeeded, and the funds came back


class ExternalRefunds(StrEnum):
    """What happens with refunds that Antom reports and that do not run here."""

    CASE = "case"  # an operator must look
    RECORD = "record"  # a case that is closed from the beginning: kept, and not in the inbox
    IGNORE = "ignore"  # a log line


class CaseState(StrEnum):
    """The state of a case."""

    OPEN = "open"  # nobody works on it
    ASSIGNED = "assigned"
    SNOOZED = "snoozed"  # not in the inbox until a time that an operator chose
    CLOSED = "closed"


class CaseResult(StrEnum):
    """How an operator settled the matter."""

    PAID_OTHERWISE = "paid_otherwise"  # the buyer was paid on another way
    NEW_REFUND = "new_refund"  # the reference is the id of the new refund
    CONFIRMED = "confirmed"  # checked at Antom: the refund's result is right as it is
    WRITTEN_OFF = "written_off"
    FALSE_ALARM = "false_alarm"
    RECORDED = "recorded"  # nothing was left to do


ADVICE: Final = {
    CaseKind.NEEDS_ATTENTION: "do what Antom's result requires, then close the case with what "
    "was done; a new attempt needs a new refund request id",
    CaseKind.CONTRADICTION: "ask Antom for the refund's true result, by its refund id, and compare "
    "it with the buyer's statement; the refund keeps its state",
    CaseKind.STOPPED: "find out the refund's result at Antom before anything else; then reset the "
    "workflow, or settle the refund by hand",
    CaseKind.EXTERNAL_REFUND: "find out who made this refund, in Antom's Dashboard or in another "
    "system; it reduces what can still be refunded of the payment",
    CaseKind.RETURNED: "the funds are back in your account: decide how the buyer is paid, by a new "
    "refund or on another way",
}
DUE_AFTER: Final[dict[CaseKind, timedelta]] = {
    CaseKind.NEEDS_ATTENTION: CASE_DUE_AFTER,
    CaseKind.CONTRADICTION: CASE_DUE_AFTER_SHORT,
    CaseKind.STOPPED: CASE_DUE_AFTER_SHORT,
    CaseKind.EXTERNAL_REFUND: CASE_DUE_AFTER,
    CaseKind.RETURNED: CASE_DUE_AFTER,
}


def _readable(value: object) -> Evidence | None:
    """The evidence with its texts truncated; None for what a newer version may have written.

    The text of a finding suffices for an operator, so unreadable evidence must not lose it.
    """
    try:
        evidence = None if value is None else Evidence.model_validate(value)
    except ValidationError:
        return None
    if evidence is None:
        return None
    texts = {name: getattr(evidence, name) for name in _EVIDENCE_TEXTS}
    short = {name: text[:limit] for name, limit in _EVIDENCE_TEXTS.items() if (text := texts[name])}
    return evidence.model_copy(update=short)


class CaseModel(BaseModel):
    """The base of all stored models of a case: frozen, and tolerant of unknown newer fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CaseSubject(CaseModel):
    """What a case is about: one kind of matter about one refund.

    `refund_request_id` is None if the refund has none that is known here; `key` then is Antom's
    refund id, or a digest. `payment_id` and `amount` are None where nobody named them.
    """

    kind: CaseKind
    merchant: MerchantKey
    key: Annotated[str, Field(min_length=1, max_length=64)]
    refund_request_id: AntomId | None = None
    payment_id: AntomId | None = None
    amount: Money | None = None


class Finding(CaseModel):
    """One reason to look: what happened, and what Antom said, if it said anything.

    Findings with equal digests are the same one, however often it is reported.
    """

    digest: Annotated[str, Field(min_length=1, max_length=64)]
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    evidence: Annotated[Evidence | None, BeforeValidator(_readable)] = None

    @classmethod
    def of(cls, text: str, evidence: Evidence | None = None) -> Self:
        """A finding that is the same as any other with this evidence, or this text without one."""
        stated = text if evidence is None else _statement(evidence)
        return cls(digest=sha256(stated.encode()).hexdigest(), text=text, evidence=evidence)


class ReportedFinding(CaseModel):
    """A finding, and when the case learned of it."""

    at: datetime
    finding: Finding


class CaseAction(CaseModel):
    """What an operator did, or the clock: who, when, what and why."""

    at: datetime
    by: str
    action: str
    reason: str


class Closure(CaseModel):
    """How the case was closed."""

    at: datetime
    by: str
    reason: str
    result: CaseResult
    reference: str = ""


class Case(CaseModel):
    """Everything known about one case.

    `digests` are those of all findings. `findings` and `actions` list the last LISTED_MAX.
    """

    subject: CaseSubject
    opened_at: datetime
    due_at: datetime
    findings: tuple[ReportedFinding, ...] = ()
    digests: tuple[str, ...] = ()
    actions: tuple[CaseAction, ...] = ()
    assignee: str | None = None
    snoozed_until: datetime | None = None
    closure: Closure | None = None

    @property
    def state(self) -> CaseState:
        if self.closure is not None:
            return CaseState.CLOSED
        if self.snoozed_until is not None:
            return CaseState.SNOOZED
        return CaseState.OPEN if self.assignee is None else CaseState.ASSIGNED

    @property
    def is_in_inbox(self) -> bool:
        """Whether it waits for an operator now."""
        return self.state in {CaseState.OPEN, CaseState.ASSIGNED}

    @property
    def latest(self) -> Finding | None:
        """The finding that was listed last."""
        return self.findings[-1].finding if self.findings else None


def opened(subject: CaseSubject, *, at: datetime) -> Case:
    """A new case, without findings yet."""
    return Case(subject=subject, opened_at=at, due_at=at + DUE_AFTER[subject.kind])


def reported(case: Case, finding: Finding, *, at: datetime) -> Case:
    """The case with this finding; equal if it is known already.

    A new finding opens a closed case again, and ends a snooze.
    """
    if finding.digest in case.digests:
        return case
    digests = (*case.digests, finding.digest)[-DIGESTS_MAX:]
    findings = (*case.findings, ReportedFinding(at=at, finding=finding))[-LISTED_MAX:]
    subject = _completed(case.subject, finding.evidence)
    return _changed(
        _reopened(case, at),
        digests=digests,
        findings=findings,
        subject=subject,
        snoozed_until=None,
    )


def assigned(case: Case, assignee: str, action: CaseAction) -> Case:
    """The case in the hands of `assignee`."""
    return _changed(_acted(case, action), assignee=assignee)


def noted(case: Case, action: CaseAction) -> Case:
    """The case with an operator's note."""
    return _acted(case, action)


def snoozed(case: Case, until: datetime, action: CaseAction) -> Case:
    """The case, out of the inbox until then."""
    return _changed(_acted(case, action), snoozed_until=until)


def woken(case: Case) -> Case:
    """The case after its snooze."""
    return _changed(case, snoozed_until=None)


def closed(case: Case, closure: Closure) -> Case:
    """The closed case."""
    action = CaseAction(
        at=closure.at,
        by=closure.by,
        action=f"close: {closure.result} {closure.reference}".strip(),
        reason=closure.reason,
    )
    return _changed(_acted(case, action), closure=closure, snoozed_until=None)


def _completed(subject: CaseSubject, evidence: Evidence | None) -> CaseSubject:
    """The subject with a payment and an amount, if the evidence is the first to name them."""
    if evidence is None:
        return subject
    named = {"payment_id": evidence.payment_id, "amount": evidence.amount}
    missing = {
        name: value
        for name, value in named.items()
        if getattr(subject, name) is None and value is not None
    }
    return subject.model_copy(update=missing)


def _reopened(case: Case, at: datetime) -> Case:
    """The case; if it was closed, as a new one: its age counts from now, and nobody has it."""
    if case.closure is None:
        return case
    due_at = at + DUE_AFTER[case.subject.kind]
    return _changed(case, closure=None, opened_at=at, due_at=due_at, assignee=None)


def _acted(case: Case, action: CaseAction) -> Case:
    """The latest actions, because the last one says how the case stands."""
    return _changed(case, actions=(*case.actions, action)[-LISTED_MAX:])


def _statement(evidence: Evidence) -> str:
    """What the evidence says, without what only says how often we heard it."""
    return evidence.model_dump_json(exclude={"is_repeated"}, exclude_defaults=True)


def _changed(case: Case, **changes: object) -> Case:
    return case.model_copy(update=changes)
