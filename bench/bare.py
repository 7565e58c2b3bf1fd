"""The floor: the least that a workflow with one activity can be."""

from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

QUEUE: Final = "floor"
CALLS_QUEUE: Final = "floor-calls"


@activity.defn(name="nothing")
async def nothing() -> str:
    """What the floor's workflow asks of the world."""
    return "nothing"


@workflow.defn(name="Floor")
class FloorWorkflow:
    """The least that a workflow with one activity can be."""

    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            nothing, task_queue=CALLS_QUEUE, start_to_close_timeout=timedelta(seconds=30)
        )
