"""The application process: `python -m bench.peers.dbos_app.app TOLD DATABASE_URL PORT`.

As in DBOS's own examples, the workflows run inside the web application that starts them.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dbos import DBOS, DBOSConfig, SetWorkflowID
from fastapi import FastAPI

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from bench.peers.common.calls import Calls
from bench.peers.common.door import serve
from bench.peers.common.told import read
from bench.peers.dbos_app.journal import write_ahead
from bench.peers.dbos_app.workflow import Refunds

ORDERS_PATH: Final = "/refunds"
_NAME: Final = "antom-refunds"


def create_app(refunds: Refunds) -> FastAPI:
    """Takes orders: acknowledged when DBOS has them, and equal ids are one workflow."""

    async def order_refund(order: RefundOrder) -> None:
        with SetWorkflowID(order.refund_request_id):
            await DBOS.start_workflow_async(refunds.refund, order)

    app = FastAPI(title="Refunds on DBOS", openapi_url=None)
    app.add_api_route(ORDERS_PATH, order_refund, methods=["POST"], status_code=202)
    return app


@asynccontextmanager
async def running(calls: Calls, policy: Policy, database_url: str) -> AsyncIterator[Refunds]:
    """DBOS runs while inside; what an earlier process left unfinished goes on."""
    config: DBOSConfig = {
        "name": _NAME,
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


async def main(told: Path, database_url: str, port: int) -> None:
    """Until SIGTERM."""
    write_ahead()
    antom = read(told)
    async with (
        Calls.at(antom) as calls,
        running(calls, Policy.at_pace(antom.pace), database_url) as refunds,
    ):
        await serve(create_app(refunds), port)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
