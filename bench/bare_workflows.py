"""Minimal workflows to compare refunds with: `python -m bench.bare_workflows` is their worker.

It has the settings of the product's worker.
"""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

from antom_refunds import attributes
from antom_refunds.connection import connect
from antom_refunds.process import OK, exit_process
from antom_refunds.settings import Settings
from antom_refunds.telemetry import make_runtime
from worker import activity_worker, workflow_worker

CALLING: Final = "BareCalling"
LISTED: Final = "BareListed"
SIGNALLED: Final = "BareSignalled"
QUEUE: Final = "bare"
_CALLS_QUEUE: Final = "bare-calls"


@activity.defn(name="nothing")
async def nothing() -> str:
    """The activity of these workflows."""
    return "nothing"


@workflow.defn(name=CALLING)
class CallingWorkflow:
    """The minimal workflow with one activity."""

    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            nothing, task_queue=_CALLS_QUEUE, start_to_close_timeout=timedelta(seconds=30)
        )


@workflow.defn(name=LISTED)
class ListedWorkflow(CallingWorkflow):
    """The same; at its end it changes the search attributes that a refund changes."""

    @workflow.run
    async def run(self) -> str:
        result = await super().run()
        state, code = attributes.STATE, attributes.RESULT_CODE
        changes = [state.value_set("succeeded"), code.value_set("SUCCESS")]
        workflow.upsert_search_attributes(changes)
        return result


@workflow.defn(name=SIGNALLED)
class SignalledWorkflow:
    """Waits for a signal, and ends."""

    def __init__(self) -> None:
        self._is_signalled = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._is_signalled)

    @workflow.signal
    def finish(self) -> None:
        self._is_signalled = True


async def _work() -> None:
    """Until the process is killed."""
    settings = Settings.from_env()
    temporal = await connect(runtime=make_runtime(settings))
    workflows = [CallingWorkflow, ListedWorkflow, SignalledWorkflow]
    await asyncio.gather(
        workflow_worker(temporal, settings, QUEUE, workflows).run(),
        activity_worker(temporal, settings, _CALLS_QUEUE, [nothing]).run(),
    )


if __name__ == "__main__":
    asyncio.run(_work())
    exit_process(OK)
