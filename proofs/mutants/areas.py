"""Which code is changed, which tests must notice, and which changes may stay unnoticed."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proofs.mutants.changes import Change, changes_of

ACCEPTED: Final = Path(__file__).parent / "accepted.toml"


@dataclass(frozen=True, kw_only=True)
class Area:
    """Modules, as files or folders, and the folders of the tests that cover them."""

    code: tuple[str, ...]
    tests: tuple[str, ...]

    def changes(self, root: Path) -> Iterator[Change]:
        """Every change of every module here; `root` is the project's folder."""
        for name in self.code:
            path = root / name
            for module in [path] if path.is_file() else sorted(path.rglob("*.py")):
                file = module.relative_to(root).as_posix()
                yield from changes_of(file, module.read_text(encoding="utf-8"))


_NAMES: Final = "tests/test_pinned_names.py"

AREAS: Final = {
    "domain": Area(code=("antom_refunds/domain",), tests=("tests/domain", "tests/model")),
    "antom": Area(code=("antom_refunds/antom",), tests=("tests/antom", "tests/test_docs.py")),
    "workflows": Area(code=("workflows",), tests=(_NAMES, "tests/workflows", "tests/domain")),
    "activities": Area(code=("activities",), tests=(_NAMES, "tests/activities", "tests/workflows")),
    "webhook": Area(
        code=(
            "antom_refunds/webhook",
            "antom_refunds/notifications.py",
            "antom_refunds/delivery.py",
        ),
        tests=(_NAMES, "tests/webhook", "tests/test_late_evidence.py"),
    ),
    "client": Area(
        code=tuple(
            f"antom_refunds/{name}.py"
            for name in ("client", "listing", "workflow_start", "stored_order", "updates", "views")
        ),
        tests=(_NAMES, "tests/client", "tests/workflows"),
    ),
}


def accepted(file: Path = ACCEPTED) -> dict[tuple[str, str, str], str]:
    """The changes that may survive, by key, and why."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    return {(each["file"], each["within"], each["change"]): each["reason"] for each in entries}
