"""All engines, ours first. Their libraries are imported only when their turn comes."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from bench.peers.engine import AntomConfig, Engine

OURS: Final = "ours"
TITLES: Final = {
    OURS: "antom-refunds",
    "timer_loop": "Temporal timer loop",
    "dbos_sqlite": "DBOS on SQLite",
    "dbos_postgresql": "DBOS on PostgreSQL",
    "restate": "Restate",
}
_CLASSES: Final = {
    OURS: ("temporal", "OurEngine"),
    "timer_loop": ("temporal", "TimerLoopEngine"),
    "dbos_sqlite": ("dbos_engine", "DbosEngine"),
    "dbos_postgresql": ("dbos_engine", "DbosPostgresqlEngine"),
    "restate": ("restate_engine", "RestateEngine"),
}


def make_engine(key: str, folder: Path, antom: AntomConfig) -> Engine:
    """Raises ImportError where its library is missing, SettingsError where its server is."""
    module, name = _CLASSES[key]
    make: Callable[[Path, AntomConfig], Engine]
    make = getattr(import_module(f"bench.peers.{module}"), name)
    return make(folder, antom)
