"""The calls at Antom as activities: each returns evidence, or asks to be tried again later.

"Later" is the engine's: an attempt that learnt nothing raises with the time of the next one, so
waiting costs no history, survives every crash and is seen under Pending Activities.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aiolimiter import AsyncLimiter
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from antom_refunds import contract
from antom_refunds.antom import reading
from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.errors import (
    AntomError,
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
)
from antom_refunds.contract import Question
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.fold import take
from antom_refunds.domain.policy import Policy, Schedule
from antom_refunds.domain.refund import Refund, State
from antom_refunds.ports import AntomCalls

log = logging.getLogger(__name__)

_OVERDUE: Final = Evidence(
    source=Source.CLOCK, word=Word.OVERDUE, code="overdue", message="no end in time"
)


class AntomActivities(AntomCalls):
    """The calls at Antom for the merchants this worker serves.

    Each call takes one turn from `turns`, and waits for it; without them nobody waits.
    """

    def __init__(
        self,
        clients: Mapping[str, AntomClient],
        policy: Policy,
        *,
        turns: AsyncLimiter | None = None,
    ) -> None:
        self._clients = clients
        self._policy = policy
        self._turns = turns

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    async def request_refund(self, question: Question) -> Evidence:
        if _is_newly_overdue(question):
            return _OVERDUE
        refund = question.refund
        schedule = self._policy.blocked if refund.state is State.BLOCKED else self._policy.doubt
        if refund.state is not State.REQUESTED and _is_first_moment():
            raise self._later(f"{refund.state}: to be asked again with the same id", schedule)
        return self._news(question, await self._ask(refund), schedule)

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    async def await_result(self, question: Question) -> Evidence:
        if _is_newly_overdue(question):
            return _OVERDUE
        if _is_first_moment():
            raise self._later("accepted by Antom, the result is pending", self._policy.watch)
        evidence = await self._inquire(question.refund)
        if evidence.word is Word.ABSENT:
            evidence = await self._ask(question.refund)
        return self._news(question, evidence, self._policy.watch)

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    async def inquire(self, question: Question) -> Evidence:
        evidence = await self._inquire(question.refund)
        if evidence.word is Word.SILENT:
            raise self._later(evidence.message, self._policy.watch)
        return evidence

    async def _ask(self, refund: Refund) -> Evidence:
        client = self._clients.get(refund.order.merchant)
        if client is None:
            return _not_served(refund.order.merchant)
        await self._turn()
        try:
            evidence = reading.answered(await client.refund(refund.order))
        except NotSentError as error:
            raise self._later(str(error), self._policy.unsent, contract.NOT_SENT) from error
        except (OutcomeUnknownError, RefusedError) as error:
            evidence = reading.unanswered(error)
        except asyncio.CancelledError:
            # The worker is stopping with the call in the air: what came of it is unknown.
            evidence = reading.unanswered(NoAnswerError("no_answer", "the worker was stopped"))
        except Exception:
            # A defect of ours: nobody knows whether it struck before or after the sending.
            log.exception("refund.call_broke")
            evidence = reading.unanswered(
                NoAnswerError("call_broke", "the call broke: see the log")
            )
        _count(contract.ACTIVITY_REQUEST_REFUND, evidence)
        return evidence

    async def _inquire(self, refund: Refund) -> Evidence:
        client = self._clients.get(refund.order.merchant)
        if client is None:
            unserved = _not_served(refund.order.merchant)
            return unserved.model_copy(update={"source": Source.INQUIRY, "word": Word.SILENT})
        closing = refund.closing if refund.may_close else None
        await self._turn()
        try:
            answer = await client.inquire_refund(refund.order.refund_request_id)
        except AntomError as error:
            evidence = reading.uninquired(error)
        else:
            evidence = reading.inquired(answer, closing=closing)
        _count(contract.ACTIVITY_INQUIRE, evidence)
        return evidence

    async def _turn(self) -> None:
        """A call that is cancelled while it waits here was not sent."""
        if self._turns is not None:
            await self._turns.acquire()

    def _news(self, question: Question, evidence: Evidence, schedule: Schedule) -> Evidence:
        """The evidence, if it changes what is known; raises "later" otherwise."""
        if take(question.refund, evidence) == question.refund:
            raise self._later(evidence.message, schedule)
        return evidence

    def _later(
        self, why: str, schedule: Schedule, kind: str = contract.NO_NEWS
    ) -> ApplicationError:
        """What ends this attempt; the engine begins the next one when the schedule says so.

        Counted on the engine's clock alone: it is the one that all workers share.
        """
        info = activity.info()
        wait = self._policy.wait(schedule, info.started_time - info.scheduled_time)
        return ApplicationError(
            f"{why}; next in {_spoken(wait)}",
            type=kind,
            next_retry_delay=wait,
            category=ApplicationErrorCategory.BENIGN,
        )


def _is_newly_overdue(question: Question) -> bool:
    due_at = question.due_at
    is_due = due_at is not None and due_at <= activity.info().started_time
    return is_due and not question.refund.is_overdue


def _is_first_moment() -> bool:
    """Whether this call was only just scheduled, and not retried or reset by an operator."""
    info = activity.info()
    return info.attempt == 1 and info.current_attempt_scheduled_time <= info.scheduled_time


def _not_served(merchant: str) -> Evidence:
    return Evidence(
        source=Source.ANSWER,
        word=Word.BLOCKED,
        code="merchant_not_configured",
        message=f"merchant {merchant!r} is not configured on this worker; nothing was sent",
        advice="add the merchant to the worker's settings",
        needs_human=True,
    )


def _count(call: str, evidence: Evidence) -> None:
    labels = {"call": call, "word": evidence.word.value}
    meter = activity.metric_meter().with_additional_attributes(labels)
    meter.create_counter("refund_antom_calls", "Calls at Antom by what they said").add(1)


def _spoken(wait: timedelta) -> str:
    """A wait for people: "2 min", "1 h 30 min", "0.5 s"."""
    seconds = wait.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    parts = ([f"{hours} h"] if hours else []) + ([f"{rest} min"] if rest else [])
    return " ".join(parts)
