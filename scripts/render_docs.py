"""Writes what docs/ derives from the code: `make docs`. tests/test_docs.py compares both.

A derived part of a page is between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the
page is written by hand. .env.example is derived as a whole.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from antom_refunds.antom.results import MEANINGS
from antom_refunds.settings import MerchantSettings, Settings, Unit, env_name
from proofs.storm.mutations import MUTATIONS

ROOT: Final = Path(__file__).parent.parent
EXAMPLE: Final = ".env.example"
_WIDTH: Final = 100
_PART: Final = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_EXAMPLE_HEAD: Final = """\
# Every setting of antom-refunds, commented out at its default; docs/configuration.md explains them.
# An empty value counts as not set. `make docs` writes this file.
# Temporal's own variables say where Temporal is: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
# TEMPORAL_API_KEY, TEMPORAL_TLS_...

# A merchant is an account at Antom. DEFAULT in the names below is the merchant's key, in capitals;
# repeat the block with another key for each further account.
"""


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields that are one variable each."""
    return ((name, field) for name, field in model.model_fields.items() if name != "merchants")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "not set" if field.default is None else f"`{field.default}`"


def _unit(field: FieldInfo) -> str:
    return next((each for each in field.metadata if isinstance(each, Unit)), "")


def _settings_table(model: type[BaseModel], *path: str) -> str:
    rows = [
        f"| `{env_name(*path, name).replace('NAME', '<NAME>')}` | {_default(field)} "
        f"| {_unit(field)} | {field.description} |"
        for name, field in _fields(model)
    ]
    return "\n".join(("| variable | default | unit | meaning |", "|---|---|---|---|", *rows, ""))


def _result_codes() -> str:
    rows = [
        f"| `{code}` | {each.status} | {each.kind} | {each.advice or 'nothing'} | {each.basis} |"
        for code, each in MEANINGS.items()
    ]
    head = ("| code | status | kind | what to do | basis |", "|---|---|---|---|---|")
    return "\n".join((*head, *rows, ""))


def _storm_mutations() -> str:
    rows = [
        f"| `{name}` | {mutation.about.rstrip('.')} | {'; '.join(mutation.finds)} |"
        for name, mutation in MUTATIONS.items()
    ]
    head = ("| mutation | what is broken | found by |", "|---|---|---|")
    return "\n".join((*head, *rows, ""))


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "settings-of-a-merchant": lambda: _settings_table(MerchantSettings, "merchants", "name"),
    "settings-of-a-process": lambda: _settings_table(Settings),
    "result-codes": _result_codes,
    "storm-mutations": _storm_mutations,
}


def rendered(page: str) -> str:
    """The page with all its derived parts made new; KeyError for a part that does not exist."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", page)


def example() -> str:
    """The text of .env.example."""
    of_merchant = (
        _example_block(env_name("merchants", "default", name), field)
        for name, field in _fields(MerchantSettings)
    )
    of_process = (_example_block(env_name(name), field) for name, field in _fields(Settings))
    return "\n".join((_EXAMPLE_HEAD, *of_merchant, *of_process)).rstrip("\n") + "\n"


def _example_block(variable: str, field: FieldInfo) -> str:
    is_set = not field.is_required() and field.default is not None
    unit = f" Unit: {_unit(field)}." if _unit(field) else ""
    required = " Required." if field.is_required() else ""
    value = field.default if is_set else ""
    lines = textwrap.wrap(f"{field.description}{unit}{required}", _WIDTH - len("# "))
    return "\n".join((*(f"# {line}" for line in lines), f"# {variable}={value}", ""))


def main() -> None:
    """Write every page that has derived parts, and the example of the environment."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / EXAMPLE).write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
