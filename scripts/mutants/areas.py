"""Which code is changed, which tests must notice, and which changes may stay unnoticed."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.mutants.changes import Change, changes_of

ACCEPTED: Final = Path(__file__).with_name("accepted.toml")
_AREAS: Final = Path(__file__).with_name("areas.toml")


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


AREAS: Final = {
    name: Area(code=tuple(fields["code"]), tests=tuple(fields["tests"]))
    for name, fields in tomllib.loads(_AREAS.read_text(encoding="utf-8")).items()
}


def accepted(file: Path = ACCEPTED) -> dict[tuple[str, str, str], str]:
    """The changes that may survive, by key, and why."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    return {(each["file"], each["within"], each["change"]): each["reason"] for each in entries}
