"""The bare workflow's worker process, as the product's is: `python -m bench.latency.worker`."""

import asyncio

from antom_refunds.connection import connect
from antom_refunds.process import OK, leave
from antom_refunds.settings import Settings
from antom_refunds.telemetry import runtime_of
from bench.latency.bare import QUEUE, BareWordWorkflow
from worker import workflow_worker


async def main() -> int:
    """Until it is killed."""
    settings = Settings.read()
    temporal = await connect(runtime=runtime_of(settings))
    await workflow_worker(temporal, settings, QUEUE, [BareWordWorkflow]).run()
    return OK


if __name__ == "__main__":
    leave(asyncio.run(main()))
