"""What a refund costs: history events and billable actions on each path, counted, not claimed.

Runs on a real development server; ways that take weeks run on the time-skipping one. Billable
actions follow Temporal's own rules: the start, each scheduled activity and each
retry of one, each signal, each upsert (docs/architecture.md#one-refund).
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.antom import AntomActivities
from antom_refunds import contract
from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import read_private_key, read_public_key
from antom_refunds.attributes import KEYS
from antom_refunds.client import RefundClient
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import State
from antom_refunds.namespace import register_attributes
from antom_refunds.process import FAILED, OK, leave
from antom_refunds.simulator.accounts import Client, Payment
from antom_refunds.simulator.app import create_app
from antom_refunds.simulator.faults import Fault, FaultKind, Operation
from antom_refunds.simulator.plans import Script
from antom_refunds.simulator.world import World
from starter.keys import write_pair
from starter.server import temporal_cli
from workflows import WORKFLOWS

_CLIENT_ID: Final = "SANDBOX_5X00000000000000"
_AMOUNT: Final = Money(currency="EUR", minor=1250)
_LOST: Final = (Fault(kind=FaultKind.LOST),) * 8
_ALL_THE_TIME: Final = timedelta(days=1000)
_PATIENT: Final = Policy(overdue_after=_ALL_THE_TIME)
_QUICK: Final = Policy(overdue_after=_ALL_THE_TIME, pace=600)
_MAX_EVENTS: Final = {"at once": 13, "by notification": 20, "by the 200th inquiry": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way that a refund can take."""

    name: str
    payment: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[Operation, tuple[Fault, ...]] = field(default_factory=dict)
    is_notified: bool = False
    takes_weeks: bool = False
    policy: Policy = _QUICK


def _polled(times: int) -> Mapping[Operation, tuple[Fault, ...]]:
    stale = (Fault(kind=FaultKind.STALE),) * (times - 1)
    return {Operation.NOTIFY: _LOST, Operation.INQUIRY: stale}


_BANK: Final = {"is_async": True, "settle_after": timedelta()}
_SLOW: Final = {"is_async": True, "settle_after": timedelta(days=1)}
WAYS: Final = (
    Way(name="at once"),
    Way(name="by notification", payment=_SLOW, is_notified=True),
    Way(name="by the first inquiry", payment=_BANK, faults={Operation.NOTIFY: _LOST}),
    Way(
        name="by the 200th inquiry",
        payment=_BANK,
        faults=_polled(200),
        takes_weeks=True,
        policy=_PATIENT,
    ),
    Way(
        name="by the 200th inquiry, overdue",
        payment=_BANK,
        faults=_polled(200),
        takes_weeks=True,
        policy=Policy(),
    ),
    Way(
        name="three answers lost, then at once",
        faults={Operation.REFUND: (Fault(kind=FaultKind.CUT_AFTER),) * 3},
    ),
    Way(
        name="no such refund at first, then found",
        payment=_BANK,
        faults={Operation.NOTIFY: _LOST, Operation.INQUIRY: (Fault(kind=FaultKind.ABSENT),)},
    ),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one path came to."""

    way: str
    events: int
    actions: int
    calls: int
    outcome: str


async def measure(way: Way, number: int, environment: WorkflowEnvironment, home: Path) -> Cost:
    """Drive one refund along this way and count."""
    async with _stage(way, environment, home) as (refunds, world):
        order = RefundOrder(
            refund_request_id=f"cost-{number}", payment_id=f"pay-{number}", amount=_AMOUNT
        )
        payment = {"payment_id": order.payment_id, "client_id": _CLIENT_ID, "amount": _AMOUNT}
        world.ledger.add_payment(Payment.model_validate({**payment, **way.payment}))
        for operation, faults in way.faults.items():
            subject = order.refund_request_id
            world.faults.follow(Script(subject=subject, operation=operation, faults=faults))
        await refunds.start(order)
        if way.is_notified:
            await _accepted(refunds, order)
            await refunds.notify(order.refund_request_id, _notice(order), delivery_id="one")
        async with _skipping(environment) if way.takes_weeks else nullcontext():
            outcome = await refunds.outcome(order.refund_request_id)
        return await _counted(way, order, environment, world, outcome)


def _skipping(environment: WorkflowEnvironment) -> AbstractAsyncContextManager[None]:
    # Known to the environment that start_time_skipping really makes, and not to its base.
    skipping: AbstractAsyncContextManager[None] = environment.time_skipping_unlocked()  # type: ignore[attr-defined]
    return skipping


async def _counted(
    way: Way,
    order: RefundOrder,
    environment: WorkflowEnvironment,
    world: World,
    outcome: contract.RefundOutcome | None,
) -> Cost:
    handle = environment.client.get_workflow_handle(
        contract.workflow_id(order.refund_request_id, merchant=order.merchant)
    )
    events = [event async for event in handle.fetch_history_events()]
    billed = {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    }
    retries = sum(
        event.activity_task_started_event_attributes.attempt - 1
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    )
    return Cost(
        way.name,
        len(events),
        sum(event.event_type in billed for event in events) + retries,
        sum(calls.count for calls in world.view().calls),
        str(outcome.state) if outcome else "no end",
    )


async def _accepted(refunds: RefundClient, order: RefundOrder) -> None:
    while (await refunds.dossier(order.refund_request_id)).refund.state is State.REQUESTED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def _notice(order: RefundOrder) -> Evidence:
    return Evidence(
        source=Source.NOTICE,
        word=Word.SUCCEEDED,
        code="SUCCESS",
        refund_request_id=order.refund_request_id,
        amount=order.amount,
    )


@asynccontextmanager
async def _stage(
    way: Way, environment: WorkflowEnvironment, home: Path
) -> AsyncIterator[tuple[RefundClient, World]]:
    """A fresh Antom, and a worker whose waits are this way's."""
    async with World(read_private_key(home / "antom-private.pem")) as world:
        public = {"1": _pem(home / "merchant-public.pem")}
        world.register(Client(client_id=_CLIENT_ID, public_keys=public))
        account = Account(
            client_id=_CLIENT_ID,
            keys=KeyRing(home / "merchant-private.pem", [home / "antom-public.pem"]),
            gateway="http://antom",
            is_sandbox=True,
        )
        transport = httpx.ASGITransport(create_app(world))
        async with AntomClient(account, transport=transport) as client:
            calls = AntomActivities({"default": client}, way.policy)
            refunds_worker = Worker(
                environment.client, task_queue=contract.REFUNDS_QUEUE, workflows=WORKFLOWS
            )
            calls_worker = Worker(
                environment.client,
                task_queue=contract.ANTOM_QUEUE,
                activities=[calls.request_refund, calls.await_result, calls.inquire],
            )
            async with refunds_worker, calls_worker:
                yield RefundClient(environment.client, policy=way.policy), world


def _pem(path: Path) -> str:
    return (
        read_public_key(path)
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@asynccontextmanager
async def _server(*, takes_weeks: bool) -> AsyncIterator[WorkflowEnvironment]:
    if takes_weeks:
        starting = WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(Path(temporal_cli()).with_name("temporal-test-server")),
            data_converter=pydantic_data_converter,
        )
    else:
        starting = WorkflowEnvironment.start_local(
            dev_server_existing_path=temporal_cli(),
            dev_server_log_level="error",
            data_converter=pydantic_data_converter,
            search_attributes=list(KEYS),
        )
    async with await starting as environment:
        if takes_weeks:
            await register_attributes(environment.client)
        yield environment


async def main() -> int:
    """Print the table; 1 if a way costs more than it may."""
    table = Table("way", "history events", "may be", "billable actions", "calls to Antom", "end")
    is_within = True
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_pair(home, "merchant")
        write_pair(home, "antom")
        for number, way in enumerate(WAYS):
            async with _server(takes_weeks=way.takes_weeks) as environment:
                cost = await measure(way, number, environment, home)
            limit = _MAX_EVENTS.get(cost.way)
            is_within &= limit is None or cost.events <= limit
            numbers = (cost.events, limit or "", cost.actions, cost.calls)
            table.add_row(cost.way, *map(str, numbers), cost.outcome)
    Console(width=120).print(table)
    return OK if is_within else FAILED


if __name__ == "__main__":
    leave(asyncio.run(main()))
