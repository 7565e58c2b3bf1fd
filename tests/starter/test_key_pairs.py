"""`antom-refunds keys new`, and the commands that depend on key files and settings."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from antom_refunds import attributes
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.settings import env_name
from tests.servers import BIN
from tests.starter.processes import Cli, Processes


async def test_a_new_pair_matches_and_only_its_owner_can_read_the_private_key(
    lone_cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"

    result = await lone_cli("keys", "new", str(folder), "--name", "shop")

    private, public = folder / "shop-private.pem", folder / "shop-public.pem"
    assert (result.code, result.err) == (0, "")
    assert result.out == f"keep secret      {private}\nupload at Antom  {public}\n"
    assert private.stat().st_mode & 0o777 == 0o600
    assert public.stat().st_mode & 0o777 == 0o644
    halves = read_private_key(private).public_key(), read_public_key(public)
    assert halves[0].public_numbers() == halves[1].public_numbers()
    assert halves[0].key_size == 2048


@pytest.mark.parametrize("existing", ["merchant-private.pem", "merchant-public.pem"])
async def test_a_key_file_is_never_overwritten_and_no_incomplete_pair_is_written(
    lone_cli: Cli, tmp_path: Path, existing: str
) -> None:
    (tmp_path / existing).write_text("unchanged")

    result = await lone_cli("keys", "new", str(tmp_path))

    assert result.code == 2
    assert result.error_line == f"{tmp_path / existing} already exists and is not overwritten"
    assert _names(tmp_path) == [existing]
    assert (tmp_path / existing).read_text() == "unchanged"


async def test_keys_that_cannot_be_written_are_reported_in_one_line(
    lone_cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    result = await lone_cli("keys", "new", str(tmp_path / "file" / "below"))

    assert result.code == 2
    assert "cannot be written: Not a directory" in result.error_line


async def test_attributes_are_registered_once(lone_cli: Cli, shell: pytest.MonkeyPatch) -> None:
    fresh = await WorkflowEnvironment.start_local(dev_server_existing_path=str(BIN / "temporal"))
    async with fresh:
        shell.setenv("TEMPORAL_ADDRESS", fresh.client.service_client.config.target_host)

        first = await lone_cli("register-attributes")
        second = await lone_cli("register-attributes")

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("added: ")
    assert all(key.name in first.out for key in attributes.KEYS)
    assert second.out == "all search attributes exist already\n"


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _merchant(private: Path, public: Path) -> dict[str, str]:
    fields = {
        "client_id": "SANDBOX_1",
        "private_key_file": str(private),
        "antom_public_key_files": str(public),
    }
    return {env_name("merchants", "default", name): value for name, value in fields.items()}


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Undo the logging setup of a command that runs in this process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "cannot be read: No such file or directory"),
        ("no key", "is neither PEM nor base64"),
        ("bm8ga2V5", "holds no public key"),
    ],
)
async def test_a_webhook_without_usable_keys_names_setting_and_file(
    lone_cli: Cli, shell: pytest.MonkeyPatch, tmp_path: Path, content: str | None, error: str
) -> None:
    file = tmp_path / "antom.pem"
    if content is not None:
        file.write_text(content)
    for name, value in _merchant(file, file).items():
        shell.setenv(name, value)

    result = await lone_cli("webhook")

    setting = env_name("merchants", "default", "antom_public_key_files")
    assert (result.code, result.error_line) == (2, f"{setting}: {file} {error}")


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "No such file or directory"),
        ("no json", "invalid json"),
        ("{}", "antom_private_key_file: is required"),
        ('{"antom_private_key_file": "x", "colour": "red"}', "colour: unknown field"),
        ('{"antom_private_key_file": "missing.pem"}', "missing.pem cannot be read"),
        ('{"antom_private_key_file": "x", "host": "0.0.0.0"}', "host must be a loopback address"),
    ],
)
async def test_a_simulator_without_a_usable_configuration_says_why(
    lone_cli: Cli, tmp_path: Path, content: str | None, error: str
) -> None:
    config = tmp_path / "simulator.json"
    if content is not None:
        config.write_text(content)

    result = await lone_cli("simulator", str(config))

    assert result.code == 2
    assert error in result.error_line


@pytest.mark.slow
async def test_processes_that_cannot_start_exit_2_with_one_line(
    lone_processes: Processes, antom_keys: tuple[Path, Path], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"
    config = tmp_path / "simulator.json"

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fields = {"antom_private_key_file": str(antom_keys[0]), "port": port}
        config.write_text(json.dumps(fields))
        result = await asyncio.gather(
            lone_processes.run("webhook"),
            lone_processes.run(
                "webhook",
                **_merchant(missing, antom_keys[1]),
                **{env_name("webhook_listen"): f"127.0.0.1:{port}"},
            ),
            lone_processes.run("worker"),
            lone_processes.run("worker", **_merchant(missing, antom_keys[1])),
            lone_processes.run("simulator", str(config)),
        )

    setting = env_name("merchants", "default", "private_key_file")
    expected = [
        "no merchant is configured",
        f"cannot listen on 127.0.0.1:{port}",
        "no merchant is configured",
        f"{setting}: {missing} cannot be read: No such file or directory",
        "ddress already in use",
    ]
    assert [each.code for each in result] == [2] * len(expected)
    for each, part in zip(result, expected, strict=True):
        assert part in each.error_line
