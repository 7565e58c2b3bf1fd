"""The plain names that we install at the top level must be ours alone."""

from importlib.metadata import packages_distributions
from importlib.resources import files

import pytest


@pytest.mark.parametrize("name", ["antom_refunds", "workflows", "activities", "starter", "worker"])
def test_a_top_level_name_belongs_to_nobody_else(name: str) -> None:
    owners = set(packages_distributions().get(name, []))

    assert owners <= {"antom-refunds"}


def test_the_package_says_that_it_is_typed() -> None:
    assert (files("antom_refunds") / "py.typed").is_file()
