"""`python -m scripts.mutants`: how many small faults in the code the tests notice."""

import argparse
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from scripts.mutants.areas import AREAS, Area, accepted
from scripts.mutants.changes import Change
from scripts.mutants.report import Tried, is_enough, table, unnoticed
from scripts.mutants.trial import BrokenTrialError, copy_of, try_change, try_unchanged

ROOT: Final = Path(__file__).parent.parent.parent
_UNCHANGED_SECONDS_MAX: Final = 900.0


def main(arguments: Sequence[str]) -> int:
    """Prints what was found; 0 if the tests notice enough, 1 if not, 2 if they cannot judge."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*AREAS, []], help="areas; all if none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40, help="changes of each area; 0: all")
    parser.add_argument("--seconds", type=float, default=7200, help="no change begins later")
    parser.add_argument("--jobs", type=int, default=2, help="changes tried at the same time")
    given = parser.parse_args(arguments)
    try:
        tried = _try_all({name: AREAS[name] for name in given.only or AREAS}, given)
    except BrokenTrialError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    print(unnoticed(tried))
    print(table(tried))
    return 0 if is_enough(tried) else 1


def _try_all(areas: Mapping[str, Area], given: Namespace) -> list[Tried]:
    """Each change in whichever copy of the project is free."""
    ends_at, reasons = time.monotonic() + given.seconds, accepted()
    copies: SimpleQueue[Path] = SimpleQueue()

    def try_one(job: tuple[str, Change]) -> Tried | None:
        name, change = job
        if time.monotonic() > ends_at:
            return None
        copy = copies.get()
        try:
            verdict = try_change(copy, change, areas[name].tests, limit=limits[name])
        finally:
            copies.put(copy)
        print(f"{verdict:<9}  {change.file}:{change.line}  {change.key[2]}"[:160], flush=True)
        return Tried(area=name, change=change, verdict=verdict, reason=reasons.get(change.key))

    with ExitStack() as stack:
        folders = [stack.enter_context(copy_of(ROOT)) for _ in range(given.jobs)]
        limits = {name: _limit(folders[0], area) for name, area in areas.items()}
        for folder in folders:
            copies.put(folder)
        with ThreadPoolExecutor(given.jobs) as pool:
            return [each for each in pool.map(try_one, _draw(areas, given)) if each]


def _limit(copy: Path, area: Area) -> float:
    """How long one change may take: three times what the unchanged code takes."""
    return 20 + 3 * try_unchanged(copy, area.tests, limit=_UNCHANGED_SECONDS_MAX)


def _draw(areas: Mapping[str, Area], given: Namespace) -> Iterator[tuple[str, Change]]:
    """The same ones for the same seed, whatever else the code says; of all areas in turn."""
    drawn = []
    for name, area in areas.items():
        changes = sorted(area.changes(ROOT), key=lambda each: _rank(given.seed, each))
        drawn.append([(name, each) for each in changes[: given.count or len(changes)]])
    return (each for turn in zip_longest(*drawn) for each in turn if each)


def _rank(seed: int, change: Change) -> bytes:
    return sha256(repr((seed, change.key)).encode()).digest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
