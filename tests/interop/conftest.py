"""Callers other than our own client."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from tests.harness import Harness
from tests.interop.callers import (
    Caller,
    CallFailedError,
    CommandLine,
    JavaScript,
    install_javascript,
)


@pytest.fixture(scope="session")
async def javascript_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Temporal's JavaScript SDK; skips without npm, but never in CI."""
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        _give_up(f"{' and '.join(missing)} missing: install Node.js 20.3 or newer with npm")
    home = tmp_path_factory.mktemp("javascript")
    try:
        await install_javascript(home)
    except CallFailedError as error:
        _give_up(f"npm could not install Temporal's JavaScript SDK: {error}")
    return home


@pytest.fixture(params=["command line", "javascript"])
def caller(harness: Harness, request: pytest.FixtureRequest) -> Caller:
    if request.param == "command line":
        return CommandLine(harness)
    return JavaScript(harness, request.getfixturevalue("javascript_home"))


def _give_up(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
