"""Fuzzes one input of the product: `python -m proofs.fuzz signature --seconds 60`.

Findings are written to .fuzz/<target>/, and the exit code is not 0. To reproduce a finding:
`python -m proofs.fuzz signature --again FILE`.
"""

import importlib
import sys
from pathlib import Path
from typing import Any, Final, Literal

import atheris
from cyclopts import App

# Each is in the module of its name, or in `inputs`, as NAME(data) and NAME_SEEDS.
Target = Literal["signature", "notice", "webhook", "order"]
_INPUT_BYTES_MAX: Final = 4096
_HANG_SECONDS: Final = 10


app = App(name="fuzz", help=__doc__)


@app.default
def fuzz(target: Target, *, seconds: int = 60, again: Path | None = None) -> None:
    name = "webhook" if target == "webhook" else "inputs"
    with atheris.instrument_imports(include=["antom_refunds", "workflows"]):
        module: Any = importlib.import_module(f"proofs.fuzz.{name}")
    home = Path(".fuzz") / target
    corpus = home / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(getattr(module, f"{target.upper()}_SEEDS")):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={seconds}", f"-max_len={_INPUT_BYTES_MAX}",
        f"-timeout={_HANG_SECONDS}", f"-artifact_prefix={home}/", "-print_final_stats=1",
        f"-verbosity={0 if again is None else 1}",
    )  # fmt: skip
    subject = str(again or corpus)
    atheris.Setup([sys.argv[0], *options, subject], getattr(module, target))
    atheris.Fuzz()


if __name__ == "__main__":
    app()
