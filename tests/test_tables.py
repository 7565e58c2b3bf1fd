"""Tables keyed by an enumeration name every member, or say here why some are left out."""

import enum
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

import activities
import antom_refunds
import starter
import workflows

PARTIAL: Final = {
    "antom_refunds.antom.interpret._STATUS_CODES": "only what an inquiry's refundStatus can decide",
    "antom_refunds.domain.state_machine._TERMINAL_STATE_OF": "the other kinds end no refund",
    "antom_refunds.notifications._LATE": "what was delivered, or agrees, is not late evidence",
    "antom_refunds.views._STOPPED_AS": "a running or completed workflow was not stopped",
    "workflows.operator_texts._ALLOWED_ACTIONS": "a terminal refund takes no instruction",
}


def _modules() -> Iterator[str]:
    for package in (antom_refunds, workflows, activities, starter):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield module.name
    yield "worker"


def _tables() -> Iterator[tuple[str, Mapping[enum.Enum, object], type[enum.Enum]]]:
    for name in _modules():
        for variable, value in vars(importlib.import_module(name)).items():
            if not (isinstance(value, Mapping) and value):
                continue
            kinds = {type(key) for key in value}
            if len(kinds) == 1 and issubclass(kind := kinds.pop(), enum.Enum):
                yield f"{name}.{variable}", value, kind


TABLES: Final = {name: (table, kind) for name, table, kind in _tables()}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keyed_by_an_enumeration_is_total_or_says_why_not(name: str) -> None:
    table, kind = TABLES[name]

    assert (set(table) != set(kind)) == (name in PARTIAL)


def test_every_exception_is_a_table_that_exists() -> None:
    assert PARTIAL.keys() <= TABLES.keys()
