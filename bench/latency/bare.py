"""The least that a workflow which waits for a word can be."""

from typing import Final

from temporalio import workflow

QUEUE: Final = "bare-word"
WORKFLOW: Final = "BareWord"
SIGNAL: Final = "word"


@workflow.defn(name=WORKFLOW)
class BareWordWorkflow:
    """Waits for a signal, and ends."""

    def __init__(self) -> None:
        self._is_told = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._is_told)

    @workflow.signal(name=SIGNAL)
    def word(self) -> None:
        self._is_told = True
