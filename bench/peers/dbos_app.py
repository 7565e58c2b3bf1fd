"""The refund on DBOS: `python -m bench.peers.dbos_app app|webhook DATABASE_URL`.

As in DBOS's own examples, the workflows run inside the web application that starts them.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSConfiguredInstance, SetWorkflowID
from fastapi import FastAPI
from sqlalchemy import Engine as Database
from sqlalchemy import event

from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import Refund, Step
from antom_refunds.merchants import build_clients
from antom_refunds.settings import Settings
from bench.peers.antom_calls import AntomCalls, PollingState
from bench.peers.engine import End
from bench.peers.webhook import create_webhook, serve

ORDERS_PATH: Final = "/refunds"
NOTIFICATIONS: Final = "notifications"
# Recovery finds the instance by this name.
_INSTANCE: Final = "refunds"


@DBOS.dbos_class()
class Refunds(DBOSConfiguredInstance):
    """Each call is a step, each wait a `recv` with a timeout, which is durable."""

    def __init__(self, calls: AntomCalls, policy: Policy) -> None:
        self._calls = calls
        self._policy = policy
        super().__init__(config_name=_INSTANCE)

    @DBOS.workflow()
    async def refund(self, order: RefundOrder) -> End:
        """One refund until it is final. The output is recorded once, so the clock does no harm."""
        state = PollingState(Refund(order=order))
        while state.step is not None:
            state = await self._next(state)
        return End(state.refund.state, datetime.now(UTC))

    @DBOS.step()
    async def ask(self, order: RefundOrder) -> Evidence:
        """The refund call; repeated with the same id and bytes if this process dies meanwhile."""
        return await self._calls.ask(order)

    @DBOS.step()
    async def inquire(self, refund: Refund) -> Evidence:
        """The inquiry."""
        return await self._calls.inquire(refund)

    async def _next(self, state: PollingState) -> PollingState:
        """After the next notification or the next call, whichever comes first."""
        wait = state.wait(self._policy)
        if wait:
            evidence = await DBOS.recv_async(NOTIFICATIONS, timeout_seconds=wait.total_seconds())
            if evidence is not None:
                return state.after(evidence)
        is_ask = state.step is Step.SEND
        call = self.ask(state.refund.order) if is_ask else self.inquire(state.refund)
        return state.after(await call, waited=wait)


def create_app(refunds: Refunds) -> FastAPI:
    """Takes orders: acknowledged when DBOS has them; equal ids are one workflow."""

    async def order_refund(order: RefundOrder) -> None:
        with SetWorkflowID(order.refund_request_id):
            await DBOS.start_workflow_async(refunds.refund, order)

    app = FastAPI(title="Refunds on DBOS", openapi_url=None)
    app.add_api_route(ORDERS_PATH, order_refund, methods=["POST"], status_code=202)
    return app


@asynccontextmanager
async def running(calls: AntomCalls, policy: Policy, database_url: str) -> AsyncIterator[Refunds]:
    """DBOS while inside; unfinished workflows of an earlier process continue."""
    config: DBOSConfig = {
        "name": "antom-refunds",
        "system_database_url": database_url,
        "console_log_level": "WARNING",
    }
    DBOS(config=config)
    refunds = Refunds(calls, policy)
    DBOS.launch()
    try:
        yield refunds
    finally:
        DBOS.destroy()


def use_write_ahead_log() -> None:
    """For every SQLite connection of this process, as Temporal's server has it here.

    Commits then survive every SIGKILL but not a loss of power, for both engines. DBOS has no
    setting for it; this is SQLAlchemy's way to set pragmas.
    """

    def set_pragmas(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Database, "connect", set_pragmas)


async def run_app(settings: Settings, database_url: str) -> None:
    """Until SIGTERM."""
    assert settings.health_listen is not None  # noqa: S101 - the stack always sets it
    async with (
        build_clients(settings)["default"] as antom,
        running(AntomCalls(antom), settings.policy, database_url) as refunds,
    ):
        await serve(create_app(refunds), settings.health_listen)


async def run_webhook(settings: Settings, database_url: str) -> None:
    """Until SIGTERM."""
    # Without a database Antom gets 503 immediately instead of waiting for it.
    client = DBOSClient(system_database_url=database_url, retry_connection_errors=False)

    async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
        await client.send_async(
            refund_request_id, evidence, NOTIFICATIONS, idempotency_key=delivery_id
        )

    try:
        await serve(create_webhook(settings, deliver), settings.webhook_listen)
    finally:
        client.destroy()


if __name__ == "__main__":
    _, role, its_database_url = sys.argv
    use_write_ahead_log()
    run = run_app if role == "app" else run_webhook
    asyncio.run(run(Settings.from_env(), its_database_url))
