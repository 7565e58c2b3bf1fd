"""Restate beside the others: its server, the services that it calls, and a door."""

import json
import signal
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx

from antom_refunds.domain.order import RefundOrder
from bench.peers.common import told
from bench.peers.common.parts import ROOT, Parts, ours
from bench.peers.peer import Antom, End
from bench.peers.restate_app.server import Server
from bench.peers.restate_app.workflow import NAME
from starter.ports import ANY, HOST, free_ports, is_open

_JSON: Final = {"content-type": "application/json"}


class RestatePeer(Parts):
    """Restate: a workflow for each refund, whose key is the refundRequestId."""

    name = "Restate"
    names = ("app", "server", "door")  # the server calls the application, and not the reverse

    def __init__(self, folder: Path, antom: Antom) -> None:
        """Raises SettingsError if the server is not installed."""
        super().__init__(folder)
        self._antom = antom
        self._server = Server(folder)
        (self._port,) = free_ports([ANY])
        self._ingress = httpx.AsyncClient(base_url=self._server.ingress, trust_env=False)

    @property
    def about(self) -> str:
        """Versions and settings that matter."""
        sdk = metadata.version("restate-sdk")
        return f"restate-sdk {sdk}, restate-server {_server_version()}; one node, log synced"

    async def start(self) -> None:
        """Raises SettingsError if a part does not start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server.prepare()
        told.write(self._antom, self._told)
        await self.start_all()
        await self._server.register(f"http://{HOST}:{self._port}")

    async def stop(self) -> None:
        await self._ingress.aclose()
        await self._server.aclose()
        await self.stop_all()

    async def ask(self, order: RefundOrder) -> None:
        """Raises httpx.HTTPError while the server is away; a repetition finds the same workflow."""
        path = f"/{NAME}/{order.refund_request_id}/run/send"
        answer = await self._ingress.post(path, content=order.model_dump_json(), headers=_JSON)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        """Raises httpx.HTTPError while the server is away."""
        return await self._server.ends()

    def stored_bytes(self) -> int:
        return self._server.stored_bytes()

    def command(self, part: str) -> list[str]:
        match part:
            case "server":
                return self._server.command()
            case "app":
                return ours("bench.peers.restate_app.app", self._told, self._port)
            case _:
                return ours("bench.peers.restate_app.door", self._told, self._server.ingress)

    async def is_ready(self, part: str) -> bool:
        match part:
            case "server":
                return await self._server.is_ready()
            case "app":
                return is_open(self._port)
            case _:
                return is_open(self._antom.notify_port)

    def stop_signal(self, part: str) -> signal.Signals:
        # The SDK takes SIGTERM away from Hypercorn and only ends its open streams.
        return signal.SIGINT if part == "app" else signal.SIGTERM

    @property
    def _told(self) -> Path:
        return self.folder / "told.json"


def _server_version() -> str:
    pins = json.loads((ROOT / "bench/peers/restate_app/package.json").read_text())
    return str(pins["dependencies"]["@restatedev/restate-server"])
