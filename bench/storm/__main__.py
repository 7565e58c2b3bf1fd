"""`python -m bench.storm`: see --help and docs/storm.md."""

import asyncio
from pathlib import Path
from random import SystemRandom
from typing import Final, Literal

from cyclopts import App
from rich.console import Console

from antom_refunds.process import FAILED, OK, complain, leave
from antom_refunds.settings import SettingsError
from bench.storm.board import show
from bench.storm.picture import draw
from bench.storm.schedule import drawn
from bench.storm.shape import SHAPES
from bench.storm.storm import Storm, weathered

_FOLDER: Final = Path(".storm")
_SEEDS: Final = 1_000_000
_WIDTH: Final = 120

app = App(name="storm", help="Break everything on purpose, and count what was lost: nothing.")


@app.default
def storm(
    size: Literal["short", "usual", "long"] = "usual",
    *,
    seed: int | None = None,
    json: Path | None = None,
    picture: Path | None = None,
    folder: Path = _FOLDER,
) -> int:
    """Play one storm and judge it; exits 0 only if every invariant is 0.

    Parameters
    ----------
    size
        short: a minute; usual: three; long: half an hour.
    seed
        The schedule of all faults follows from it; a new one each time if not given.
    json
        Where the verdict is written besides the screen.
    picture
        Where the timeline is drawn; needs matplotlib.
    folder
        Logs, keys and Temporal's database of the last storm stand in it.
    """
    console = Console(width=_WIDTH)
    chosen = SystemRandom().randrange(_SEEDS) if seed is None else seed
    console.print(f"storm {size}, seed {chosen}: repeat it with --seed {chosen}")
    try:
        found = asyncio.run(_told(size, chosen, folder, console))
    except SettingsError as error:
        complain(error)
        return FAILED
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(found.verdict.model_dump_json(indent=2) + "\n")
    if picture is not None:
        console.print(draw(found, picture))
    return OK if found.verdict.holds else FAILED


async def _told(size: str, seed: int, folder: Path, console: Console) -> Storm:
    found = await weathered(
        drawn(SHAPES[size], seed),
        folder / "stack",
        say=lambda text: console.print(text, highlight=False),
    )
    show(found.verdict, console)
    return found


if __name__ == "__main__":
    leave(app(result_action="return_value") or OK)
