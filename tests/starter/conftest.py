"""One running stack for all tests of the command line, and the demo in parallel."""

import os
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from antom_refunds.client import RefundClient
from antom_refunds.domain.policy import Policy
from antom_refunds.simulator.control_client import SimulatorClient
from starter.stack import Stack, local_stack
from tests.starter.processes import COMMAND, Cli, Processes, SampleRefunds

UNUSED_ADDRESS = "127.0.0.1:1"


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The real stack, 300 times faster than real time, on free non-default ports."""
    home = tmp_path_factory.mktemp("stack") / "home"
    async with AsyncExitStack() as ending:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("starter.tcp_ports._DEFAULTS", (0, 0, 0, 0, 0))
            running = await ending.enter_async_context(local_stack(home, speedup=300))
        yield running


@pytest.fixture(scope="session")
async def sample_refunds(stack: Stack) -> AsyncIterator[SampleRefunds]:
    refunds = RefundClient(await stack.temporal(), policy=Policy.at_speedup(stack.speedup))
    async with SimulatorClient(stack.simulator_url) as antom:
        await antom.wait_until_ready()
        yield SampleRefunds(stack, refunds, antom)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings of ours, with the address of no Temporal."""
    for name in os.environ:
        if name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_")) or name == "FORCE_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_ADDRESS", UNUSED_ADDRESS)
    return monkeypatch


@pytest.fixture
def lone_cli(shell: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line while Temporal is unavailable."""
    return Cli(capsys)


@pytest.fixture
def cli(shell: pytest.MonkeyPatch, stack: Stack, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line on the running stack."""
    for name, value in stack.environment.items():
        shell.setenv(name, value)
    return Cli(capsys)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A shared bytecode cache, so that many processes compile each module once."""
    folder = tmp_path_factory.mktemp("compiled")
    return {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}


@pytest.fixture
def lone_processes(tmp_path: Path, compiled: dict[str, str]) -> Iterator[Processes]:
    """Real processes in their own folder; killed after the test."""
    processes = Processes(tmp_path, {**compiled, "TEMPORAL_ADDRESS": UNUSED_ADDRESS})
    yield processes
    processes.clear()


@pytest.fixture
def processes(tmp_path: Path, compiled: dict[str, str], stack: Stack) -> Iterator[Processes]:
    """Real processes that use the running stack."""
    processes = Processes(tmp_path, {**compiled, **stack.environment})
    yield processes
    processes.clear()


@pytest.fixture(scope="session")
def demo_processes(
    tmp_path_factory: pytest.TempPathFactory, compiled: dict[str, str]
) -> Iterator[Processes]:
    processes = Processes(tmp_path_factory.mktemp("demo"), compiled)
    yield processes
    processes.clear()


@pytest.fixture(scope="session")
async def demo(demo_processes: Processes) -> Process:
    """The whole demo, as `make demo` runs it."""
    return await demo_processes.start(COMMAND, "demo")


@pytest.fixture(scope="session", autouse=True)
def _demo_meanwhile(request: pytest.FixtureRequest) -> None:
    """Start the demo early if a test needs it: it mostly waits, so it runs in parallel."""
    if any("demo" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("demo")
