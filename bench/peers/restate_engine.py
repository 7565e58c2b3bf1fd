"""Restate: its server as one node with its defaults, the services that it calls, and a webhook."""

import json
import signal
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.environment import ROOT
from bench.peers.engine import AntomConfig, End, Engine, folder_bytes
from bench.peers.restate_app import NAME, STATE
from starter.tcp_ports import ANY_PORT, HOST, find_free_ports, is_open

_INSTALLED: Final = ROOT / ".venv-peers" / "node" / "node_modules" / "@restatedev"
_CONFIGURATION: Final = """\
node-name = "refunds"
base-dir = "{data}"
listen-mode = "tcp"
bind-ip = "{host}"
bind-port = {node}
advertised-address = "http://{host}:{node}"
disable-telemetry = true
log-disable-ansi-codes = true

[ingress]
bind-ip = "{host}"
bind-port = {ingress}
advertised-ingress-endpoint = "http://{host}:{ingress}"

[admin]
bind-ip = "{host}"
bind-port = {admin}
advertised-admin-endpoint = "http://{host}:{admin}"
disable-web-ui = true
"""
# The workflow's own state and when it completed, both from Restate's records.
_ENDS: Final = f"""
SELECT i.target_service_key AS id, s.value_utf8 AS state, i.completed_at AS at
FROM sys_invocation i
JOIN state s ON s.service_name = i.target_service_name AND s.service_key = i.target_service_key
WHERE i.target_service_name = '{NAME}' AND i.target_handler_name = 'run'
  AND i.status = 'completed' AND s.key = '{STATE}'
"""  # noqa: S608 - constants of ours


class RestateEngine(Engine):
    """A workflow for each refund, whose key is the refundRequestId."""

    names = ("app", "server", "webhook")  # the server calls the app
    module = "bench.peers.restate_app"

    def __init__(self, folder: Path, antom: AntomConfig) -> None:
        super().__init__(folder, antom)
        binary = next(_INSTALLED.glob("restate-server-*/bin/restate-server"), None)
        if binary is None:
            raise SettingsError("Restate's server is missing: run scripts/setup-peers")
        self._binary = binary
        self._port, self._node, ingress, admin = find_free_ports([ANY_PORT] * 4)
        self._ports = {"node": self._node, "ingress": ingress, "admin": admin}
        self._data = folder / "restate"
        self._ingress = httpx.AsyncClient(base_url=f"http://{HOST}:{ingress}", trust_env=False)
        self._admin = httpx.AsyncClient(
            base_url=f"http://{HOST}:{admin}", trust_env=False, timeout=30
        )

    @property
    def about(self) -> str:
        pins = json.loads((ROOT / "bench/peers/restate/package.json").read_text())
        server = pins["dependencies"]["@restatedev/restate-server"]
        sdk = metadata.version("restate-sdk")
        return f"restate-sdk {sdk}, restate-server {server}; one node, log synced"

    async def start(self) -> None:
        self._data.mkdir(parents=True)
        configuration = _CONFIGURATION.format(data=self._data, host=HOST, **self._ports)
        (self.folder / "restate.toml").write_text(configuration)
        await super().start()
        services = {"uri": f"http://{HOST}:{self._port}"}
        (await self._admin.post("/deployments", json=services)).raise_for_status()

    async def stop(self) -> None:
        await self._ingress.aclose()
        await self._admin.aclose()
        await super().stop()

    async def request(self, order: RefundOrder) -> None:
        path, headers = (
            f"/{NAME}/{order.refund_request_id}/run/send",
            {"content-type": "application/json"},
        )
        answer = await self._ingress.post(path, content=order.model_dump_json(), headers=headers)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        headers = {"accept": "application/json"}
        answer = await self._admin.post("/query", json={"query": _ENDS}, headers=headers)
        rows = answer.raise_for_status().json()["rows"]
        # The state is stored as the JSON that the workflow wrote.
        return {
            row["id"]: End(RefundState(row["state"].strip('"')), datetime.fromisoformat(row["at"]))
            for row in rows
        }

    def stored_bytes(self) -> int:
        return folder_bytes(self._data)

    def command(self, name: str) -> list[str]:
        match name:
            case "server":
                file = str(self.folder / "restate.toml")
                return [str(self._binary), "--no-logo", "--config-file", file]
            case "app":
                return self.module_command(name, self._port)
            case _:
                return self.module_command(name, f"http://{HOST}:{self._ports['ingress']}")

    async def is_ready(self, name: str) -> bool:
        if name != "server":
            return is_open(self._port if name == "app" else self.antom.notify_port)
        is_healthy = await _is_healthy(self._ingress, "/restate/health")
        return is_healthy and await _is_healthy(self._admin, "/health")

    def stop_signal(self, name: str) -> signal.Signals:
        # The SDK takes SIGTERM away from Hypercorn and only closes its open streams.
        return signal.SIGINT if name == "app" else signal.SIGTERM


async def _is_healthy(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).is_success
    except httpx.TransportError:
        return False
