"""The floor: the least that a workflow with one activity can be, run by the worker's settings.

And one step above it: the same with what lets operators find a refund.
"""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

from antom_refunds import attributes
from antom_refunds.connection import connect
from antom_refunds.process import OK, leave
from antom_refunds.settings import Settings
from worker import call_worker, workflow_worker

WORKFLOW: Final = "Floor"
LISTED: Final = "FloorListed"
QUEUE: Final = "floor"
_CALLS_QUEUE: Final = "floor-calls"


@activity.defn(name="nothing")
async def nothing() -> str:
    """What the floor's workflow asks of the world."""
    return "nothing"


@workflow.defn(name=WORKFLOW)
class FloorWorkflow:
    """The least that a workflow with one activity can be."""

    @workflow.run
    async def run(self) -> str:
        return await _nothing()


@workflow.defn(name=LISTED)
class ListedWorkflow:
    """The same, and at its end it changes what operators list and count refunds by."""

    @workflow.run
    async def run(self) -> str:
        said = await _nothing()
        ends = [
            attributes.STATE.value_set("succeeded"),
            attributes.RESULT_CODE.value_set("SUCCESS"),
        ]
        workflow.upsert_search_attributes(ends)
        return said


async def _nothing() -> str:
    return await workflow.execute_activity(
        nothing, task_queue=_CALLS_QUEUE, start_to_close_timeout=timedelta(seconds=30)
    )


async def _work() -> None:
    """The floor's worker process: until it is killed."""
    settings = Settings.read()
    temporal = await connect()
    await asyncio.gather(
        workflow_worker(temporal, settings, QUEUE, [FloorWorkflow, ListedWorkflow]).run(),
        call_worker(temporal, settings, _CALLS_QUEUE, [nothing]).run(),
    )


if __name__ == "__main__":
    asyncio.run(_work())
    leave(OK)
