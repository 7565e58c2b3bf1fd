"""docs/wire-contract.md matches the code: its names, fields and examples."""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel

from antom_refunds import contract
from antom_refunds.attributes import KEYS
from antom_refunds.contract import Dossier, Instruction, RefundOutcome, Resolution
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import TERMINAL_STATES, RefundState
from tests.harness import AMOUNT, Harness
from tests.interop.callers import CLI, address, run

PAGE: Final = (Path(__file__).parents[2] / "docs/wire-contract.md").read_text(encoding="utf-8")
MODELS: Final[tuple[type[BaseModel], ...]] = (
    RefundOrder,
    RefundOutcome,
    Instruction,
    Resolution,
    Dossier,
)


def section(title: str) -> str:
    return re.split(r"\n##+ ", PAGE.split(f"# {title}\n")[1])[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each row whose first cell is a name."""
    lines = (line for line in text.splitlines() if line.startswith("| `"))
    return [[cell.strip() for cell in re.split(r" \||^\|", line)[1:]] for line in lines]


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_example_can_be_parsed(model: type[BaseModel]) -> None:
    (example,) = fenced(f"json {model.__name__}")

    read = model.model_validate_json(example)

    assert set(json.loads(example)) <= set(model.model_fields)
    assert model.model_validate_json(read.model_dump_json()) == read


def test_the_example_of_a_result_names_every_field() -> None:
    (example,) = fenced("json RefundOutcome")

    assert set(json.loads(example)) == set(RefundOutcome.model_fields)


def test_the_names_are_those_of_the_contract() -> None:
    documented = {
        what.strip(): value
        for what, value in re.findall(r"^\| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    }

    assert documented["workflow type"] == f"`{contract.WORKFLOW}`"
    assert documented["task queue"] == f"`{contract.REFUNDS_QUEUE}`"
    assert documented["activity task queue"].startswith(f"`{contract.ANTOM_QUEUE}`")
    assert documented["query"] == f"`{contract.QUERY_DOSSIER}`"
    assert documented["signal"].startswith(f"`{contract.SIGNAL_NOTIFY}`")
    updates = (contract.UPDATE_CHECK_NOW, contract.UPDATE_RESOLVE, contract.UPDATE_CALL_OFF)
    assert documented["updates"] == ", ".join(f"`{each}`" for each in updates)
    example = contract.workflow_id("<refund_request_id>", merchant="<merchant>")
    assert documented["workflow id"] == f"`{example}`"


def rule_of(schema: dict[str, Any]) -> list[str]:
    """The documented rule of a field: its pattern and its maximum length."""
    kinds = schema.get("anyOf", [schema])
    found = [str(kind[key]) for kind in kinds for key in ("pattern", "maxLength") if key in kind]
    return found + ["string or null" for kind in kinds if kind.get("type") == "null"]


def test_the_table_of_fields_is_the_order() -> None:
    schema = RefundOrder.model_json_schema()
    documented = {
        row[0].strip("`"): row for row in rows(section("Input: RefundOrder")) if len(row) > 5
    }

    assert list(documented) == list(RefundOrder.model_fields)
    for name, field in RefundOrder.model_fields.items():
        assert documented[name][2] == ("yes" if field.is_required() else "no"), name
        default = "" if field.is_required() else json.dumps(field.default).replace('"', "`")
        assert documented[name][4] == default, name
        for rule in rule_of(schema["properties"][name]):
            assert rule in " ".join(documented[name]), name


def test_the_table_of_an_amount_is_money() -> None:
    documented = [row for row in rows(section("Input: RefundOrder")) if len(row) == 5]

    assert [row[0].strip("`") for row in documented] == list(Money.model_fields)
    assert Money.model_json_schema()["properties"]["currency"]["pattern"] in documented[0][3]
    assert Money.model_json_schema()["properties"]["minor"]["exclusiveMaximum"] == 10**16


def test_the_table_of_updates_names_their_arguments() -> None:
    arguments = {row[0].strip("`"): row[1] for row in rows(section("Updates"))}

    assert arguments == {
        contract.UPDATE_CHECK_NOW: "Instruction",
        contract.UPDATE_CALL_OFF: "Instruction",
        contract.UPDATE_RESOLVE: "Resolution",
    }


def test_the_table_of_search_attributes_is_what_is_registered() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows(section("Search attributes"))}

    assert documented == {key.name: key.indexed_value_type.name.capitalize() for key in KEYS}


def test_every_state_is_named() -> None:
    assert all(f"`{state}`" in section("Search attributes") for state in RefundState)
    assert all(f"`{state}`" in section("Result: RefundOutcome") for state in TERMINAL_STATES)


def example_paid(harness: Harness, refund_request_id: str) -> None:
    """Add the payment of an example at Antom."""
    fields = {"refund_request_id": refund_request_id, "payment_id": "pay-bank", "amount": AMOUNT}
    harness.add_payment(RefundOrder.from_fields(fields), is_async=False)
    harness.started.append(refund_request_id)


def here(example: str) -> str:
    """The example, for the task queue of this test."""
    return re.sub(r"\brefunds\b", contract.REFUNDS_QUEUE, example)


async def test_the_examples_of_the_command_line_work(harness: Harness) -> None:
    start, result, *_ = fenced("sh")
    path = f"{CLI.parent}{os.pathsep}{os.environ['PATH']}"
    env = {"TEMPORAL_ADDRESS": address(harness), "PATH": path}
    example_paid(harness, "order-4711-1")

    await run("sh", "-c", here(start), env=env)
    ended = json.loads(await run("sh", "-c", result, env=env))

    assert ended["result"]["state"] == RefundState.SUCCEEDED


async def test_the_example_in_typescript_works(harness: Harness, javascript_home: Path) -> None:
    (example,) = fenced("ts")
    program = javascript_home / "example.mjs"
    program.write_text(here(example), encoding="utf-8")
    example_paid(harness, "order-4711-2")

    documented = await run("node", str(program), env={"TEMPORAL_ADDRESS": address(harness)})

    assert documented == "succeeded SUCCESS\n"


def test_the_packages_of_javascript_name_no_registry() -> None:
    text = (Path(__file__).parent / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}

    assert "://" not in text
    assert packages
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert package["integrity"].startswith("sha512-"), name
