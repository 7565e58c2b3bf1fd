"""`python -m proofs.mutants`: how many small faults in the code the tests notice."""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from proofs.mutants.areas import AREAS, Area, accepted
from proofs.mutants.changes import Change
from proofs.mutants.report import Tried, is_enough, table, unnoticed
from proofs.mutants.trial import BrokenTrialError, copy_of, try_change, try_unspoilt

ROOT: Final = Path(__file__).parent.parent.parent
_UNSPOILT_SECONDS_MAX: Final = 900.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to try: `count` changes of each area at most (0: all), for about `seconds`."""

    only: tuple[str, ...]
    seed: int
    count: int
    seconds: float
    jobs: int


def main(arguments: Sequence[str]) -> int:
    """Prints what was found; 0 if the tests notice enough, 1 if not, 2 if they cannot judge."""
    options = _options(arguments)
    areas = {name: AREAS[name] for name in options.only or AREAS}
    try:
        tried = _all_tried(areas, options)
    except BrokenTrialError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    print(unnoticed(tried, ROOT))
    print(table(tried))
    return 0 if is_enough(tried) else 1


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m proofs.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*AREAS, []], help="areas; all if none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40, help="changes of each area; 0: all")
    parser.add_argument("--seconds", type=float, default=7200, help="no change begins later")
    parser.add_argument("--jobs", type=int, default=2, help="changes tried at the same time")
    chosen = parser.parse_args(arguments)
    return Options(**{**vars(chosen), "only": tuple(chosen.only)})


def _all_tried(areas: Mapping[str, Area], options: Options) -> list[Tried]:
    ends_at = time.monotonic() + options.seconds
    reasons = accepted()
    with ExitStack() as stack:
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(options.jobs):
            copies.put(stack.enter_context(copy_of(ROOT)))

        def tried(job: tuple[str, Change]) -> Tried | None:
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

        limits = _limits(areas, copies)
        with ThreadPoolExecutor(options.jobs) as pool:
            return [each for each in pool.map(tried, _drawn(areas, options)) if each]


def _limits(areas: Mapping[str, Area], copies: "SimpleQueue[Path]") -> dict[str, float]:
    """How long one change may take in each area: thrice what the unspoilt code took."""
    copy = copies.get()
    try:
        return {
            name: 20 + 3 * try_unspoilt(copy, area.tests, limit=_UNSPOILT_SECONDS_MAX)
            for name, area in areas.items()
        }
    finally:
        copies.put(copy)


def _drawn(areas: Mapping[str, Area], options: Options) -> Iterator[tuple[str, Change]]:
    """The same ones for the same seed and code; of all areas in turn, should time run out."""
    drawn = []
    for name, area in areas.items():
        changes = list(area.changes(ROOT))
        random.Random(f"{options.seed} {name}").shuffle(changes)  # noqa: S311 - not for secrets
        drawn.append([(name, each) for each in changes[: options.count or len(changes)]])
    for turn in zip_longest(*drawn):
        yield from (each for each in turn if each)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
