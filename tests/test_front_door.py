"""The public API of `antom_refunds`, and the dependencies of importing it."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import antom_refunds

ROOT: Final = Path(__file__).parent.parent
# Dependencies of the application only; services that import the library do not have them.
NOT_NEEDED: Final = (
    "httpx",
    "cryptography",
    "starlette",
    "uvicorn",
    "structlog",
    "pydantic_settings",
)
_EXAMPLE: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples() -> Iterator[ast.Module]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for example in _EXAMPLE.findall(page.read_text(encoding="utf-8")):
            yield ast.parse(example, page.name)


def _imports() -> Iterator[ast.ImportFrom]:
    for example in _examples():
        for node in ast.walk(example):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("antom_refunds"):
                yield node


def test_it_exports_exactly_what_the_readme_and_the_docs_use() -> None:
    used = {alias.name for node in _imports() for alias in node.names}

    assert sorted(used) == antom_refunds.__all__


def test_the_readme_and_the_docs_import_only_from_it() -> None:
    assert {node.module for node in _imports()} == {"antom_refunds"}


@pytest.mark.parametrize("name", antom_refunds.__all__)
def test_every_export_is_documented(name: str) -> None:
    offered = getattr(antom_refunds, name)
    own = [
        value
        for attribute, value in vars(offered).items()
        if not attribute.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property))
    ]

    assert offered.__doc__
    assert [each for each in own if not each.__doc__] == []


def test_importing_it_needs_temporal_and_pydantic_alone() -> None:
    program = f"import sys, antom_refunds; print([n for n in {NOT_NEEDED} if n in sys.modules])"

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )

    assert done.stdout == "[]\n"
