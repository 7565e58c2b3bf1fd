"""One function for each way to break the product; they run in the worker and the webhook only."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from activities.antom import AntomActivities
from antom_refunds import webhook
from antom_refunds.antom import reading
from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.wire import RefundAnswer, RefundRequest
from antom_refunds.client import Delivery, RefundClient
from antom_refunds.contract import Question
from antom_refunds.domain.evidence import Evidence, Word
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy, Schedule

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

    _replace(AntomClient, "refund", refund)


def other_bytes() -> None:
    """A retry writes its body anew, and a little differently."""
    sent: Counter[str] = Counter()
    honest = RefundRequest.body

    def body(self: RefundRequest) -> bytes:
        sent[self.refund_request_id] += 1
        return honest(self) + b" " * (sent[self.refund_request_id] - 1)

    _replace(RefundRequest, "body", body)


def early_ack() -> None:
    """The webhook acknowledges at once, and then forgets to tell the workflow."""

    async def notify(*_: object, **__: object) -> Delivery:
        return Delivery.DELIVERED

    _replace(RefundClient, "notify", notify)


def doubt_is_failure() -> None:
    """An answer that never came is read as a refusal."""
    honest = reading.unanswered

    def unanswered(error: Any) -> Evidence:
        return honest(error).model_copy(update={"word": Word.FAILED})

    _replace(reading, "unanswered", unanswered)


def doubt_forgotten() -> None:
    """After an unclear answer nobody asks again."""
    honest = Policy.wait

    def wait(self: Policy, schedule: Schedule, elapsed: timedelta) -> timedelta:
        return _NEVER if schedule == self.doubt else honest(self, schedule, elapsed)

    _replace(Policy, "wait", wait)


def unsigned_trusted() -> None:
    """Answers are believed whoever signed them, or nobody."""
    _replace(AntomClient, "_verify", lambda *_: None)


def stranger_trusted() -> None:
    """Notifications are believed whoever signed them."""
    _replace(webhook, "verify", lambda *_: None)


def polls_in_history() -> None:
    """Each inquiry comes home to the workflow, news or not."""

    def news(_: AntomActivities, __: Question, evidence: Evidence, ___: Schedule) -> Evidence:
        return evidence

    _replace(AntomActivities, "_news", news)


MUTATIONS: Final[dict[str, Callable[[], None]]] = {
    mutation.__name__: mutation
    for mutation in (
        fresh_id,
        other_bytes,
        early_ack,
        doubt_is_failure,
        doubt_forgotten,
        unsigned_trusted,
        stranger_trusted,
        polls_in_history,
    )
}


def apply(name: str) -> None:
    """Break this process in this way; raises KeyError for a name that is none."""
    MUTATIONS[name]()


def _replace(owner: object, name: str, by: object) -> None:
    """Only what is there can be replaced: a renamed method must not make a mutation harmless."""
    getattr(owner, name)
    setattr(owner, name, by)
