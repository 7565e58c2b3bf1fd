"""Two distributions from one repository, each with its own top-level names."""

import tomllib
from importlib.metadata import packages_distributions, version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parent.parent
LIBRARY: Final = "antom-refunds"
APPLICATION: Final = "antom-refunds-app"


def project(file: str) -> dict[str, Any]:
    described: dict[str, Any] = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    return described


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("antom_refunds", LIBRARY),
        ("workflows", APPLICATION),
        ("activities", APPLICATION),
        ("starter", APPLICATION),
        ("worker", APPLICATION),
    ],
)
def test_a_top_level_name_belongs_to_one_distribution(name: str, owner: str) -> None:
    owners = set(packages_distributions().get(name, []))

    assert owners <= {owner}


def test_the_package_is_marked_as_typed() -> None:
    assert (files("antom_refunds") / "py.typed").is_file()


def test_library_and_application_have_one_version() -> None:
    library, application = project("pyproject.toml"), project("app/pyproject.toml")

    assert library["version"] == application["version"]
    assert f"{LIBRARY}=={library['version']}" in application["dependencies"]
    assert version(LIBRARY) == version(APPLICATION)


def test_the_library_needs_temporal_and_pydantic_alone() -> None:
    names = [each.split(">")[0] for each in project("pyproject.toml")["dependencies"]]

    assert names == ["temporalio[pydantic]", "pydantic"]
