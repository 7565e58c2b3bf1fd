"""Throws mutated bytes at one of our doors: `python -m proofs.fuzz signature --seconds 60`.

What it finds it leaves in .fuzz/<target>/, and exits with another code than 0. To see a finding
again: `python -m proofs.fuzz signature --again FILE`.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Final, Protocol, cast

import atheris

TARGETS: Final = ("signature", "notice", "webhook", "order")
_HOME: Final = Path(".fuzz")
_INPUT_BYTES_MAX: Final = 4096
_HANG_SECONDS: Final = 10


class Target(Protocol):
    """One door: what is tried first, and what must hold for any bytes."""

    def seeds(self) -> list[bytes]: ...

    def one(self, data: bytes) -> None: ...


def _target(name: str) -> Target:
    with atheris.instrument_imports(include=["antom_refunds", "workflows"]):
        return cast("Target", importlib.import_module(f"proofs.fuzz.{name}"))


def _corpus(target: Target, home: Path) -> Path:
    corpus = home / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    return corpus


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m proofs.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--again", type=Path, metavar="FILE")
    asked = parser.parse_args()
    target = _target(asked.target)
    home = _HOME / asked.target
    subject = asked.again or _corpus(target, home)
    options = (
        f"-max_total_time={asked.seconds}",
        f"-max_len={_INPUT_BYTES_MAX}",
        f"-timeout={_HANG_SECONDS}",
        f"-artifact_prefix={home}/",
        "-print_final_stats=1",
        "-verbosity=0" if asked.again is None else "-verbosity=1",
    )
    atheris.Setup([sys.argv[0], *options, str(subject)], target.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
