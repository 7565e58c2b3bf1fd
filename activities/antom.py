"""The calls at Antom as activities: each returns evidence, or asks to be tried again later."""

from datetime import timedelta
from typing import Final

from temporalio import activity

from activities.attempts import (
    alive,
    elapsed,
    is_first_attempt,
    later,
    remember,
    remembered,
)
from activities.calls import Calls
from antom_refunds import contract
from antom_refunds.contract import Question
from antom_refunds.domain.confirmation import awaits_quiet, confirmed
from antom_refunds.domain.evidence import UNUSABLE, Evidence, Source, Word
from antom_refunds.domain.fold import take
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import NOT_SERVED, Refund, RefundState
from antom_refunds.domain.streak import Streak
from antom_refunds.ports import AntomCalls

_NEVER_SENT: Final = frozenset({NOT_SERVED, "not_sent"})


class AntomActivities(AntomCalls):
    """The calls at Antom, each until it teaches something new; `policy` says when again."""

    def __init__(self, calls: Calls, policy: Policy) -> None:
        self._calls = calls
        self._policy = policy

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    async def request_refund(self, question: Question) -> Evidence:
        refund = question.refund
        schedule = (
            self._policy.blocked if refund.state is RefundState.BLOCKED else self._policy.doubt
        )
        is_due = refund.state is RefundState.REQUESTED or refund.is_ask_due
        if is_first_attempt() and not is_due:
            raise self._later(question, f"{refund.state}: to be sent again, same id", schedule)
        async with alive() as pulse:
            if refund.state is RefundState.IN_DOUBT and not refund.is_ask_due:
                inquired = await self._inquire(question)
                if _is_decisive(refund, inquired):
                    return inquired
            return self._learnt(question, await self._calls.refund(refund, pulse), schedule)

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    async def await_result(self, question: Question) -> Evidence:
        schedule = self._policy.watch
        if is_first_attempt():
            raise self._later(question, "the result is pending at Antom", schedule)
        async with alive():
            return self._learnt(question, await self._inquire(question), schedule)

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    async def inquire(self, question: Question) -> Evidence:
        async with alive():
            evidence = await self._inquire(question)
        if _was_never_sent(question, evidence):
            return _called_off(question.refund)
        if awaits_quiet(question.refund, evidence):
            wait = self._policy.quiet_period - elapsed(question.quiet_from)
            why = f"{evidence.message}, but an earlier call may still be in flight"
            raise later(why, max(wait, timedelta(milliseconds=1)), contract.NO_NEWS)
        if evidence.is_usable:
            return evidence
        return self._learnt(question, evidence, self._policy.watch)

    async def _inquire(self, question: Question) -> Evidence:
        refund = question.refund
        evidence = await self._calls.inquiry(refund)
        is_quiet = elapsed(question.quiet_from) >= self._policy.quiet_period
        return confirmed(refund, evidence, is_quiet=is_quiet)

    def _learnt(self, question: Question, evidence: Evidence, schedule: Schedule) -> Evidence:
        """The evidence, if it changes what is known; raises "later" otherwise."""
        told = _marked(question, evidence)
        if take(question.refund, told) == question.refund:
            raise self._later(question, told.message, schedule, told)
        return told

    def _later(
        self, question: Question, why: str, schedule: Schedule, told: Evidence | None = None
    ) -> Exception:
        is_unsent = told is not None and told.word is Word.UNSENT
        chosen = self._policy.unsent if is_unsent else schedule
        since = None if is_unsent else question.since
        kind = contract.NOT_SENT if is_unsent else contract.NO_NEWS
        return later(why, self._policy.wait(chosen, elapsed(since)), kind, told)


def _marked(question: Question, evidence: Evidence) -> Evidence:
    """Marked as repeated if an operator must know by now; the count is left to the next attempt."""
    before = remembered()
    if evidence.word not in UNUSABLE:
        if before is not None:
            remember(Streak())
        return evidence
    known = question.refund.doubt if evidence.word is Word.DOUBT else None
    streak = (before or Streak.beginning_with(known)).after(evidence)
    remember(streak)
    return evidence.model_copy(update={"is_repeated": streak.is_alarming})


def _is_decisive(refund: Refund, evidence: Evidence) -> bool:
    """Whether an inquiry makes the refund call unnecessary."""
    return (
        evidence.is_usable
        and not _calls_for_asking(refund, evidence)
        and take(refund, evidence) != refund
    )


def _calls_for_asking(refund: Refund, evidence: Evidence) -> bool:
    """Antom knows nothing of it, or knows a success that only its answer can tie to the payment."""
    is_unbound = evidence.payment_id is None and not refund.is_bound
    is_claim = evidence.word is Word.SUCCEEDED and is_unbound
    return evidence.word is Word.ABSENT or is_claim


def _was_never_sent(question: Question, evidence: Evidence) -> bool:
    """Whether a call-off needs no inquiry: no call of this refund ever left, and none can be asked.

    Only the first run knows of all calls.
    """
    refund = question.refund
    is_impossible = evidence.code in _NEVER_SENT and question.is_first_run
    return refund.call_off is not None and is_impossible and not refund.was_sent


def _called_off(refund: Refund) -> Evidence:
    call_off = refund.call_off
    assert call_off is not None  # noqa: S101 - the caller has seen it
    return call_off.model_copy(
        update={
            "source": Source.INQUIRY,
            "word": Word.CLOSED,
            "message": f"{call_off.message}; no call of this refund ever left",
        }
    )
