"""Where costs are counted: a Temporal, real or skipping time, and an Antom in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives import serialization
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.attributes import KEYS
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.namespace import register_attributes
from antom_refunds.simulator import accounts
from antom_refunds.simulator.app import create_app
from antom_refunds.simulator.plans import Script
from antom_refunds.simulator.world import World
from bench.cost.ways import Way
from starter.keys import write_pair
from starter.server import temporal_cli

_CLIENT_ID: Final = "SANDBOX_5X00000000000000"
_AMOUNT: Final = Money(currency="EUR", minor=1250)


@dataclass(frozen=True, slots=True)
class Server:
    """A Temporal; while inside of `skipping`, weeks may pass as soon as nothing happens."""

    temporal: Client
    skipping: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


@asynccontextmanager
async def real_server() -> AsyncIterator[Server]:
    """A real development server."""
    starting = WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(),
        dev_server_log_level="never",
        data_converter=pydantic_data_converter,
        search_attributes=list(KEYS),
    )
    async with await starting as environment:
        yield Server(environment.client)


@asynccontextmanager
async def hasty_server() -> AsyncIterator[Server]:
    """One that skips time: for one refund, since nobody knows when it is afterwards."""
    starting = WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(Path(temporal_cli()).with_name("temporal-test-server")),
        data_converter=pydantic_data_converter,
    )
    async with await starting as environment:
        await register_attributes(environment.client)
        # Known to the environment that start_time_skipping really makes, and not to its base.
        yield Server(environment.client, environment.time_skipping_unlocked)  # type: ignore[attr-defined]


def write_keys(home: Path) -> None:
    """The merchant's and Antom's."""
    write_pair(home, "merchant")
    write_pair(home, "antom")


@asynccontextmanager
async def antom_in(home: Path) -> AsyncIterator[tuple[World, AntomClient]]:
    """A fresh Antom that knows the merchant, and the way to it."""
    async with World(read_private_key(home / "antom-private.pem")) as world:
        public = {"1": _pem(home / "merchant-public.pem")}
        world.register(accounts.Client(client_id=_CLIENT_ID, public_keys=public))
        account = Account(
            client_id=_CLIENT_ID,
            keys=KeyRing(home / "merchant-private.pem", [home / "antom-public.pem"]),
            gateway="http://antom",
            is_sandbox=True,
        )
        async with AntomClient(account, transport=httpx.ASGITransport(create_app(world))) as client:
            yield world, client


def prepared(world: World, way: Way, number: int) -> RefundOrder:
    """The refund to drive; Antom will play this way with it."""
    order = RefundOrder(refund_request_id=f"cost-{number}", payment_id="pay-1", amount=_AMOUNT)
    payment = {"payment_id": order.payment_id, "client_id": _CLIENT_ID, "amount": _AMOUNT}
    world.ledger.add_payment(accounts.Payment.model_validate({**payment, **way.payment}))
    for operation, faults in way.faults.items():
        subject = order.refund_request_id
        world.faults.follow(Script(subject=subject, operation=operation, faults=faults))
    return order


def _pem(path: Path) -> str:
    return (
        read_public_key(path)
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
