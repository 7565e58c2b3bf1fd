"""The local stack: it starts whole or says why not, keeps to itself, and leaves nothing behind."""

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

SILENT = "#!/bin/sh\nexit 3"
LOUD = "#!/bin/sh\necho first; echo the disk is full >&2; exit 3"
DEAF = "#!/bin/sh\nexec sleep 600"
# Listens as it should, and does not go when it is asked to.
OBSTINATE = f"""#!{sys.executable}
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
    """Where TEMPORAL_CLI_PATH leads; nothing is there yet."""
    path = tmp_path / "cli"
    shell.setenv("TEMPORAL_CLI_PATH", str(path))
    return path


@pytest.fixture
def lone_stack(tmp_path: Path) -> Stack:
    """A stack of which nothing runs yet."""
    return Stack.create(tmp_path / "home", any_ports(), speedup=300)


@pytest.fixture
def watched(shell: pytest.MonkeyPatch, lone_processes: Processes) -> Processes:
    """Knows whoever is started within this process from now on."""
    shell.setenv(MARK, lone_processes.mark)
    return lone_processes


def _write(script: Path, text: str, *, mode: int = stat.S_IRWXU) -> None:
    script.write_text(text)
    script.chmod(mode)


async def test_all_parts_listen_where_they_say(stack: Stack) -> None:
    assert all(is_open(port) for port in astuple(stack.ports))


async def test_nothing_listens_beyond_this_machine(stack: Stack) -> None:
    ours = {str(process.pid) for process in stack._processes.values()}

    heard = listeners(ours)

    assert len(heard) >= 5
    assert set(heard) <= {"0100007F", "0" * 24 + "01000000"}


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
    """What it points to; a connection may end while we look, a listener does not."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_ports_that_are_taken_are_avoided() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]

        found = find_free_ports([port] * 5)

    assert len(set(found)) == 5
    assert port not in found


def test_the_ports_wished_for_are_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    free = any_ports()
    monkeypatch.setattr(tcp_ports, "_DEFAULTS", astuple(free))

    assert default_ports() == free


async def test_a_machine_without_a_free_port_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp_ports, "HOST", "192.0.2.1")  # an address that no machine has

    with pytest.raises(SettingsError, match="no free port"):
        default_ports()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "temporal cannot start: .*No such file or directory.*cli"),
        (SILENT, r"temporal did not start: it said nothing \(see .*temporal\.log\)"),
        (LOUD, r"temporal did not start: the disk is full \(see .*temporal\.log\)"),
    ],
)
async def test_a_part_that_cannot_start_is_one_clear_sentence(
    script: Path, lone_stack: Stack, watched: Processes, text: str | None, sentence: str
) -> None:
    if text is not None:
        _write(script, text)

    with pytest.raises(SettingsError, match=sentence):
        await lone_stack.start("temporal")

    await lone_stack.stop_all()
    assert watched.left() == []


async def test_a_part_that_may_not_be_run_is_one_clear_sentence(
    script: Path, lone_stack: Stack
) -> None:
    _write(script, LOUD, mode=stat.S_IRUSR)

    with pytest.raises(SettingsError, match=r"temporal cannot start: .*Permission denied"):
        await lone_stack.start("temporal")


async def test_a_part_that_never_listens_is_one_clear_sentence(
    script: Path, lone_stack: Stack, watched: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(script, DEAF)
    monkeypatch.setattr(stacks, "_READY_LIMIT", timedelta(milliseconds=1))

    with pytest.raises(SettingsError, match="temporal does not listen on port"):
        await lone_stack.start("temporal")

    assert watched.left()
    await lone_stack.stop_all()
    assert watched.left() == []


async def test_a_port_that_was_taken_meanwhile_is_one_clear_sentence(lone_stack: Stack) -> None:
    port = lone_stack.ports.temporal

    with (
        socket.create_server((HOST, port)),
        pytest.raises(SettingsError, match=f"temporal cannot start: somebody took port {port}"),
    ):
        await lone_stack.start("temporal")


async def test_a_part_that_will_not_go_is_killed(
    script: Path, lone_stack: Stack, watched: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(script, OBSTINATE)
    monkeypatch.setattr(stacks, "_STOP_LIMIT", timedelta(milliseconds=1))
    await lone_stack.start("temporal")
    assert watched.left()

    await lone_stack.stop("temporal")

    assert watched.left() == []


async def test_the_process_that_ended_by_itself_is_named(
    lone_stack: Stack, watched: Processes
) -> None:
    await lone_stack.start("temporal")
    await lone_stack.start("simulator")
    ending = asyncio.create_task(lone_stack.wait_for_exit())

    lone_stack.kill("simulator")

    async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
        assert await ending == "simulator"
    assert watched.left()
    await lone_stack.stop_all()
    assert watched.left() == []


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


async def test_a_stack_of_which_a_part_fails_is_taken_down_whole(
    watched: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [sys.executable, "-c", "raise SystemExit('no memory left')"]
    monkeypatch.setattr(tcp_ports, "_DEFAULTS", (0,) * 5)
    monkeypatch.setattr(stacks, "module_command", lambda *_: broken)

    with pytest.raises(SettingsError, match="simulator did not start: no memory left"):
        async with local_stack(tmp_path / "home", speedup=1):
            pytest.fail("it is not whole")

    assert watched.left() == []


def test_the_surrounding_settings_do_not_leak_in(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("ANTOM_REFUNDS_MERCHANTS__REAL__CLIENT_ID", "5X")
    shell.setenv("TEMPORAL_API_KEY", "secret")
    shell.setenv("HARMLESS", "1")

    inherited = inherited_environment()

    assert inherited["HARMLESS"] == "1"
    assert not [name for name in inherited if name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_"))]


def test_the_compose_file_tells_its_server_what_the_local_one_is_told() -> None:
    flags = {"--dynamic-config-value", "--search-attribute"}
    text = (Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8")

    told = re.findall(r"^ +- (--[a-z-]+)=(\S+=\S+)$", text, re.MULTILINE)
    ours = pairwise(start_command(port=1, ui_port=2))

    assert sorted(told) == sorted(pair for pair in ours if pair[0] in flags)


def test_the_cli_that_was_named_comes_first(shell: pytest.MonkeyPatch) -> None:
    assert temporal_cli() == str(Path(sys.executable).with_name("temporal"))

    shell.setenv("TEMPORAL_CLI_PATH", "/opt/temporal")

    assert temporal_cli() == "/opt/temporal"


def test_a_cli_on_the_path_serves_where_no_wheel_fits(
    shell: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell.setattr(sys, "executable", str(tmp_path / "python"))
    shell.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    with pytest.raises(SettingsError, match="run 'make setup', or set TEMPORAL_CLI_PATH"):
        temporal_cli()

    _write(tmp_path / "bin" / "temporal", SILENT)

    assert temporal_cli() == str(tmp_path / "bin" / "temporal")


async def test_up_can_be_used_as_it_says_until_it_is_stopped(lone_processes: Processes) -> None:
    # A leak would keep every part from starting.
    leaks = {"ANTOM_REFUNDS_NONSENSE": "1", "TEMPORAL_NAMESPACE": "elsewhere"}
    up = await lone_processes.start(COMMAND, "up", "--speedup", "300", **leaks)
    said = await read_until(up, "Ctrl-C stops everything")

    exports = dict(re.findall(r"^  export (\w+)=(\S+)$", said, re.MULTILINE))
    [command] = re.findall(r"^  \.venv/bin/antom-refunds (.+)$", said, re.MULTILINE)
    refund = await lone_processes.run(*shlex.split(command), "--json", **exports)
    shown = await lone_processes.run("show", "my-first-refund", **exports)
    up.terminate()
    stopped = await ended(up)

    assert {"pay-wallet", "pay-bank", "pay-bank-fails"} <= set(said.split())
    assert (lone_processes.folder / ".up" / "logs" / "worker.log").exists()
    assert (refund.code, shown.code) == (0, 0)
    assert re.findall(r"Temporal UI +(\S+)", said)[0] in shown.out
    assert stopped.code == 0
    assert (stopped.out, stopped.err) == ("", "")
    assert lone_processes.left() == []


@pytest.mark.slow
async def test_a_second_up_is_refused_and_the_first_keeps_its_keys_and_works_on(
    lone_processes: Processes,
) -> None:
    up = await lone_processes.start(COMMAND, "up", "--speedup", "300")
    said = await read_until(up, "Ctrl-C stops everything")
    exports = dict(re.findall(r"^  export (\w+)=(\S+)$", said, re.MULTILINE))
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
        f"a local stack runs in .up already (process {up.pid}, {ui_url}): stop it first"
    )
    assert refund.code == 0
    assert after == before


async def test_a_stack_that_was_killed_does_not_keep_the_next_one_from_starting(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.with_name("home.lock").write_text("1 http://127.0.0.1:1")

    with (
        folder_lock(home),
        pytest.raises(SettingsError, match="or is being started"),
        folder_lock(home),
    ):
        pytest.fail("two stacks have one folder")

    with folder_lock(home):
        pass


def test_a_folder_that_cannot_be_claimed_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "missing" / "home"

    with pytest.raises(SettingsError, match=r"home\.lock cannot be written: No"), folder_lock(home):
        pytest.fail("there is no such folder")


def test_the_demo_and_up_have_folders_of_their_own() -> None:
    assert local._DEMO != local._UP


@pytest.mark.slow
async def test_up_ends_when_a_part_of_it_does_and_names_it(lone_processes: Processes) -> None:
    up = await lone_processes.start(COMMAND, "up")
    await read_until(up, "Ctrl-C stops everything")

    os.kill(lone_processes.named("worker"), signal.SIGKILL)
    stopped = await ended(up)

    assert stopped.code == 1
    assert stopped.error_line == "worker ended by itself; see .up/logs"
    assert lone_processes.left() == []


async def test_up_without_a_server_is_one_line(lone_processes: Processes) -> None:
    said = await lone_processes.run("up", TEMPORAL_CLI_PATH="/nowhere/temporal")

    assert said.code == 2
    assert "temporal cannot start: " in said.error_line
    assert "/nowhere/temporal" in said.error_line
