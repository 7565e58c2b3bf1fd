"""Fuzzes one input of the product: `python -m proofs.fuzz signature --seconds 60`.

Findings are written to .fuzz/<target>/, and the exit code is not 0. To reproduce a finding:
`python -m proofs.fuzz signature --again FILE`.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any, Final

import atheris

# The module of each target: it has NAME(data) and NAME_SEEDS.
TARGETS: Final = {
    "signature": "inputs",
    "notice": "inputs",
    "webhook": "webhook",
    "order": "inputs",
}
_INPUT_BYTES_MAX: Final = 4096
_HANG_SECONDS: Final = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m proofs.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--again", type=Path, metavar="FILE")
    given = parser.parse_args()
    with atheris.instrument_imports(include=["antom_refunds", "workflows"]):
        module: Any = importlib.import_module(f"proofs.fuzz.{TARGETS[given.target]}")
    home = Path(".fuzz") / given.target
    corpus = home / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(getattr(module, f"{given.target.upper()}_SEEDS")):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={given.seconds}", f"-max_len={_INPUT_BYTES_MAX}",
        f"-timeout={_HANG_SECONDS}", f"-artifact_prefix={home}/", "-print_final_stats=1",
        f"-verbosity={0 if given.again is None else 1}",
    )  # fmt: skip
    subject = str(given.again or corpus)
    atheris.Setup([sys.argv[0], *options, subject], getattr(module, given.target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
