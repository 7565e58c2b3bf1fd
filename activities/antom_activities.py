"""Calls to Antom as activities: each returns new evidence, or fails so that it is retried later."""

from datetime import timedelta
from typing import Final

from temporalio import activity

from activities.antom_calls import EvidenceCalls
from activities.attempts import (
    elapsed,
    heartbeating,
    is_first_attempt,
    previous_streak,
    retry_later,
    save_streak,
)
from antom_refunds import contract
from antom_refunds.activity_interface import AntomCalls
from antom_refunds.contract import CallInput
from antom_refunds.domain.confirmation import awaits_quiet, confirm_by_inquiry
from antom_refunds.domain.evidence import UNUSABLE, Evidence, EvidenceKind, Source
from antom_refunds.domain.failure_streak import FailureStreak
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import MERCHANT_NOT_CONFIGURED, Refund, RefundState
from antom_refunds.domain.state_machine import apply

_NEVER_SENT: Final = frozenset({MERCHANT_NOT_CONFIGURED, "not_sent"})


class AntomActivities(AntomCalls):
    """Calls to Antom, retried until there is new evidence; `policy` has the retry schedules."""

    def __init__(self, calls: EvidenceCalls, policy: Policy) -> None:
        self._calls = calls
        self._policy = policy

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    async def request_refund(self, call_input: CallInput) -> Evidence:
        refund = call_input.refund
        schedule = (
            self._policy.retry_blocked
            if refund.state is RefundState.BLOCKED
            else self._policy.retry_in_doubt
        )
        is_due = refund.state is RefundState.REQUESTED or refund.is_send_due
        if is_first_attempt() and not is_due:
            raise self._retry_later(
                call_input, f"{refund.state}: to be sent again with the same id", schedule
            )
        async with heartbeating() as guard:
            if refund.state is RefundState.IN_DOUBT and not refund.is_send_due:
                inquiry = await self._inquire_and_confirm(call_input)
                if _is_decisive(refund, inquiry):
                    return inquiry
            return self._return_or_retry(
                call_input, await self._calls.refund(refund, guard), schedule
            )

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    async def await_result(self, call_input: CallInput) -> Evidence:
        schedule = self._policy.poll
        if is_first_attempt():
            raise self._retry_later(call_input, "the result is pending at Antom", schedule)
        async with heartbeating():
            return self._return_or_retry(
                call_input, await self._inquire_and_confirm(call_input), schedule
            )

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    async def inquire(self, call_input: CallInput) -> Evidence:
        async with heartbeating():
            evidence = await self._inquire_and_confirm(call_input)
        if _was_never_sent(call_input, evidence):
            return _closed_by_call_off(call_input.refund)
        if awaits_quiet(call_input.refund, evidence):
            wait = self._policy.scaled_quiet_period - elapsed(call_input.quiet_since)
            reason = f"{evidence.message}, but an earlier call may still be in flight"
            raise retry_later(reason, max(wait, timedelta(milliseconds=1)), contract.NOTHING_NEW)
        if evidence.is_usable:
            return evidence
        return self._return_or_retry(call_input, evidence, self._policy.poll)

    async def _inquire_and_confirm(self, call_input: CallInput) -> Evidence:
        refund = call_input.refund
        evidence = await self._calls.inquiry(refund)
        is_quiet = elapsed(call_input.quiet_since) >= self._policy.scaled_quiet_period
        return confirm_by_inquiry(refund, evidence, is_quiet=is_quiet)

    def _return_or_retry(
        self, call_input: CallInput, evidence: Evidence, schedule: Schedule
    ) -> Evidence:
        """Return the evidence if it changes the refund; otherwise raise, to retry later."""
        marked = _mark_repeated(call_input, evidence)
        if apply(call_input.refund, marked) == call_input.refund:
            raise self._retry_later(call_input, marked.message, schedule, marked)
        return marked

    def _retry_later(
        self, call_input: CallInput, reason: str, schedule: Schedule, marked: Evidence | None = None
    ) -> Exception:
        is_unsent = marked is not None and marked.kind is EvidenceKind.UNSENT
        since = None if is_unsent else call_input.since
        error_type = contract.NOT_SENT if is_unsent else contract.NOTHING_NEW
        wait = self._policy.next_wait(
            self._policy.retry_unsent if is_unsent else schedule, elapsed(since)
        )
        # An inquiry can be repeated, so its error stays one sentence for operators.
        is_send = marked is not None and marked.source is Source.RESPONSE
        return retry_later(reason, wait, error_type, marked if is_send else None)


def _mark_repeated(call_input: CallInput, evidence: Evidence) -> Evidence:
    """Mark evidence as repeated once an operator must be alerted; save the count for later."""
    previous = previous_streak()
    if evidence.kind not in UNUSABLE:
        if previous is not None:
            save_streak(FailureStreak())
        return evidence
    first_doubt = call_input.refund.doubt if evidence.kind is EvidenceKind.DOUBT else None
    streak = (previous or FailureStreak.starting_with(first_doubt)).after(evidence)
    save_streak(streak)
    is_alarming = streak.is_alarming or _is_doubted_again(call_input.refund, evidence)
    return evidence.model_copy(update={"is_repeated": is_alarming})


def _is_doubted_again(refund: Refund, evidence: Evidence) -> bool:
    """Whether Antom no longer knows what it accepted, and gives no usable response to that.

    Each such call is an activity of its own, so no streak counts them.
    """
    is_unknown = refund.state is RefundState.PROCESSING and refund.is_send_due
    return is_unknown and refund.doubt is not None and evidence.kind is EvidenceKind.DOUBT


def _is_decisive(refund: Refund, evidence: Evidence) -> bool:
    """Whether an inquiry makes the refund call unnecessary."""
    return (
        evidence.is_usable
        and not _requires_sending(refund, evidence)
        and apply(refund, evidence) != refund
    )


def _requires_sending(refund: Refund, evidence: Evidence) -> bool:
    """Whether Antom has no such refund, or a success that only a refund call can bind."""
    is_unbound = evidence.payment_id is None and not refund.is_bound
    is_unbound_success = evidence.kind is EvidenceKind.SUCCEEDED and is_unbound
    return evidence.kind is EvidenceKind.NOT_FOUND or is_unbound_success


def _was_never_sent(call_input: CallInput, evidence: Evidence) -> bool:
    """Whether a call-off needs no inquiry, because no refund call was ever sent.

    Only the first run knows of all calls.
    """
    refund = call_input.refund
    cannot_inquire = evidence.code in _NEVER_SENT and call_input.is_first_run
    return refund.call_off is not None and cannot_inquire and not refund.was_sent


def _closed_by_call_off(refund: Refund) -> Evidence:
    call_off = refund.call_off
    assert call_off is not None  # noqa: S101 - the caller has checked it
    return call_off.model_copy(
        update={
            "source": Source.INQUIRY,
            "kind": EvidenceKind.CLOSED,
            "message": f"{call_off.message}; no refund call was ever sent",
        }
    )
