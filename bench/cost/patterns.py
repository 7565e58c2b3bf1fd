"""The two ways of waiting that are compared, so that one hand can drive both."""

from collections.abc import Callable
from typing import Protocol

from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from activities.antom import AntomActivities
from activities.calls import Calls
from antom_refunds import contract
from antom_refunds.antom.client import AntomClient
from antom_refunds.client import RefundClient
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.notifications import NotificationDelivery
from bench.peers.timer_loop.activities import TimerLoopActivities
from bench.peers.timer_loop.workflow import QUEUE, TimerLoopOrder, TimerLoopRefund
from workflows import WORKFLOWS


class Pattern(Protocol):
    """One way of waiting, on one Temporal and with one policy."""

    def workers(self, antom: AntomClient, *watching: Interceptor) -> tuple[Worker, ...]:
        """What drives its refunds."""

    def workflow_id(self, order: RefundOrder) -> str:
        """Under which id this refund is driven."""

    async def start(self, order: RefundOrder) -> None:
        """Have the refund driven."""

    async def notify(self, order: RefundOrder, notice: Evidence) -> None:
        """What the webhook does with a verified notification."""

    async def end(self, order: RefundOrder) -> str:
        """The state in which the refund ended, waited for."""


Kind = Callable[[Client, Policy], Pattern]


class Ours:
    """Waiting in activities that the engine retries."""

    def __init__(self, temporal: Client, policy: Policy) -> None:
        self._temporal = temporal
        self._policy = policy
        self._refunds = RefundClient(temporal, policy=policy)
        self._notifications = NotificationDelivery(temporal)

    def workers(self, antom: AntomClient, *watching: Interceptor) -> tuple[Worker, ...]:
        calls = AntomActivities(Calls({"default": antom}), self._policy)
        refunds_worker = Worker(
            self._temporal, task_queue=contract.REFUNDS_QUEUE, workflows=WORKFLOWS
        )
        calls_worker = Worker(
            self._temporal,
            task_queue=contract.ANTOM_QUEUE,
            activities=[calls.request_refund, calls.await_result, calls.inquire],
            interceptors=watching,
        )
        return refunds_worker, calls_worker

    def workflow_id(self, order: RefundOrder) -> str:
        return contract.workflow_id(order.refund_request_id, merchant=order.merchant)

    async def start(self, order: RefundOrder) -> None:
        await self._refunds.start(order)

    async def notify(self, order: RefundOrder, notice: Evidence) -> None:
        await self._notifications.deliver(order.refund_request_id, notice, delivery_id="one")

    async def end(self, order: RefundOrder) -> str:
        outcome = await self._refunds.outcome(order.refund_request_id)
        return str(outcome.state)


class TimerLoop:
    """Waiting on timers in the workflow, with an activity for each call."""

    def __init__(self, temporal: Client, policy: Policy) -> None:
        self._temporal = temporal
        self._policy = policy

    def workers(self, antom: AntomClient, *watching: Interceptor) -> tuple[Worker, ...]:
        calls = TimerLoopActivities(antom)
        worker = Worker(
            self._temporal,
            task_queue=QUEUE,
            workflows=[TimerLoopRefund],
            activities=[calls.ask, calls.inquire],
            interceptors=watching,
        )
        return (worker,)

    def workflow_id(self, order: RefundOrder) -> str:
        return f"timer-loop/{order.refund_request_id}"

    async def start(self, order: RefundOrder) -> None:
        await self._temporal.start_workflow(
            TimerLoopRefund.run,
            TimerLoopOrder(order=order, pace=self._policy.pace),
            id=self.workflow_id(order),
            task_queue=QUEUE,
        )

    async def notify(self, order: RefundOrder, notice: Evidence) -> None:
        handle = self._temporal.get_workflow_handle(self.workflow_id(order))
        await handle.signal(TimerLoopRefund.notify, notice)

    async def end(self, order: RefundOrder) -> str:
        handle = self._temporal.get_workflow_handle(self.workflow_id(order))
        return str(await handle.result())
