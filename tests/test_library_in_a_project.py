"""The library in another project: its dependencies, its types, and that it works."""

import json
import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import AsyncIterator, Collection
from email.parser import Parser
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from starter.sample_payments import add_sample_payments
from starter.stack import Stack, local_stack
from tests.servers import BIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parent.parent
UV: Final = shutil.which("uv") or str(BIN.parent / "uv/bin/uv")
PACKAGES_MAX: Final = 12
_EXAMPLE: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _run(*command: str | Path, cwd: Path, codes: Collection[int] = (0,), **environment: str) -> str:
    """Run a command in an environment without this repository; returns its standard output."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout


def _examples(page: str) -> list[str]:
    return _EXAMPLE.findall((ROOT / page).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both distributions, built from this repository, by name."""
    folder = tmp_path_factory.mktemp("wheels")
    build = (UV, "build", "--wheel", "--no-build-isolation", "--python", BIN / "python")
    for project in (ROOT, ROOT / "app"):
        _run(*build, "--out-dir", folder, project, cwd=folder)
    return {wheel.name.split("-")[0]: wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with only the library and its dependencies."""
    home = tmp_path_factory.mktemp("environment") / "venv"
    _run(UV, "venv", "--python", BIN / "python", home, cwd=ROOT)
    python = home / "bin/python"
    install = (UV, "pip", "install", "--python", python)
    pins = (*install, "--require-hashes", "--requirement", ROOT / "requirements/library.txt")
    done = subprocess.run(pins, capture_output=True, text=True, check=False)  # noqa: S603 - uv
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"the library's dependencies cannot be installed: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    # Without an index, so that a dependency beyond the pins fails.
    _run(*install, "--no-index", wheels["antom_refunds"], cwd=ROOT)
    return python


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with its own worker and workflows, and the examples as its programs."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "workflows").mkdir()
    (folder / "workflows/__init__.py").write_text('OWNER = "the service"\n')
    (folder / "worker.py").write_text("from workflows import OWNER\n\nprint(OWNER)\n")
    (readme,) = _examples("README.md")
    (folder / "refund_one.py").write_text(readme)
    for number, example in enumerate(_examples("docs/python.md"), start=1):
        (folder / f"example_{number}.py").write_text(example)
    return folder


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The local stack with the payments of `make up`, on free non-default ports."""
    home = tmp_path_factory.mktemp("stack") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("starter.tcp_ports._DEFAULTS", (0, 0, 0, 0, 0))
        async with local_stack(home, speedup=60) as stack:
            await add_sample_payments(stack, Console(quiet=True))
            yield stack


def _top_level(wheel: Path) -> set[str]:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    return {name for name in names if not name.endswith(".dist-info")}


def test_each_module_is_in_exactly_one_wheel(wheels: dict[str, Path]) -> None:
    assert {name: _top_level(wheel) for name, wheel in wheels.items()} == {
        "antom_refunds": {"antom_refunds"},
        "antom_refunds_app": {"activities", "starter", "worker.py", "workflows"},
    }


def test_the_library_installs_few_packages_and_no_module_with_a_common_name(
    python: Path, project: Path
) -> None:
    listed = _run(UV, "pip", "list", "--format", "json", "--python", python, cwd=project)
    names = {package["name"] for package in json.loads(listed)}
    find = "from importlib.util import find_spec; print([n for n in {} if find_spec(n)])"
    usual = ["activities", "starter", "worker", "workflows"]

    assert {"antom-refunds", "pydantic", "temporalio"} <= names
    assert len(names) <= PACKAGES_MAX
    assert _run(python, "-I", "-c", find.format(usual), cwd=project) == "[]\n"
    assert _run(python, "worker.py", cwd=project) == "the service\n"


def test_the_documented_examples_pass_strict_type_checks(python: Path, project: Path) -> None:
    mypy = (BIN / "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", os.devnull)

    output = _run(*mypy, "--python-executable", python, ".", cwd=project)

    assert output.startswith("Success: no issues found in 6 source files")


def test_the_example_of_the_readme_refunds_successfully(
    python: Path, project: Path, shop: Stack
) -> None:
    address = shop.environment["TEMPORAL_ADDRESS"]

    # The interpreter may crash at exit: docs/decisions/0003-process-exit.md.
    codes = (0, -signal.SIGSEGV, -signal.SIGABRT)
    output = _run(python, "-u", "refund_one.py", cwd=project, codes=codes, TEMPORAL_ADDRESS=address)

    assert "new refund/default/order-4711-1\n" in output
    assert "ended: succeeded SUCCESS" in output


def test_the_application_needs_the_library_of_its_own_version(wheels: dict[str, Path]) -> None:
    archive = zipfile.ZipFile(wheels["antom_refunds_app"])
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    about = Parser().parsestr(archive.read(metadata).decode())

    assert f"antom-refunds=={about['Version']}" in about.get_all("Requires-Dist", [])
    assert wheels["antom_refunds"].name.split("-")[1] == about["Version"]
