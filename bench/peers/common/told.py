"""What a competitor's processes are told: one JSON file, named on their command line."""

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from bench.peers.peer import Antom

_FORM: Final = TypeAdapter(Antom)


def write(antom: Antom, path: Path) -> None:
    """Put it down for the processes that will be started."""
    path.write_bytes(_FORM.dump_json(antom, indent=1))


def read(path: Path) -> Antom:
    """Raises OSError or ValidationError."""
    return _FORM.validate_json(path.read_bytes())
