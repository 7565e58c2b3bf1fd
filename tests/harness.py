"""The environment of a refund: a real Temporal, a worker, the webhook and the Antom simulator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client as Temporal
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.antom_activities import AntomActivities
from activities.antom_calls import EvidenceCalls
from activities.case_activities import CaseActivities
from antom_refunds import contract
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.antom.keys import KeyFile, KeyRing
from antom_refunds.case_start import report_case
from antom_refunds.cases import CaseClient
from antom_refunds.client import RefundClient
from antom_refunds.contract import RefundOutcome
from antom_refunds.domain.case import Case, CaseKind
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.errors import CaseNotFoundError
from antom_refunds.merchants import NotificationKeys
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.simulator.accounts import AntomMerchant, Payment, SettlementOutcome
from antom_refunds.simulator.faults import Fault, FaultKind, FaultScript, Operation
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.server import create_app
from antom_refunds.simulator.simulator import AntomSimulator
from antom_refunds.views import RefundView
from antom_refunds.webhook import NotificationHandler
from antom_refunds.webhook import create_app as create_webhook
from workflows.registered import WORKFLOWS

KeyFiles = tuple[Path, Path]

CLIENT_ID: Final = "5X00000000000000"
WEBHOOK_PATH: Final = "/antom/refund-notify"
NOTIFY_URL: Final = f"http://127.0.0.1{WEBHOOK_PATH}"
AMOUNT: Final = Money(currency="EUR", minor=1250)
# Minutes become milliseconds.
FAST_POLICY: Final = Policy.at_speedup(1000)
# Only a test that hangs reaches this limit.
TEST_TIMEOUT: Final = timedelta(seconds=60)

# A workflow that imports what it should not fails every test that runs it.
_GUARDED: Final = SandboxRestrictions.default.with_import_notification_policy(
    SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
)


class ControlledTransport(httpx.AsyncBaseTransport):
    """The connection to Antom; it can be down, or hold calls back until they are released.

    `call_times` are the times of all calls, by Temporal's clock.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, now: Callable[[], Awaitable[datetime]]
    ) -> None:
        self._transport = transport
        self._now = now
        self.call_times: list[datetime] = []
        self._open = asyncio.Event()
        self._open.set()
        self.arrived = asyncio.Event()
        self.is_down = False
        self.error: Exception | None = None

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        if self.error is not None:
            raise self.error
        self.call_times.append(await self._now())
        self.arrived.set()
        await self._open.wait()
        return await self._transport.handle_async_request(request)


class OutcomeLog:
    """The outcomes that the webhook counted, in order."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, end: str) -> None:
        self.outcomes.append(end)
        self._changed.set()

    async def until(self, number: int) -> list[str]:
        """Wait for this number of outcomes and return them."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while len(self.outcomes) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.outcomes


@dataclass(kw_only=True)
class Harness:
    """The environment of refunds, and actions and observations on it."""

    env: WorkflowEnvironment
    policy: Policy
    simulator: AntomSimulator
    transport: ControlledTransport
    antom: AntomClient
    refunds: RefundClient
    notifications: NotificationDelivery
    webhook: Starlette
    outcomes: OutcomeLog
    started: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)

    @property
    def temporal(self) -> Temporal:
        return self.env.client

    def order(self, **changes: Any) -> RefundOrder:
        """An order with new ids; Antom does not know its payment yet."""
        own = uuid4().hex[:16]
        fields = {"refund_request_id": f"rf_{own}", "payment_id": f"pay_{own}", "amount": AMOUNT}
        return RefundOrder.from_fields({**fields, **changes})

    def add_payment(self, order: RefundOrder, **changes: Any) -> None:
        """Add the payment of this order; refunds of asynchronous ones end only when settled."""
        fields: Mapping[str, Any] = {
            "payment_id": order.payment_id,
            "client_id": CLIENT_ID,
            "amount": Money(currency=order.amount.currency, minor=10_000),
            "settle_after": timedelta(days=1000),
            **changes,
        }
        self.simulator.ledger.add_payment(Payment.model_validate(fields))

    def payable_order(self, *, is_async: bool = False, **changes: Any) -> RefundOrder:
        """An order with new ids, and its payment at Antom."""
        order = self.order(**changes)
        self.add_payment(order, is_async=is_async)
        return order

    def script(
        self, order: RefundOrder, operation: Operation, *faults: Fault | FaultKind | str
    ) -> None:
        """Plan faults for successive calls about this refund; a string is a result code."""
        self.simulator.fault_plan.add(
            FaultScript(
                subject=order.refund_request_id,
                operation=operation,
                faults=tuple(_fault(each) for each in faults),
            )
        )

    async def start(self, order: RefundOrder) -> RefundOrder:
        await self.refunds.start(order)
        self.started.append(order.refund_request_id)
        return order

    async def wait_for_outcome(self, order: RefundOrder) -> RefundOutcome:
        """Wait for the refund's outcome, skipping time where the server can."""
        async with self.time_skipping():
            outcome = await self.refunds.outcome(order.refund_request_id, wait=TEST_TIMEOUT)
        assert outcome is not None, await self.refunds.dossier(order.refund_request_id)
        return outcome

    @asynccontextmanager
    async def time_skipping(self) -> AsyncIterator[None]:
        """Skip time while inside, if the server supports it."""
        if not self.env.supports_time_skipping:
            yield
            return
        clock = self.temporal.test_service
        await clock.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            yield
        finally:
            await clock.lock_time_skipping(LockTimeSkippingRequest())

    async def start_in_flight(self, order: RefundOrder) -> None:
        """Start this refund; its call is held on the way to Antom until `transport.release()`."""
        self.transport.hold()
        await self.start(order)
        await self.transport.arrived.wait()

    async def view(self, order: RefundOrder) -> RefundView:
        return await self.refunds.describe(order.refund_request_id)

    async def until(
        self, order: RefundOrder, condition: Callable[[RefundView], bool]
    ) -> RefundView:
        """Wait until the refund's view meets this condition; Temporal has no event for it."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while not condition(view := await self.view(order)):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.005)
        return view

    async def until_overdue(self, order: RefundOrder) -> None:
        """Wait until the refund is overdue."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while not await self._is_overdue(order):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)

    async def _is_overdue(self, order: RefundOrder) -> bool:
        return (await self.refunds.dossier(order.refund_request_id)).refund.is_overdue

    async def until_pending(self, order: RefundOrder, call: str, why: str) -> None:
        """Wait until the last failure of this activity contains this text."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while why not in (await self._pending(order)).get(call, ""):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def until_waiting(self, order: RefundOrder) -> None:
        """Wait until the activity waits for its next attempt, so that no call is in flight."""
        at_rest = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while [each.state for each in await self._calls(order)] != [at_rest]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _pending(self, order: RefundOrder) -> Mapping[str, str]:
        calls = await self._calls(order)
        return {each.activity_type.name: each.last_failure.message for each in calls}

    async def _calls(self, order: RefundOrder) -> list[PendingActivityInfo]:
        described = await self.handle(order).describe()
        return list(described.raw_description.pending_activities)

    async def until_called(self, order: RefundOrder, kind: CallKind, *, times: int) -> None:
        """Wait until Antom has received this number of calls about this refund."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while self.calls(order, kind) < times:  # noqa: ASYNC110 - the journal has no event
                await asyncio.sleep(0.005)

    def settle(self, order: RefundOrder, ends: SettlementOutcome | None = None) -> None:
        """Settle the refund at Antom, which notifies if the order or the merchant has a URL."""
        refund = self.simulator.ledger.store.refund(CLIENT_ID, order.refund_request_id)
        assert refund is not None
        self.simulator.settlement.settle(refund, ends)

    def handle(self, order: RefundOrder) -> WorkflowHandle[Any, Any]:
        return self._handle(order.refund_request_id)

    async def history(self, order: RefundOrder) -> WorkflowHistory:
        return await self.handle(order).fetch_history()

    async def events(self, order: RefundOrder) -> int:
        return len((await self.history(order)).events)

    async def signals(self, order: RefundOrder) -> int:
        kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        return sum(event.event_type == kind for event in (await self.history(order)).events)

    def movements(self, order: RefundOrder) -> int:
        """The number of money movements of this refund."""
        return len(self.simulator.snapshot().movements_of(order.refund_request_id))

    def calls(self, order: RefundOrder, kind: CallKind) -> int:
        return self.simulator.snapshot().count(order.refund_request_id, kind)

    def payloads(self, order: RefundOrder) -> int:
        """The number of different refund requests that Antom received."""
        own = order.refund_request_id
        every = (
            each for each in self.simulator.snapshot().payloads if each.refund_request_id == own
        )
        return sum(len(each.digests) for each in every)

    async def post(self, body: bytes, headers: Mapping[str, str], path: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.webhook)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.post(path, content=body, headers=dict(headers))

    @asynccontextmanager
    async def running_worker(self, *, cached_workflows_max: int = 1000) -> AsyncIterator[None]:
        """Run a worker for both task queues while inside."""
        async with (
            self.workflow_worker(cached_workflows_max=cached_workflows_max),
            self.activity_worker({"default": self.antom}),
        ):
            yield

    def workflow_worker(self, *, cached_workflows_max: int = 1000) -> Worker:
        """A worker for the workflows only."""
        return Worker(
            self.temporal,
            task_queue=contract.REFUNDS_QUEUE,
            workflows=WORKFLOWS,
            activities=[CaseActivities(partial(report_case, self.temporal)).report_case],
            workflow_runner=SandboxedWorkflowRunner(restrictions=_GUARDED),
            max_cached_workflows=cached_workflows_max,
        )

    def activity_worker(
        self, clients: Mapping[str, AntomClient], *, grace: timedelta = timedelta(seconds=1)
    ) -> Worker:
        """A worker for the activities of these merchants."""
        calls = AntomActivities(EvidenceCalls(clients), self.policy)
        return Worker(
            self.temporal,
            task_queue=contract.ANTOM_QUEUE,
            activities=[calls.request_refund, calls.await_result, calls.inquire],
            graceful_shutdown_timeout=grace,
        )

    async def replay(self) -> None:
        """Replay the history of every started refund; raises if one is not deterministic."""
        replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)
        for own in self.started:
            await replayer.replay_workflow(await self._handle(own).fetch_history())

    async def clear(self) -> None:
        """Terminate all running refunds and cases, so that they do not affect the next test."""
        for own in self.started:
            handle = self._handle(own)
            if (await handle.describe()).close_time is None:
                await handle.terminate("the test is over")
        for own in {*self.started, *self.cases}:
            for kind in CaseKind:
                with suppress(RPCError):  # there is no such case
                    await self.case_handle(kind, own).terminate("the test is over")

    def case_handle(self, kind: CaseKind, refund_request_id: str) -> WorkflowHandle[Any, Case]:
        """The case of this kind about the refund."""
        return self.temporal.get_workflow_handle(
            f"case/default/{kind}/{refund_request_id}", result_type=Case
        )

    async def until_case(
        self, order: RefundOrder, kind: CaseKind, condition: Callable[[Case], bool] = bool
    ) -> Case:
        """Wait until the refund's case meets this condition; Temporal has no event for it."""
        cases, case_id = CaseClient(self.temporal), f"case/default/{kind}/{order.refund_request_id}"
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            while True:
                with suppress(CaseNotFoundError):
                    if condition(case := await cases.show(case_id)):
                        return case
                await asyncio.sleep(0.01)

    def _handle(self, refund_request_id: str) -> WorkflowHandle[Any, Any]:
        return self.temporal.get_workflow_handle(
            contract.workflow_id(refund_request_id, merchant="default")
        )


@asynccontextmanager
async def harness_on(
    env: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles, *, policy: Policy
) -> AsyncIterator[Harness]:
    """A harness on this server; it replays all histories at the end."""
    refunds = RefundClient(env.client, policy=policy)
    notifications = NotificationDelivery(env.client)
    outcomes = OutcomeLog()
    webhook = create_webhook(
        NotificationHandler(
            notifications=notifications, keys=notification_keys(antom_keys), count=outcomes
        ),
        path=WEBHOOK_PATH,
    )
    account = MerchantAccount(
        client_id=CLIENT_ID,
        keys=KeyRing(merchant_keys[0], [antom_keys[1]]),
        gateway="http://antom.test",
    )
    simulator = AntomSimulator(
        read_private_key(antom_keys[0]),
        speedup=1000,
        signs_gate_refusals=True,
        transport=httpx.ASGITransport(webhook),
    )
    transport = ControlledTransport(
        httpx.ASGITransport(create_app(simulator)), env.get_current_time
    )
    async with simulator, AntomClient(account, transport=transport) as antom:
        simulator.register(simulated_merchant(merchant_keys[1]))
        harness = Harness(
            env=env,
            policy=policy,
            simulator=simulator,
            transport=transport,
            antom=antom,
            refunds=refunds,
            notifications=notifications,
            webhook=webhook,
            outcomes=outcomes,
        )
        try:
            yield harness
            await harness.replay()
        finally:
            await harness.clear()


@contextmanager
def own_queues() -> Iterator[None]:
    """Use task queues of their own: a server may give a task to a worker that has just stopped."""
    own = uuid4().hex[:8]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contract, "REFUNDS_QUEUE", f"refunds-{own}")
        patch.setattr(contract, "ANTOM_QUEUE", f"antom-calls-{own}")
        yield


def simulated_merchant(public_key: Path) -> AntomMerchant:
    """The merchant at Antom, with this public key."""
    return AntomMerchant(client_id=CLIENT_ID, public_keys={"1": public_key.read_text()})


def notification_keys(antom_keys: KeyFiles, *more: Path) -> Mapping[str, NotificationKeys]:
    """Notification keys of the merchant: Antom's public key and more."""
    files = tuple(KeyFile(path, read_public_key) for path in (antom_keys[1], *more))
    return MappingProxyType({CLIENT_ID: NotificationKeys("default", files)})


def _fault(fault: Fault | FaultKind | str) -> Fault:
    match fault:
        case Fault():
            return fault
        case FaultKind():
            return Fault(kind=fault)
        case code:
            return Fault(kind=FaultKind.RESULT_CODE, code=code)
