"""An activity works with the refund as it was at its start, which may have changed since."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from antom_refunds import contract
from antom_refunds.contract import CallInput, Instruction
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from tests.harness import Harness

OPS = Instruction(by="ops", reason="it hangs")


class ScriptedActivities:
    """Activities whose results the test decides; the first poll waits until it is released."""

    def __init__(
        self, order: RefundOrder, sends: Sequence[Evidence], inquiries: Sequence[Evidence]
    ) -> None:
        self._sends, self._inquiries = list(sends), list(inquiries)
        self._order = order
        self.first_poll: Evidence | None = None
        self.released = asyncio.Event()
        self.polls: list[CallInput] = []

    @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
    async def request_refund(self, _: CallInput) -> Evidence:
        return self._sends.pop(0)

    @activity.defn(name=contract.ACTIVITY_INQUIRE)
    async def inquire(self, _: CallInput) -> Evidence:
        return self._inquiries.pop(0)

    @activity.defn(name=contract.ACTIVITY_AWAIT_RESULT)
    async def await_result(self, call_input: CallInput) -> Evidence:
        self.polls.append(call_input)
        if len(self.polls) == 1:
            await self.released.wait()
            assert self.first_poll is not None
            return self.first_poll
        return inquiry(self._order, EvidenceKind.SUCCEEDED)

    @asynccontextmanager
    async def running(self, harness: Harness) -> AsyncIterator[None]:
        methods: list[Callable[..., object]] = [
            self.request_refund,
            self.inquire,
            self.await_result,
        ]
        calls = Worker(harness.temporal, task_queue=contract.ANTOM_QUEUE, activities=methods)
        async with calls, harness.workflow_worker():
            yield


def inquiry(order: RefundOrder, kind: EvidenceKind, **changes: object) -> Evidence:
    evidence = Evidence(
        source=Source.INQUIRY,
        kind=kind,
        code=kind.upper(),
        refund_request_id=order.refund_request_id,
        payment_id=order.payment_id,
        amount=order.amount,
    )
    return evidence.model_copy(update=changes)


def response(kind: EvidenceKind) -> Evidence:
    return Evidence(source=Source.RESPONSE, kind=kind, code=kind.upper())


async def test_a_poll_that_started_before_a_failure_was_refuted_does_not_confirm_it(
    idle_harness: Harness,
) -> None:
    harness, order = idle_harness, idle_harness.payable_order()
    scripted = ScriptedActivities(
        order,
        sends=[response(EvidenceKind.DOUBT), response(EvidenceKind.FAILED_UNCONFIRMED)],
        inquiries=[
            inquiry(order, EvidenceKind.NO_INFORMATION, is_repeated=True),
            inquiry(order, EvidenceKind.PROCESSING),
        ],
    )
    scripted.first_poll = inquiry(order, EvidenceKind.FAILED, code="RISK_REJECT")

    async with scripted.running(harness):
        await harness.start(order)
        async with asyncio.timeout(20):
            while not scripted.polls:  # noqa: ASYNC110 - the activity has no event before it starts
                await asyncio.sleep(0.01)
        await harness.refunds.check_now(order.refund_request_id, OPS)
        await harness.until(order, lambda view: view.state is RefundState.PROCESSING)
        scripted.released.set()
        outcome = await harness.wait_for_outcome(order)

    assert scripted.polls[0].refund.failure is not None
    assert scripted.polls[1].refund.failure is None
    assert outcome.state is RefundState.SUCCEEDED
    assert not outcome.is_contradicted


async def test_evidence_that_this_version_cannot_read_is_doubt_and_not_a_failing_task(
    idle_harness: Harness,
) -> None:
    harness, order = idle_harness, idle_harness.payable_order()

    class Newer(ScriptedActivities):
        """Activities of a later version, whose error has details of another form."""

        @activity.defn(name=contract.ACTIVITY_REQUEST_REFUND)
        async def request_refund(self, _: CallInput) -> Evidence:
            raise ApplicationError(
                "nothing new",
                {"kind": "of_tomorrow"},
                type=contract.NOTHING_NEW,
                non_retryable=True,
            )

    scripted = Newer(order, sends=[], inquiries=[inquiry(order, EvidenceKind.SUCCEEDED)])

    async with scripted.running(harness):
        outcome = await harness.wait_for_outcome(await harness.start(order))

    assert outcome.state is RefundState.SUCCEEDED
