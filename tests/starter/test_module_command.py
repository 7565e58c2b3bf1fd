"""Every way to start a worker runs the same module."""

from pathlib import Path

import pytest

from starter.module_command import module_command
from tests.servers import BIN
from tests.starter.processes import COMMAND, Processes, ended


@pytest.mark.parametrize(
    "command",
    [module_command("worker"), [COMMAND, "worker"], [str(BIN / "antom-refunds-worker")]],
    ids=["module", "command", "script"],
)
async def test_a_worker_py_in_the_current_folder_is_not_run_instead_of_ours(
    lone_processes: Processes, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "worker.py").write_text("raise SystemExit('the wrong worker')")

    result = await ended(await lone_processes.start(*command))

    assert result.code == 2
    assert result.error_line.startswith("no merchant is configured")
