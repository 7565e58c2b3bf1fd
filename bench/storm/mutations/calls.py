"""Ways to break what is said to Antom, and what is understood of its answers."""

from collections import Counter
from datetime import timedelta
from typing import Any, Final

from activities.antom import AntomActivities
from antom_refunds.antom import reading
from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.wire import RefundAnswer, RefundRequest
from antom_refunds.contract import Question
from antom_refunds.domain.evidence import Evidence, Word
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy, Schedule
from bench.storm.mutations.replacement import replace

_NEVER: Final = timedelta(days=1000)


def fresh_id() -> None:
    """A retry takes a fresh id, as if it were another refund."""
    asked: Counter[str] = Counter()
    honest = AntomClient.refund

    async def refund(self: AntomClient, order: RefundOrder) -> RefundAnswer:
        asked[order.refund_request_id] += 1
        again = f"-{asked[order.refund_request_id]}"
        is_first = asked[order.refund_request_id] == 1
        fresh = order.refund_request_id + ("" if is_first else again)
        return await honest(self, order.model_copy(update={"refund_request_id": fresh}))

    replace(AntomClient, "refund", refund)


def other_bytes() -> None:
    """A retry writes its body anew, and a little differently."""
    sent: Counter[str] = Counter()
    honest = RefundRequest.body

    def body(self: RefundRequest) -> bytes:
        sent[self.refund_request_id] += 1
        return honest(self) + b" " * (sent[self.refund_request_id] - 1)

    replace(RefundRequest, "body", body)


def success_doubted() -> None:
    """A success is asked for once more, to be sure of it."""
    honest = AntomClient.refund

    async def refund(self: AntomClient, order: RefundOrder) -> RefundAnswer:
        answer = await honest(self, order)
        return await honest(self, order) if answer.result.result_status == "S" else answer

    replace(AntomClient, "refund", refund)


def doubt_is_failure() -> None:
    """An answer that never came is read as a refusal."""
    honest = reading.unanswered

    def unanswered(error: Any) -> Evidence:
        return honest(error).model_copy(update={"word": Word.FAILED})

    replace(reading, "unanswered", unanswered)


def doubt_forgotten() -> None:
    """After an unclear answer nobody asks again."""
    honest = Policy.wait

    def wait(self: Policy, schedule: Schedule, elapsed: timedelta) -> timedelta:
        return _NEVER if schedule == self.doubt else honest(self, schedule, elapsed)

    replace(Policy, "wait", wait)


def unsigned_trusted() -> None:
    """Answers are believed whoever signed them, or nobody."""
    replace(AntomClient, "_verify", lambda *_: None)


def polls_in_history() -> None:
    """Each inquiry comes home to the workflow, news or not."""

    def news(_: AntomActivities, __: Question, evidence: Evidence, ___: Schedule) -> Evidence:
        return evidence

    replace(AntomActivities, "_learnt", news)
