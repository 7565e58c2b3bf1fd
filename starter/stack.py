"""The local stack: a real Temporal server, the Antom simulator, the webhook and a worker.

For rehearsals on one machine. Everything listens on loopback; keys, settings and logs stand in
one folder, made anew each time.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig

from antom_refunds.connection import open_client
from antom_refunds.settings import SettingsError, env_name
from antom_refunds.simulator.config import MerchantConfig, SimulatorConfig
from starter.key_pairs import write_pair
from starter.local_merchants import LocalMerchant, create_merchants
from starter.tcp_ports import HOST, Ports, default_ports, is_open
from starter.temporal_server import start_command

_NOTIFY_PATH: Final = "/antom/refund-notify"
_READY_LIMIT: Final = timedelta(seconds=30)
_STOP_LIMIT: Final = timedelta(seconds=10)


class Stack:
    """The running processes; each can be stopped, killed and started again by name."""

    def __init__(
        self, home: Path, ports: Ports, speedup: float, merchants: tuple[LocalMerchant, ...]
    ) -> None:
        self.home = home
        self.ports = ports
        self.merchants = {merchant.name: merchant for merchant in merchants}
        self.speedup = speedup
        self._antom_private = home / "keys" / "antom-private.pem"
        self._antom_public = home / "keys" / "antom-public.pem"
        self._processes: dict[str, Process] = {}

    @classmethod
    def create(cls, home: Path, ports: Ports, *, speedup: float) -> Self:
        """A stack in a folder made anew, with new keys; nothing of it runs yet."""
        shutil.rmtree(home, ignore_errors=True)
        (home / "logs").mkdir(parents=True)
        write_pair(home / "keys", "antom")
        return cls(home, ports, speedup, create_merchants(home / "keys"))

    @property
    def temporal_address(self) -> str:
        return f"{HOST}:{self.ports.temporal}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ports.ui}"

    @property
    def simulator_url(self) -> str:
        return f"http://{HOST}:{self.ports.simulator}"

    @property
    def notify_url(self) -> str:
        return f"http://{HOST}:{self.ports.webhook}{_NOTIFY_PATH}"

    async def temporal(self) -> Client:
        """A client of the stack's own server, whatever the surrounding shell says.

        Waits for a server that listens and is not ready yet; raises SettingsError if it stays so.
        """
        try:
            async with asyncio.timeout(_READY_LIMIT.total_seconds()):
                return await self._connect_when_ready()
        except TimeoutError as error:
            raise SettingsError(f"temporal does not answer at {self.temporal_address}") from error

    async def _connect_when_ready(self) -> Client:
        while True:
            try:
                return await open_client(ClientConnectConfig(target_host=self.temporal_address))
            except RuntimeError:
                await asyncio.sleep(0.05)

    @property
    def environment(self) -> dict[str, str]:
        """What our processes are told."""
        ours = {
            "TEMPORAL_ADDRESS": self.temporal_address,
            "NO_PROXY": HOST,
            env_name("speedup"): str(self.speedup),
            env_name("ui_url"): self.ui_url,
            env_name("webhook_listen"): f"{HOST}:{self.ports.webhook}",
            env_name("webhook_path"): _NOTIFY_PATH,
            env_name("health_listen"): f"{HOST}:{self.ports.worker}",
            env_name("log_format"): "json",
        }
        for merchant in self.merchants.values():
            ours |= self._merchant_env(merchant)
        return ours

    def _merchant_env(self, merchant: LocalMerchant) -> dict[str, str]:
        settings = {
            "client_id": merchant.client_id,
            "private_key_file": str(merchant.private_key),
            "antom_public_key_files": str(self._antom_public),
            "gateway": self.simulator_url,
        }
        return {
            env_name("merchants", merchant.name, name): value for name, value in settings.items()
        }

    async def start(self, name: str) -> None:
        """Start one process by its name and wait until it listens.

        Raises SettingsError, in one sentence, if it does not.
        """
        command, port = self.process_spec(name)
        if is_open(port):
            raise SettingsError(f"{name} cannot start: somebody took port {port}; try again")
        log = self.home / "logs" / f"{name}.log"
        self._processes[name] = await self._spawn(name, command, log)
        try:
            async with asyncio.timeout(_READY_LIMIT.total_seconds()):
                await self._wait_until_listening(name, port, log)
        except TimeoutError as error:
            raise SettingsError(f"{name} does not listen on port {port} (see {log})") from error

    def process_spec(self, name: str) -> tuple[list[str], int]:
        """The command of a process and the port by which it is known to be ready."""
        match name:
            case "temporal":
                return self.temporal_command(), self.ports.temporal
            case "simulator":
                return self._simulator_command(), self.ports.simulator
            case "webhook":
                return _python("-m", "starter", "webhook"), self.ports.webhook
            case "worker":
                return _python("-m", "worker"), self.ports.worker
            case _:
                raise SettingsError(f"{name}: no such part of the stack")

    def environment_of(self, name: str) -> dict[str, str]:  # noqa: ARG002 - for stacks that differ
        """What this one of our processes is told."""
        return self.environment

    async def _spawn(self, name: str, command: list[str], log: Path) -> Process:
        try:
            with log.open("ab") as output:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**inherited_environment(), **self.environment_of(name)},
                    start_new_session=True,
                )
        except OSError as error:
            raise SettingsError(f"{name} cannot start: {error}") from error

    async def _wait_until_listening(self, name: str, port: int, log: Path) -> None:
        process = self._processes[name]
        while not is_open(port):
            if process.returncode is not None:
                raise SettingsError(f"{name} did not start: {_last_line(log)} (see {log})")
            await asyncio.sleep(0.05)

    def pid_of(self, name: str) -> int:
        """The process id of a running part."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye, as when a machine is lost."""
        _signal(self._processes[name], signal.SIGKILL)

    def pause(self, name: str) -> None:
        """SIGSTOP: it neither answers nor goes, as when a machine hangs."""
        _signal(self._processes[name], signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT: it goes on, and knows nothing of the time that passed."""
        _signal(self._processes[name], signal.SIGCONT)

    async def stop(self, name: str) -> None:
        """SIGTERM, then SIGKILL if it will not go."""
        process = self._processes.pop(name)
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT.total_seconds()):
                await process.wait()
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()

    async def stop_all(self) -> None:
        """Stop in reverse order, so that nothing misses what it needs."""
        for name in reversed(list(self._processes)):
            await self.stop(name)

    async def wait_for_exit(self) -> str:
        """The name of the first process that ends by itself."""
        waiting = {
            asyncio.create_task(process.wait(), name=name)
            for name, process in self._processes.items()
        }
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return done.pop().get_name()

    def temporal_command(self) -> list[str]:
        """The real server, for this stack."""
        return start_command(port=self.ports.temporal, ui_port=self.ports.ui)

    def _simulator_command(self) -> list[str]:
        path = self.home / "simulator.json"
        path.write_text(self.simulator_config().model_dump_json(indent=2))
        return _python("-m", "starter", "simulator", str(path))

    def simulator_config(self) -> SimulatorConfig:
        """Antom as it knows our merchants."""
        return SimulatorConfig(
            antom_private_key_file=self._antom_private,
            port=self.ports.simulator,
            speedup=self.speedup,
            # The demo shows a refund that is blocked, which an unsigned refusal does not prove.
            signs_gate_refusals=True,
            merchants=tuple(
                MerchantConfig(
                    client_id=merchant.client_id,
                    public_key_file=merchant.public_key,
                    balance=None if merchant.balance is None else dict(merchant.balance),
                    notify_url=self.notify_url,
                )
                for merchant in self.merchants.values()
            ),
        )


@asynccontextmanager
async def local_stack(home: Path, *, speedup: float) -> AsyncIterator[Stack]:
    """The whole stack while inside; raises SettingsError if a part does not start.

    Also if another stack runs in this folder: to make the folder anew would take its keys away.
    """
    async with AsyncExitStack() as ending:
        write_holder = ending.enter_context(folder_lock(home))
        async with startup_lock():
            stack = Stack.create(home, default_ports(), speedup=speedup)
            ending.push_async_callback(stack.stop_all)
            for name in ("temporal", "simulator", "webhook", "worker"):
                await stack.start(name)
        write_holder(stack.ui_url)
        yield stack


@contextmanager
def folder_lock(home: Path) -> Iterator[Callable[[str], None]]:
    """This folder belongs to this process while inside; raises SettingsError if it is taken.

    Gives a function that leaves a note for whoever comes later: where this stack is to be seen.
    """
    path = home.with_name(f"{home.name}.lock")
    try:
        lock = path.open("a+")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"a local stack runs in {home} already ({_lock_holder(path)}): stop it first"
            ) from error
        _write_note(path, "")
        yield lambda ui_url: _write_note(path, f"{os.getpid()} {ui_url}")


def _write_note(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _lock_holder(path: Path) -> str:
    match path.read_text(encoding="utf-8", errors="replace").split():
        case [pid, ui_url]:
            return f"process {pid}, {ui_url}"
        case _:
            return "or is being started"


@asynccontextmanager
async def startup_lock() -> AsyncIterator[None]:
    """While another stack starts, its ports look free; so stacks start one after another."""
    path = Path(tempfile.gettempdir()) / f"antom-refunds-{os.getuid()}.lock"
    with path.open("a") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def inherited_environment() -> dict[str, str]:
    """Our own settings of the surrounding shell must not leak into a rehearsal."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_"))
    }


def _signal(process: Process, number: signal.Signals) -> None:
    """Not by the process's own methods: they may take its exit code away from the event loop."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
