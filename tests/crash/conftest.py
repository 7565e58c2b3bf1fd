"""Workers that can be killed at any step, and a Temporal server with short worker timeouts."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.runtime import Runtime
from temporalio.testing import WorkflowEnvironment

from antom_refunds.simulator.server import serve_simulator
from starter.temporal_server import FAST_OPTIONS
from tests.crash.worker_forks import WorkerSpec
from tests.harness import CLIENT_ID, FAST_POLICY, Harness, KeyFiles, harness_on
from tests.servers import start_temporal

ROOT = Path(__file__).parents[2]
# The workflow task timeout, after which Temporal gives up a dead worker; ten seconds by default.
_DECISION_LIMIT = ["--dynamic-config-value", 'history.defaultWorkflowTaskTimeout="1s"']
Step = tuple[str, int]
_MERCHANT = "ANTOM_REFUNDS_MERCHANTS__DEFAULT__"


@dataclass
class ForkedWorker:
    """A worker process, its steps so far, and whether it has ended."""

    pid: int
    steps: list[Step] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: str) -> None:
        self.steps.append((what, 1 + sum(step == what for step, _ in self.steps)))
        self.changed.set()

    async def until(self, step: Step) -> None:
        """Wait until the worker has taken this step."""
        while step not in self.steps:
            self.changed.clear()
            await self.changed.wait()

    async def kill(self) -> None:
        """Kill the worker if it is running, and wait until it has ended."""
        if not self.dead.is_set():
            os.kill(self.pid, signal.SIGKILL)
        await self.dead.wait()


class WorkerForks:
    """Forks workers and receives the reports of their steps until they end."""

    def __init__(self, process: asyncio.subprocess.Process, home: Path) -> None:
        self._process = process
        self._home = home
        self._address = ("", 0)
        self._expected: dict[str, asyncio.Future[ForkedWorker]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._receive_steps, "127.0.0.1", 0)
        async with server:
            self._address = server.sockets[0].getsockname()
            yield

    async def fork(
        self,
        environment: Mapping[str, str],
        queues: str,
        *,
        never_inquires: bool = False,
        dies_at: Step | None = None,
    ) -> ForkedWorker:
        """Fork a worker for these queues, and wait until it runs."""
        spec = WorkerSpec(
            token=uuid4().hex,
            report_to=self._address,
            log=str(self._home / f"{queues}.log"),
            environment=dict(environment),
            refunds_queue=f"refunds-{queues}",
            antom_queue=f"antom-calls-{queues}",
            never_inquires=never_inquires,
            dies_at=dies_at,
        )
        started: asyncio.Future[ForkedWorker] = asyncio.get_running_loop().create_future()
        self._expected[spec.token] = started
        assert self._process.stdin
        self._process.stdin.write(spec.model_dump_json().encode() + b"\n")
        await self._process.stdin.drain()
        return await started

    async def _receive_steps(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        token, pid = (await reader.readline()).decode().split()
        worker = ForkedWorker(int(pid))
        self._expected.pop(token).set_result(worker)
        while line := await reader.readline():
            worker.note(line.decode().strip())
        worker.dead.set()
        writer.close()


@pytest.fixture(scope="session")
async def strict_server(runtime: Runtime) -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server with short timeouts for unresponsive workers."""
    options = [*FAST_OPTIONS, *_DECISION_LIMIT]
    async with await start_temporal(runtime, options=options) as environment:
        yield environment


@pytest.fixture
async def harness(
    strict_server: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[Harness]:
    """A harness for workers in other processes."""
    async with harness_on(strict_server, merchant_keys, antom_keys, policy=FAST_POLICY) as harness:
        yield harness


@pytest.fixture
async def environment(
    harness: Harness, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[dict[str, str]]:
    """The settings of a worker that calls the simulator at a real address."""
    async with serve_simulator(harness.simulator) as gateway:
        yield {
            f"{_MERCHANT}CLIENT_ID": CLIENT_ID,
            f"{_MERCHANT}PRIVATE_KEY_FILE": str(merchant_keys[0]),
            f"{_MERCHANT}ANTOM_PUBLIC_KEY_FILES": str(antom_keys[1]),
            f"{_MERCHANT}GATEWAY": gateway,
            "ANTOM_REFUNDS_SPEEDUP": "1000",
            "TEMPORAL_ADDRESS": harness.temporal.service_client.config.target_host,
        }


@pytest.fixture(scope="session")
async def worker_forks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerForks]:
    ours = ("ANTOM_REFUNDS_", "TEMPORAL_", "COVERAGE_")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.crash.worker_forks",
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
        stdin=asyncio.subprocess.PIPE,
    )
    worker_forks = WorkerForks(process, tmp_path_factory.mktemp("workers"))
    async with worker_forks.open():
        yield worker_forks
    assert process.stdin
    process.stdin.close()
    assert await process.wait() == 0
