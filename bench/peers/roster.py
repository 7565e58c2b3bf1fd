"""Who competes. Each engine's library is imported when its turn comes: not everybody has it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.ours import OurPeer
from bench.peers.peer import Antom, Peer


@dataclass(frozen=True, slots=True)
class Entrant:
    """One engine with its settings; `make` raises ImportError where its library is missing."""

    key: str
    title: str
    make: Callable[[Path, Antom], Peer]


def _timer_loop(folder: Path, antom: Antom) -> Peer:
    from bench.peers.timer_loop.peer import TimerLoopPeer  # noqa: PLC0415 - see above

    return TimerLoopPeer(folder, antom)


def _dbos_sqlite(folder: Path, antom: Antom) -> Peer:
    from bench.peers.dbos_app.peer import DbosPeer  # noqa: PLC0415 - see above

    return DbosPeer(folder, antom, database="sqlite")


def _dbos_postgresql(folder: Path, antom: Antom) -> Peer:
    from bench.peers.dbos_app.peer import DbosPeer  # noqa: PLC0415 - see above

    return DbosPeer(folder, antom, database="postgresql")


def _restate(folder: Path, antom: Antom) -> Peer:
    from bench.peers.restate_app.peer import RestatePeer  # noqa: PLC0415 - see above

    return RestatePeer(folder, antom)


OURS: Final = "ours"
ENTRANTS: Final = (
    Entrant(OURS, "antom-refunds", OurPeer),
    Entrant("timer_loop", "Temporal timer loop", _timer_loop),
    Entrant("dbos_sqlite", "DBOS on SQLite", _dbos_sqlite),
    Entrant("dbos_postgresql", "DBOS on PostgreSQL", _dbos_postgresql),
    Entrant("restate", "Restate", _restate),
)
