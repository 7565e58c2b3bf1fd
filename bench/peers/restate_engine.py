"""Restate: its server as one node with its defaults, the services that it calls, and a webhook."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx

from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.environment import ROOT
from bench.peers.engine import End, Engine
from bench.peers.restate_app import NAME, STATE
from starter.tcp_ports import ANY_PORT, HOST, find_free_ports

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

    roles = ("app", "server", "webhook")  # the server calls the app
    module = "bench.peers.restate_app"

    @property
    def about(self) -> str:
        pins = json.loads((ROOT / "bench/peers/restate/package.json").read_text())
        server = pins["dependencies"]["@restatedev/restate-server"]
        sdk = metadata.version("restate-sdk")
        return f"restate-sdk {sdk}, restate-server {server}; one node, log synced"

    @property
    def data(self) -> Path:
        return self.home / "restate"

    @cached_property
    def _ingress(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{self.temporal_address}", trust_env=False)

    @cached_property
    def _admin(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.ui_url, trust_env=False, timeout=30)

    async def start_all(self) -> None:
        self.data.mkdir()
        (node,) = find_free_ports([ANY_PORT])
        ports = {"node": node, "ingress": self.ports.temporal, "admin": self.ports.ui}
        configuration = _CONFIGURATION.format(data=self.data, host=HOST, **ports)
        (self.home / "restate.toml").write_text(configuration)
        self.arguments = (self.temporal_address,)
        await super().start_all()
        services = {"uri": f"http://{HOST}:{self.ports.worker}"}
        (await self._admin.post("/deployments", json=services)).raise_for_status()

    async def stop_all(self) -> None:
        await self._ingress.aclose()
        await self._admin.aclose()
        if "app" in self.pids():
            self.kill("app")  # the SDK takes SIGTERM away from Hypercorn
        await super().stop_all()

    async def request(self, order: RefundOrder) -> None:
        path, headers = f"/{NAME}/{order.refund_request_id}/run/send", _json("content-type")
        answer = await self._ingress.post(path, content=order.model_dump_json(), headers=headers)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        answer = await self._admin.post("/query", json={"query": _ENDS}, headers=_json("accept"))
        rows = answer.raise_for_status().json()["rows"]
        # The state is stored as the JSON that the workflow wrote.
        return {
            row["id"]: End(RefundState(row["state"].strip('"')), datetime.fromisoformat(row["at"]))
            for row in rows
        }

    def server_command(self) -> list[str]:
        binary = next(_INSTALLED.glob("restate-server-*/bin/restate-server"), None)
        if binary is None:
            raise SettingsError("Restate's server is missing: run scripts/setup-peers")
        return [str(binary), "--no-logo", "--config-file", str(self.home / "restate.toml")]

    async def is_ready(self, name: str) -> bool:
        if name != "server":
            return True
        is_healthy = await _is_healthy(self._ingress, "/restate/health")
        return is_healthy and await _is_healthy(self._admin, "/health")


def _json(header: str) -> dict[str, str]:
    return {header: "application/json"}


async def _is_healthy(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).is_success
    except httpx.TransportError:
        return False
