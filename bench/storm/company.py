"""The callers as processes: started, killed and started again by name."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, Process
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.storm.blows import caller_name
from bench.storm.callers import Note, notes_in
from bench.storm.schedule import Plan
from bench.storm.stage import ROOT, Theatre
from starter.stack import inherited_environment

_LAST_WORDS: Final = timedelta(seconds=5)


class Company:
    """All callers of one storm; `beginning` is the storm's, in seconds of the epoch."""

    def __init__(self, theatre: Theatre, plan: Plan, beginning: float) -> None:
        self._theatre = theatre
        self._beginning = beginning
        self._numbers = {caller_name(number): number for number in range(plan.shape.callers)}
        self._processes: dict[str, Process] = {}
        self._plan = theatre.home / "plan.json"
        self._plan.write_text(plan.model_dump_json())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    async def start(self, name: str) -> None:
        with (self._theatre.home / "logs" / f"{name}.log").open("ab") as output:
            self._processes[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.storm.callers",
                str(self._plan), str(self._numbers[name]), str(self._beginning),
                str(self._notes_of(name)),
                stdin=DEVNULL, stdout=output, stderr=output, cwd=ROOT, start_new_session=True,
                env={**inherited_environment(), **self._theatre.environment_of(name)},
            )  # fmt: skip

    async def kill(self, name: str) -> None:
        """SIGKILL, between whatever it asked and whatever it would have read."""
        process = self._processes[name]
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def finish(self) -> None:
        """Let the callers read the last ends, then end those that still wait."""
        waiting = [asyncio.create_task(each.wait()) for each in self._processes.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=_LAST_WORDS.total_seconds())
        for name in self._processes:
            await self.kill(name)
        await asyncio.gather(*waiting)

    def notes(self) -> list[Note]:
        """What all callers learnt."""
        return [note for name in self._numbers for note in notes_in(self._notes_of(name))]

    def _notes_of(self, name: str) -> Path:
        return self._theatre.home / f"{name}.jsonl"
