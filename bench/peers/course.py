"""The course that every competitor runs: an Antom of its own that knows the job, and a clock."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from antom_refunds.simulator.records import LedgerView
from bench.books import cpu_seconds
from bench.peers import gateway
from bench.peers.asking import Asker, ends_of
from bench.peers.gateway import Gateway
from bench.peers.peer import End, Peer
from bench.peers.roster import Entrant
from bench.peers.script import Job, warm_up
from bench.spread import Spread

ASKER: Final = "asker"
SIMULATOR: Final = "simulator"
GLANCE: Final = timedelta(seconds=1)
_LOG: Final = "-wal"
_WARM_GLANCE: Final = timedelta(seconds=0.2)
_WARM_LIMIT: Final = timedelta(seconds=30)
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Course:
    """A competitor that is running, and the Antom that it talks to."""

    peer: Peer
    antom: Gateway
    home: Path

    async def until_ended(self, ids: Iterable[str], *, glance: timedelta = GLANCE) -> None:
        """Until all of these have ended; whoever calls this sets the bound."""
        awaited = frozenset(ids)
        while not await self.have_ended(awaited):  # noqa: ASYNC110 - other processes have no event
            await asyncio.sleep(glance.total_seconds())

    async def have_ended(self, ids: frozenset[str]) -> bool:
        """Whether all of these have, as far as the engine says."""
        return ids <= (await ends_of(self.peer)).keys()

    def stored_bytes(self) -> int:
        """What is kept for good: SQLite's logs are first folded into their databases."""
        for log in self.home.rglob(f"*{_LOG}"):
            with closing(sqlite3.connect(str(log).removesuffix(_LOG), timeout=10)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.peer.stored_bytes()

    def cpu_seconds(self) -> dict[str, float]:
        """By part so far, the simulator's and the asker's own too."""
        parts = {**self.peer.pids(), SIMULATOR: self.antom.pid}
        return {ASKER: time.process_time()} | {name: _spent(pid) for name, pid in parts.items()}


@asynccontextmanager
async def entered(entrant: Entrant, job: Job) -> AsyncIterator[Course]:
    """The competitor runs while inside, a little warmed up, with its files in a fresh folder.

    Raises SettingsError if something does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with gateway.standing(Path(folder) / "antom") as antom:
            home = Path(folder) / "peer"
            home.mkdir()
            peer = entrant.make(home, antom.antom)
            try:
                await peer.start()
                course = Course(peer, antom, home)
                await _warm(course)
                await antom.learn(job)
                yield course
            finally:
                await peer.stop()


async def _warm(course: Course) -> None:
    job = warm_up()
    await course.antom.learn(job)
    async with asyncio.timeout(_WARM_LIMIT.total_seconds()):
        asker = Asker(course.peer)
        await asker.flood(job.orders, at_once=len(job.orders))
        await course.until_ended(asker.asked, glance=_WARM_GLANCE)


def _spent(pid: int) -> float:
    """Again if a thread or a child ended while its book was being read."""
    for _ in range(_TRIES):
        try:
            return cpu_seconds(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return cpu_seconds(pid)


def believed(ends: Mapping[str, End], ledger: LedgerView) -> tuple[Mapping[str, End], int]:
    """The ends, none before Antom's own word; and how many the engine had dated before it.

    An engine that keeps whole seconds would otherwise seem to end refunds before they began.
    """
    words = {each.refund_request_id: each.ended_at for each in ledger.refunds if each.ended_at}
    early = {each for each, end in ends.items() if each in words and end.at < words[each]}
    return {
        each: replace(end, at=words[each]) if each in early else end for each, end in ends.items()
    }, len(early)


def lasted(asker: Asker, ends: Mapping[str, End], ids: Iterable[str]) -> Spread:
    """Seconds from asking to the end, of those that ended."""
    both = (each for each in ids if each in ends and each in asker.asked)
    return Spread.of((ends[each].at - asker.asked[each]).total_seconds() for each in both)
