"""The callers as processes: started, killed and started again by name."""

import asyncio
from asyncio.subprocess import Process
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.environment import spawn_module
from proofs.storm.caller import CallerRecord, records_in
from proofs.storm.environment import StormStack
from proofs.storm.process_faults import caller_names
from proofs.storm.schedule import Plan

_FINISH_LIMIT: Final = timedelta(seconds=5)


class CallerPool:
    """All callers of one storm; `started_at` is the storm's start, in seconds of the epoch."""

    def __init__(self, stack: StormStack, plan: Plan, started_at: float) -> None:
        self._stack = stack
        self._started_at = started_at
        self._processes: dict[str, Process] = {}
        self._plan = stack.home / "plan.json"
        self._plan.write_text(plan.model_dump_json())
        self.names = caller_names(plan.size)

    async def start(self, name: str) -> None:
        self._processes[name] = await spawn_module(
            self._stack, name, "proofs.storm.caller",
            self._plan, self.names.index(name), self._started_at, self._records_of(name),
        )  # fmt: skip

    async def kill(self, name: str) -> None:
        """SIGKILL, between its requests and its reads."""
        process = self._processes[name]
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def finish(self) -> None:
        """Gives callers time to read the last outcomes, then kills callers that still wait."""
        waiting = [asyncio.create_task(each.wait()) for each in self._processes.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=_FINISH_LIMIT.total_seconds())
        for name in self._processes:
            await self.kill(name)
        await asyncio.gather(*waiting)

    def records(self) -> list[CallerRecord]:
        """What all callers recorded so far."""
        return [each for name in self.names for each in records_in(self._records_of(name))]

    def _records_of(self, name: str) -> Path:
        return self._stack.home / f"{name}.jsonl"
