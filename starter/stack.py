"""The local stack: a real Temporal server, the Antom simulator, the webhook and a worker.

For trying refunds on one machine. Everything listens on loopback; keys, settings and logs are in
one folder, which is recreated each time.
"""

import asyncio
import fcntl
import os
import shutil
import signal
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
from starter.module_command import module_command
from starter.tcp_ports import HOST, Ports, default_ports, is_open
from starter.temporal_server import start_command

_NOTIFY_PATH: Final = "/antom/refund-notify"
_READY_LIMIT: Final = timedelta(seconds=30)
_STOP_LIMIT: Final = timedelta(seconds=10)


class Stack:
    """The processes of the stack; each can be started, stopped and killed by its name."""

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
        """Recreate the folder with new keys and return the stack; no process is started."""
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
        """Connect to the stack's own server, regardless of the shell's TEMPORAL_ variables.

        Waits until the server is ready; raises SettingsError if it is not within 30 seconds.
        """
        try:
            async with asyncio.timeout(_READY_LIMIT.total_seconds()):
                return await self._connect_when_ready()
        except TimeoutError as error:
            raise SettingsError(f"Temporal does not respond at {self.temporal_address}") from error

    async def _connect_when_ready(self) -> Client:
        while True:
            try:
                return await open_client(ClientConnectConfig(target_host=self.temporal_address))
            except RuntimeError:
                await asyncio.sleep(0.05)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that configure our processes."""
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

        Raises SettingsError with the reason if it does not.
        """
        command, port = self.process_spec(name)
        if is_open(port):
            raise SettingsError(f"{name} cannot start: port {port} is already in use; try again")
        log = self.home / "logs" / f"{name}.log"
        self._processes[name] = await self._spawn(name, command, log)
        try:
            async with asyncio.timeout(_READY_LIMIT.total_seconds()):
                await self._wait_until_listening(name, port, log)
        except TimeoutError as error:
            raise SettingsError(f"{name} does not listen on port {port} (see {log})") from error

    def process_spec(self, name: str) -> tuple[list[str], int]:
        """The command of a process, and the port that it listens on once it is ready."""
        match name:
            case "temporal":
                return self.temporal_command(), self.ports.temporal
            case "simulator":
                return self._simulator_command(), self.ports.simulator
            case "webhook":
                return module_command("starter", "webhook"), self.ports.webhook
            case "worker":
                return module_command("worker"), self.ports.worker
            case _:
                raise SettingsError(f"the local stack has no process {name}")

    def environment_of(self, name: str) -> dict[str, str]:  # noqa: ARG002 - for subclasses
        """The environment variables of this process."""
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
        """The process id of a running process."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """Send SIGKILL: no graceful shutdown, as when a machine is lost."""
        _signal(self._processes[name], signal.SIGKILL)

    def pause(self, name: str) -> None:
        """Send SIGSTOP: the process neither responds nor exits, as when a machine hangs."""
        _signal(self._processes[name], signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Send SIGCONT: the process continues, unaware of the time that has passed."""
        _signal(self._processes[name], signal.SIGCONT)

    async def stop(self, name: str) -> None:
        """Send SIGTERM, then SIGKILL if the process does not exit in time."""
        process = self._processes.pop(name)
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT.total_seconds()):
                await process.wait()
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()

    async def stop_all(self) -> None:
        """Stop all processes in reverse order, so that none loses one that it depends on."""
        for name in reversed(list(self._processes)):
            await self.stop(name)

    async def wait_for_exit(self) -> str:
        """Wait until any process exits, and return its name."""
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
        """The command of the Temporal server of this stack."""
        return start_command(port=self.ports.temporal, ui_port=self.ports.ui)

    def _simulator_command(self) -> list[str]:
        path = self.home / "simulator.json"
        path.write_text(self.simulator_config().model_dump_json(indent=2))
        return module_command("starter", "simulator", str(path))

    def simulator_config(self) -> SimulatorConfig:
        """The simulator's configuration, with the merchants of this stack."""
        return SimulatorConfig(
            antom_private_key_file=self._antom_private,
            port=self.ports.simulator,
            speedup=self.speedup,
            # The demo shows a blocked refund; an unsigned refusal does not block one.
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
    """Run the whole stack while inside.

    Raises SettingsError if a process does not start, or if another stack runs in this folder:
    recreating the folder would delete its keys.
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
    """Lock this folder while inside; raises SettingsError if another process holds the lock.

    Yields a function that records this stack's UI address, for the error message of a second stack.
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
                f"a local stack is already running in {home} ({_lock_holder(path)}): stop it first"
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
            return "still starting"


@asynccontextmanager
async def startup_lock() -> AsyncIterator[None]:
    """Serialise the start of stacks: the ports of a stack look free until it listens on them."""
    path = Path(tempfile.gettempdir()) / f"antom-refunds-{os.getuid()}.lock"
    with path.open("a") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it exited without output"


def inherited_environment() -> dict[str, str]:
    """This process's environment without our own settings, which must not affect the stack."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_"))
    }


def _signal(process: Process, number: signal.Signals) -> None:
    """Send a signal. The process's own methods may hide its exit code from the event loop."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
