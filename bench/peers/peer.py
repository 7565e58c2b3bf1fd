"""What a competitor must offer, so that all of them can be asked, struck and read alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState


@dataclass(frozen=True, slots=True)
class End:
    """How and when a refund ended, by the engine's own record."""

    state: RefundState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Antom:
    """What every competitor is told of the Antom that it talks to.

    `gateway` is the simulator's; the key files are PEM. `notify_port` is where the competitor
    receives Antom's notifications, on `notify_path` of the loopback address. `pace` divides all
    waits (antom_refunds.domain.policy.Policy).
    """

    gateway: str
    client_id: str
    private_key: Path
    antom_public_key: Path
    notify_port: int
    notify_path: str
    pace: float


class Peer(Protocol):
    """One engine with its application: `app` calls Antom, `door` takes its notifications.

    Further parts are the engine's own servers, if it has any (`server`). All processes listen on
    loopback; everything that is stored stands in the folder that the peer was made with.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def about(self) -> str:
        """Versions and settings that matter, in one line."""

    async def start(self) -> None:
        """Start every part; ready for orders when it returns. Raises SettingsError."""

    async def stop(self) -> None:
        """Stop every part."""

    async def ask(self, order: RefundOrder) -> None:
        """Have this refund driven to its end: durable when it returns; repeating it is safe.

        Raises an error while the engine is away; the caller then asks again.
        """

    async def ends(self) -> Mapping[str, End]:
        """Every refund that has ended, by its refundRequestId."""

    def pids(self) -> Mapping[str, int]:
        """The running processes by part; their descendants count as theirs."""

    async def kill(self, part: str) -> None:
        """SIGKILL for this part, descendants included."""

    async def revive(self, part: str) -> None:
        """Start a part again that was killed; ready when it returns."""

    def stored_bytes(self) -> int:
        """Bytes on disk by now."""
