"""Runs the tests on one changed copy of the project at a time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from scripts.mutants.changes import Change

_PYTEST: Final = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
_LISTED: Final = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
_NO_TESTS: Final = 5
_SHOWN_CHARACTERS: Final = 3000


class Verdict(StrEnum):
    """What the tests made of a change."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"


class BrokenTrialError(Exception):
    """The tests cannot judge: they fail, or there are none, without any change."""


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """The project's files in a temporary folder: what git knows or would add, and no more."""
    listed = subprocess.run(_LISTED, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603
    with TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / root.name
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        yield copy


def try_unchanged(copy: Path, tests: Sequence[str], *, limit: float) -> float:
    """Seconds that the tests take on the unchanged code; raises BrokenTrialError if they fail.

    Their output goes to standard error then.
    """
    began = time.monotonic()
    verdict = _run(copy, tests, limit=limit)
    if verdict is not Verdict.SURVIVED:
        print(_output_of(copy).read_text(errors="replace")[-_SHOWN_CHARACTERS:], file=sys.stderr)
        raise BrokenTrialError(f"{' '.join(tests)}: fail without any change ({verdict})")
    return time.monotonic() - began


def try_change(copy: Path, change: Change, tests: Sequence[str], *, limit: float) -> Verdict:
    """What the tests make of this change; the copy is as before when this returns."""
    file = copy / change.file
    original = file.read_text(encoding="utf-8")
    file.write_text(change.source, encoding="utf-8")
    try:
        return _run(copy, tests, limit=limit)
    finally:
        file.write_text(original, encoding="utf-8")


def _output_of(copy: Path) -> Path:
    return copy.with_name("tests.log")


def _run(copy: Path, tests: Sequence[str], *, limit: float) -> Verdict:
    """No bytecode is kept: two changes of one module may have the same size and second."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    with _output_of(copy).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *_PYTEST, *tests], cwd=copy, env=environment, stdout=output,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return Verdict.TIMED_OUT
    finally:
        with suppress(ProcessLookupError):  # the tests and every server that they left running
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code == _NO_TESTS:
        raise BrokenTrialError(f"{' '.join(tests)}: no tests there")
    return Verdict.SURVIVED if code == 0 else Verdict.KILLED
