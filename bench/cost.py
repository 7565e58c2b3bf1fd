"""What a refund costs in each scenario, here and with a timer loop: counted, not estimated."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.antom_activities import AntomActivities
from activities.antom_calls import EvidenceCalls
from antom_refunds import Money, Policy, RefundClient, RefundOrder, contract
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.keys import KeyRing
from antom_refunds.domain.evidence import Evidence, EvidenceKind, Source
from antom_refunds.domain.order import DEFAULT_MERCHANT
from antom_refunds.namespace import register_attributes
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from bench.environment import UnlimitedStack, running_stack
from bench.figures import Figures, Line, Log
from bench.peers.antom_calls import AntomCalls
from bench.peers.timer_loop import QUEUE, TimerLoopRefund
from starter.temporal_server import temporal_cli
from workflows.registered import WORKFLOWS

_AMOUNT: Final = Money(currency="EUR", minor=1250)
_IDLE_SECONDS: Final = 0.5
_LIMIT_SECONDS: Final = 60
# Billed by Temporal Cloud, in addition to each attempt of an activity.
_BILLED: Final = frozenset({
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_TIMER_STARTED,
})  # fmt: skip
_REAL_TIME: Final = Policy(overdue_after=timedelta(days=1000))
_FAST: Final = Policy(overdue_after=timedelta(days=1000), speedup=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the simulated Antom does. `events_max` is the limit of our history, None for none.

    `inquiries` are set where scenarios differ in nothing else.
    """

    name: str
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]] = field(default_factory=dict)
    policy: Policy = _FAST
    events_max: int | None = None
    inquiries: int = 0
    is_notified: bool = False
    is_ours_only: bool = False
    takes_weeks: bool = False


def _polled(times: int) -> Mapping[Operation, tuple[Fault, ...]]:
    """The inquiries before the last one find the refund in process."""
    stale = (Fault(kind=FaultKind.STALE),) * (times - 1)
    return {**_UNNOTIFIED, **({Operation.INQUIRY: stale} if stale else {})}


_UNNOTIFIED: Final = {Operation.NOTIFY: (Fault(kind=FaultKind.NOT_SENT),) * 8}
_NOT_FOUND: Final = {Operation.INQUIRY: (Fault(kind=FaultKind.NOT_FOUND),)}
_BANK: Final = {"is_async": True, "settle_after": timedelta()}
_SLOW_BANK: Final = {"is_async": True, "settle_after": timedelta(days=1)}
SCENARIOS: Final = (
    Scenario(name="immediate", events_max=13),
    # In real time, so that the notification arrives before the first inquiry.
    Scenario(name="by notification", payment=_SLOW_BANK, policy=_REAL_TIME, is_notified=True,
             events_max=20),
    Scenario(name="by the first inquiry", payment=_BANK, faults=_polled(1)),
    *(Scenario(name=f"by the {inquiries}th inquiry", payment=_BANK, faults=_polled(inquiries),
               policy=_REAL_TIME, events_max=limit, inquiries=inquiries, takes_weeks=True)
      for inquiries, limit in ((20, None), (200, 20))),
    Scenario(name="by the 200th inquiry, overdue", payment=_BANK, faults=_polled(200),
             policy=Policy(), is_ours_only=True, takes_weeks=True),
    Scenario(name="up to three responses lost",
             faults={Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),) * 3}),
    Scenario(name="no such refund at first, then found", payment=_BANK,
             faults={**_UNNOTIFIED, **_NOT_FOUND}),
)  # fmt: skip


class Cost(NamedTuple):
    """One refund: its whole history in `events` and `bytes`, and every attempt of its calls."""

    events: int
    actions: int
    calls: int
    bytes: int
    end: str


class ScenarioCost(NamedTuple):
    """One scenario with this project and with the timer loop, where that can do it."""

    scenario: Scenario
    ours: Cost
    loop: Cost | None

    @property
    def is_within(self) -> bool:
        """Whether our history is within its limit."""
        return self.ours.events <= (self.scenario.events_max or self.ours.events)


async def measure(log: Log, *, quick: bool) -> Figures:  # noqa: ARG001 - quick already
    """Each scenario once with each implementation: counts need no repetition."""
    costs = []
    async with running_stack("temporal", "simulator") as stack:
        for scenario in SCENARIOS:
            log(scenario.name)
            costs.append(await compare(scenario, stack))
    return summarise(costs)


def summarise(costs: Sequence[ScenarioCost]) -> Figures:
    """`exceeded` names scenarios with histories longer than their limit, `different` other ends."""
    return {
        "costs": [
            {
                "scenario": each.scenario.name,
                "ours": each.ours._asdict(),
                "loop": each.loop and each.loop._asdict(),
                "events_max": each.scenario.events_max,
            }
            for each in costs
        ],
        "by_inquiry": {unit: _by_inquiry(costs, unit) for unit in ("events", "actions", "bytes")},
        "different": [e.scenario.name for e in costs if e.loop and e.loop.end != e.ours.end],
        "exceeded": [each.scenario.name for each in costs if not each.is_within],
    }


def _by_inquiry(costs: Sequence[ScenarioCost], unit: str) -> Figures:
    """What each further inquiry adds, and from which one on ours needs fewer, if ever."""
    polled = [each for each in costs if each.scenario.inquiries and each.loop]
    ours = Line.through((each.scenario.inquiries, getattr(each.ours, unit)) for each in polled)
    loop = Line.through((each.scenario.inquiries, getattr(each.loop, unit)) for each in polled)
    below_from = ours.is_below_from(loop) if ours.slope < loop.slope else None
    return {"ours": ours.slope, "loop": loop.slope, "below_from": below_from}


class Attempts(Interceptor):
    """Counts every attempt of an activity: most of them are not in the history."""

    def __init__(self) -> None:
        self.count = 0

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        attempts = self

        class Counting(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
                attempts.count += 1
                return await super().execute_activity(input)

        return Counting(next)


class Ours:
    """Waits in activities that Temporal retries."""

    def __init__(self, temporal: Client, policy: Policy) -> None:
        self.temporal, self.policy = temporal, policy

    def workers(self, antom: AntomClient) -> list[dict[str, Any]]:
        calls = AntomActivities(EvidenceCalls({DEFAULT_MERCHANT: antom}), self.policy)
        activities = [calls.request_refund, calls.await_result, calls.inquire]
        return [
            {"task_queue": contract.REFUNDS_QUEUE, "workflows": WORKFLOWS},
            {"task_queue": contract.ANTOM_QUEUE, "activities": activities},
        ]

    async def start(self, order: RefundOrder) -> str:
        """The workflow id."""
        return (await RefundClient(self.temporal, policy=self.policy).start(order)).workflow_id

    async def notify(self, order: RefundOrder, evidence: Evidence) -> None:
        deliver = NotificationDelivery(self.temporal).deliver
        await deliver(order.refund_request_id, evidence, delivery_id="one")


class TimerLoop(Ours):
    """Waits on timers in the workflow, with an activity for each call."""

    def workers(self, antom: AntomClient) -> list[dict[str, Any]]:
        calls = AntomCalls(antom)
        activities = [calls.ask, calls.inquire]
        return [{"task_queue": QUEUE, "workflows": [TimerLoopRefund], "activities": activities}]

    async def start(self, order: RefundOrder) -> str:
        arguments, name = [order, self.policy.speedup, None], order.refund_request_id
        start = self.temporal.start_workflow
        return (await start(TimerLoopRefund.run, args=arguments, id=name, task_queue=QUEUE)).id

    async def notify(self, order: RefundOrder, evidence: Evidence) -> None:
        handle = self.temporal.get_workflow_handle(order.refund_request_id)
        await handle.signal(TimerLoopRefund.notify, evidence)


def _antom(stack: UnlimitedStack) -> AntomClient:
    merchant, public_key = stack.merchants["default"], stack.home / "keys" / "antom-public.pem"
    return AntomClient(MerchantAccount(
        client_id=merchant.client_id, gateway=stack.simulator_url, is_sandbox=True,
        keys=KeyRing(merchant.private_key, [public_key]),
    ))  # fmt: skip


async def compare(scenario: Scenario, stack: UnlimitedStack) -> ScenarioCost:
    """One scenario with each implementation; of the stack Temporal and the simulator run."""
    loop = None if scenario.is_ours_only else await _cost(TimerLoop, scenario, stack)
    return ScenarioCost(scenario, await _cost(Ours, scenario, stack), loop)


async def _cost(kind: type[Ours], scenario: Scenario, stack: UnlimitedStack) -> Cost:
    attempts, name = Attempts(), f"{kind.__name__}-{SCENARIOS.index(scenario)}"
    order = RefundOrder(refund_request_id=name, payment_id=f"pay-{name}", amount=_AMOUNT)
    await stack.add_payments(order.payment_id, **scenario.payment)
    scripts = [FaultScript(subject=name, operation=operation, faults=faults)
               for operation, faults in scenario.faults.items()]  # fmt: skip
    async with AsyncExitStack() as inside:
        simulator = await inside.enter_async_context(SimulatorClient(stack.simulator_url))
        await simulator.add_scripts(*scripts)
        if scenario.takes_weeks:
            # Its own server for one refund: the time after a skip cannot be predicted.
            starting = await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=str(
                    Path(temporal_cli()).with_name("temporal-test-server")
                ),
                data_converter=pydantic_data_converter,
            )
            server = await inside.enter_async_context(starting)
            await register_attributes(server.client)
            # Inside, weeks pass as soon as nothing happens; an attribute of this server alone.
            temporal, skipping = server.client, getattr(server, "time_skipping_unlocked")  # noqa: B009
        else:
            temporal, skipping = await stack.temporal(), nullcontext
        side, antom = kind(temporal, scenario.policy), _antom(stack)
        for each in side.workers(await inside.enter_async_context(antom)):
            await inside.enter_async_context(Worker(temporal, interceptors=[attempts], **each))
        handle = temporal.get_workflow_handle(await side.start(order))
        if scenario.is_notified:
            await _wait_until_idle(attempts)
            await side.notify(order, Evidence(
                source=Source.NOTIFICATION, kind=EvidenceKind.SUCCEEDED, code="SUCCESS",
                refund_request_id=name, amount=_AMOUNT,
            ))  # fmt: skip
        async with asyncio.timeout(_LIMIT_SECONDS), skipping():
            result = await handle.result()
        events = [event async for event in handle.fetch_history_events()]
        if events[0].workflow_execution_started_event_attributes.continued_execution_run_id:
            raise RuntimeError(f"{scenario.name}: the history of earlier runs is not counted")
        calls = (await simulator.ledger()).calls
        return Cost(
            events=len(events),
            actions=sum(event.event_type in _BILLED for event in events) + attempts.count,
            # inquiryPayment names the payment alone.
            calls=sum(each.count for each in calls if each.subject in {name, order.payment_id}),
            bytes=sum(event.ByteSize() for event in events),
            # The loop's workflow returns the state, ours an outcome with it.
            end=str(result["state"] if isinstance(result, dict) else result),
        )


async def _wait_until_idle(attempts: Attempts) -> None:
    """Until its calls began and none was made for a while: the refund waits now."""
    seen = 0
    async with asyncio.timeout(_LIMIT_SECONDS):
        while not seen or seen != attempts.count:
            seen = attempts.count
            await asyncio.sleep(_IDLE_SECONDS)
