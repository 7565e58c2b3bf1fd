"""The local stack starts completely or reports why not, is isolated, and leaves no process."""

import asyncio
import os
import re
import shlex
import signal
import socket
import stat
import sys
from dataclasses import astuple
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from antom_refunds.settings import SettingsError
from starter import stack as stacks
from starter import tcp_ports
from starter.commands import local
from starter.stack import Stack, folder_lock, inherited_environment, local_stack
from starter.tcp_ports import ANY_PORT, HOST, Ports, default_ports, find_free_ports, is_open
from starter.temporal_server import start_command, temporal_cli
from tests.starter.processes import COMMAND, MARK, TEST_TIMEOUT, Processes, ended, read_until

EXITS_SILENTLY = "#!/bin/sh\nexit 3"
EXITS_WITH_ERROR = "#!/bin/sh\necho first; echo the disk is full >&2; exit 3"
NEVER_LISTENS = "#!/bin/sh\nexec sleep 600"
# Listens, but does not exit on SIGTERM.
IGNORES_SIGTERM = f"""#!{sys.executable}
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
port = int(sys.argv[sys.argv.index("--port") + 1])
listener = socket.create_server(("127.0.0.1", port))
while True:
    signal.pause()
"""


LISTENER = f"""#!{sys.executable}
import signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.pause()
"""


def any_ports() -> Ports:
    return Ports(*find_free_ports([ANY_PORT] * 5))


@pytest.fixture
def script(shell: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path in TEMPORAL_CLI_PATH; the file does not exist yet."""
    path = tmp_path / "cli"
    shell.setenv("TEMPORAL_CLI_PATH", str(path))
    return path


@pytest.fixture
def lone_stack(tmp_path: Path) -> Stack:
    """A stack without running processes."""
    return Stack.create(tmp_path / "home", any_ports(), speedup=300)


@pytest.fixture
def tracked(shell: pytest.MonkeyPatch, lone_processes: Processes) -> Processes:
    """Tracks all processes that this process starts from now on."""
    shell.setenv(MARK, lone_processes.mark)
    return lone_processes


def _write(script: Path, text: str, *, mode: int = stat.S_IRWXU) -> None:
    script.write_text(text)
    script.chmod(mode)


async def test_all_processes_listen_on_their_ports(stack: Stack) -> None:
    assert all(is_open(port) for port in astuple(stack.ports))


async def test_nothing_listens_beyond_this_machine(stack: Stack) -> None:
    ours = {str(process.pid) for process in stack._processes.values()}

    addresses = listeners(ours)

    assert len(addresses) >= 5
    assert set(addresses) <= {"0100007F", "0" * 24 + "01000000"}


def listeners(pids: set[str]) -> list[str]:
    """The addresses that these processes listen on, as the kernel writes them."""
    inodes = {link for pid in pids for link in _sockets(pid)}
    rows = [
        line.split()
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
    ]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]


def _sockets(pid: str) -> list[str]:
    links = [_link(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    return [found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))]


def _link(descriptor: Path) -> str:
    """The target of the descriptor; "" for a connection that has just closed."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_ports_in_use_are_avoided() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]

        found = find_free_ports([port] * 5)

    assert len(set(found)) == 5
    assert port not in found


def test_free_default_ports_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    free = any_ports()
    monkeypatch.setattr(tcp_ports, "_DEFAULTS", astuple(free))

    assert default_ports() == free


async def test_a_machine_without_a_free_port_is_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        tcp_ports, "HOST", "192.0.2.1"
    )  # an address that no machine has (TEST-NET-1)

    with pytest.raises(SettingsError, match="no free port"):
        default_ports()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "temporal cannot start: .*No such file or directory.*cli"),
        (
            EXITS_SILENTLY,
            r"temporal did not start: it exited without output \(see .*temporal\.log\)",
        ),
        (EXITS_WITH_ERROR, r"temporal did not start: the disk is full \(see .*temporal\.log\)"),
    ],
)
async def test_a_process_that_cannot_start_is_reported_in_one_sentence(
    script: Path, lone_stack: Stack, tracked: Processes, text: str | None, sentence: str
) -> None:
    if text is not None:
        _write(script, text)

    with pytest.raises(SettingsError, match=sentence):
        await lone_stack.start("temporal")

    await lone_stack.stop_all()
    assert tracked.running() == []


async def test_a_process_without_permission_to_run_is_reported_in_one_sentence(
    script: Path, lone_stack: Stack
) -> None:
    _write(script, EXITS_WITH_ERROR, mode=stat.S_IRUSR)

    with pytest.raises(SettingsError, match=r"temporal cannot start: .*Permission denied"):
        await lone_stack.start("temporal")


async def test_a_process_that_never_listens_is_reported_in_one_sentence(
    script: Path, lone_stack: Stack, tracked: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(script, NEVER_LISTENS)
    monkeypatch.setattr(stacks, "_READY_LIMIT", timedelta(milliseconds=1))

    with pytest.raises(SettingsError, match="temporal does not listen on port"):
        await lone_stack.start("temporal")

    assert tracked.running()
    await lone_stack.stop_all()
    assert tracked.running() == []


async def test_a_port_that_is_in_use_by_now_is_reported_in_one_sentence(lone_stack: Stack) -> None:
    port = lone_stack.ports.temporal

    with (
        socket.create_server((HOST, port)),
        pytest.raises(SettingsError, match=f"temporal cannot start: port {port} is already in use"),
    ):
        await lone_stack.start("temporal")


async def test_a_process_that_ignores_sigterm_is_killed(
    script: Path, lone_stack: Stack, tracked: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(script, IGNORES_SIGTERM)
    monkeypatch.setattr(stacks, "_STOP_LIMIT", timedelta(milliseconds=1))
    await lone_stack.start("temporal")
    assert tracked.running()

    await lone_stack.stop("temporal")

    assert tracked.running() == []


async def test_the_process_that_exited_unexpectedly_is_named(
    lone_stack: Stack, tracked: Processes
) -> None:
    await lone_stack.start("temporal")
    await lone_stack.start("simulator")
    ending = asyncio.create_task(lone_stack.wait_for_exit())

    lone_stack.kill("simulator")

    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        assert await ending == "simulator"
    assert tracked.running()
    await lone_stack.stop_all()
    assert tracked.running() == []


async def test_stacks_that_start_at_the_same_time_share_no_port(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(script, LISTENER)
    usual = any_ports()
    names = ("temporal", "simulator", "webhook", "worker")

    def part(stack: Stack, name: str) -> tuple[list[str], int]:
        port = getattr(stack.ports, name)
        return [str(script), str(port)], port

    async def ports_of(home: Path) -> list[int]:
        async with local_stack(home, speedup=1) as stack:
            await both.wait()
            return [getattr(stack.ports, name) for name in names]

    monkeypatch.setattr(tcp_ports, "_DEFAULTS", astuple(usual))
    monkeypatch.setattr(Stack, "process_spec", part)
    both = asyncio.Barrier(2)
    chosen = await asyncio.gather(ports_of(tmp_path / "a"), ports_of(tmp_path / "b"))

    assert len({*chosen[0], *chosen[1]}) == 2 * len(names)


async def test_a_stack_is_stopped_completely_if_a_process_fails_to_start(
    tracked: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [sys.executable, "-c", "raise SystemExit('no memory left')"]
    monkeypatch.setattr(tcp_ports, "_DEFAULTS", (0,) * 5)
    monkeypatch.setattr(stacks, "module_command", lambda *_: broken)

    with pytest.raises(SettingsError, match="simulator did not start: no memory left"):
        async with local_stack(tmp_path / "home", speedup=1):
            pytest.fail("the stack is incomplete")

    assert tracked.running() == []


def test_settings_of_the_shell_do_not_affect_the_stack(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("ANTOM_REFUNDS_MERCHANTS__REAL__CLIENT_ID", "5X")
    shell.setenv("TEMPORAL_API_KEY", "secret")
    shell.setenv("HARMLESS", "1")

    inherited = inherited_environment()

    assert inherited["HARMLESS"] == "1"
    assert not [name for name in inherited if name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_"))]


def test_the_compose_file_and_the_local_server_use_the_same_options() -> None:
    flags = {"--dynamic-config-value", "--search-attribute"}
    text = (Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8")

    composed = re.findall(r"^ +- (--[a-z-]+)=(\S+=\S+)$", text, re.MULTILINE)
    ours = pairwise(start_command(port=1, ui_port=2))

    assert sorted(composed) == sorted(pair for pair in ours if pair[0] in flags)


def test_the_cli_path_from_the_environment_takes_precedence(shell: pytest.MonkeyPatch) -> None:
    assert temporal_cli() == str(Path(sys.executable).with_name("temporal"))

    shell.setenv("TEMPORAL_CLI_PATH", "/opt/temporal")

    assert temporal_cli() == "/opt/temporal"


def test_a_cli_on_the_path_is_used_without_the_wheel(
    shell: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell.setattr(sys, "executable", str(tmp_path / "python"))
    shell.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    with pytest.raises(SettingsError, match="run 'make setup', or set TEMPORAL_CLI_PATH"):
        temporal_cli()

    _write(tmp_path / "bin" / "temporal", EXITS_SILENTLY)

    assert temporal_cli() == str(tmp_path / "bin" / "temporal")


@pytest.mark.slow
async def test_the_commands_that_up_prints_work_until_it_is_stopped(
    lone_processes: Processes,
) -> None:
    # With these settings no process would start.
    leaks = {"ANTOM_REFUNDS_NONSENSE": "1", "TEMPORAL_NAMESPACE": "elsewhere"}
    up = await lone_processes.start(COMMAND, "up", "--speedup", "300", **leaks)
    output = await read_until(up, "Ctrl-C stops everything")

    exports = dict(re.findall(r"^  export (\w+)=(\S+)$", output, re.MULTILINE))
    [command] = re.findall(r"^  \.venv/bin/antom-refunds (.+)$", output, re.MULTILINE)
    refund = await lone_processes.run(*shlex.split(command), "--json", **exports)
    shown = await lone_processes.run("show", "my-first-refund", **exports)
    up.terminate()
    stopped = await ended(up)

    assert {"pay-wallet", "pay-bank", "pay-bank-fails"} <= set(output.split())
    assert (lone_processes.folder / ".up" / "logs" / "worker.log").exists()
    assert (refund.code, shown.code) == (0, 0)
    assert re.findall(r"Temporal UI +(\S+)", output)[0] in shown.out
    assert stopped.code == 0
    assert (stopped.out, stopped.err) == ("", "")
    assert lone_processes.running() == []


@pytest.mark.slow
async def test_a_second_up_is_rejected_and_the_first_keeps_its_keys_and_continues(
    lone_processes: Processes,
) -> None:
    up = await lone_processes.start(COMMAND, "up", "--speedup", "300")
    output = await read_until(up, "Ctrl-C stops everything")
    exports = dict(re.findall(r"^  export (\w+)=(\S+)$", output, re.MULTILINE))
    keys = lone_processes.folder / ".up" / "keys"
    before = {path.name: path.read_bytes() for path in keys.iterdir()}

    second = await lone_processes.run("up")

    start = ("start", "pay-wallet", "1.00 EUR", "--id", "after", "--wait", "60")
    refund = await lone_processes.run(*start, **exports)
    after = {path.name: path.read_bytes() for path in keys.iterdir()}
    up.terminate()
    await ended(up)
    assert second.code == 2
    ui_url = exports["ANTOM_REFUNDS_UI_URL"]
    assert second.error_line == (
        f"a local stack is already running in .up (process {up.pid}, {ui_url}): stop it first"
    )
    assert refund.code == 0
    assert after == before


async def test_a_new_stack_starts_after_one_that_was_killed(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.with_name("home.lock").write_text("1 http://127.0.0.1:1")

    with (
        folder_lock(home),
        pytest.raises(SettingsError, match="still starting"),
        folder_lock(home),
    ):
        pytest.fail("two stacks share one folder")

    with folder_lock(home):
        pass


def test_a_folder_that_cannot_be_locked_is_reported_in_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "missing" / "home"

    with pytest.raises(SettingsError, match=r"home\.lock cannot be written: No"), folder_lock(home):
        pytest.fail("the folder does not exist")


def test_the_demo_and_up_use_different_folders() -> None:
    assert local._DEMO != local._UP


@pytest.mark.slow
async def test_up_ends_when_one_of_its_processes_exits_and_names_it(
    lone_processes: Processes,
) -> None:
    up = await lone_processes.start(COMMAND, "up")
    await read_until(up, "Ctrl-C stops everything")

    os.kill(lone_processes.with_argument("worker"), signal.SIGKILL)
    stopped = await ended(up)

    assert stopped.code == 1
    assert stopped.error_line == "worker exited unexpectedly; see .up/logs"
    assert lone_processes.running() == []


async def test_up_without_a_server_is_reported_in_one_line(lone_processes: Processes) -> None:
    output = await lone_processes.run("up", TEMPORAL_CLI_PATH="/nowhere/temporal")

    assert output.code == 2
    assert "temporal cannot start: " in output.error_line
    assert "/nowhere/temporal" in output.error_line
