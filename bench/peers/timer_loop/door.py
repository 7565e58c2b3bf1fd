"""The timer loop's door process: `python -m bench.peers.timer_loop.door`."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.connection import connect
from antom_refunds.domain.evidence import Evidence
from antom_refunds.process import OK, leave
from antom_refunds.settings import Settings
from antom_refunds.telemetry import runtime_of, set_up_logging
from bench.peers.common.door import Deliver, create_door, serve
from bench.peers.timer_loop.workflow import TimerLoopRefund


def delivering(client: Client) -> Deliver:
    """To the refund as a signal."""

    async def deliver(refund_request_id: str, evidence: Evidence, _: str) -> None:
        handle = client.get_workflow_handle(refund_request_id)
        try:
            await handle.signal(TimerLoopRefund.notify, evidence)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # It has ended before; for a refund that nobody knows this raises NOT_FOUND again.
            await handle.describe()

    return deliver


async def main() -> int:
    """Until SIGTERM."""
    settings = Settings.read()
    set_up_logging(settings)
    client = await connect(is_lazy=True, runtime=runtime_of(settings))
    key = settings.merchants["default"].antom_public_key_files[0]
    app = create_door(key, settings.webhook_path, delivering(client))
    await serve(app, settings.webhook_listen.port)
    return OK


if __name__ == "__main__":
    leave(asyncio.run(main()))
