"""Restate's server: one node that plays every role, on loopback ports, with its data in a folder.

Left as it comes: its log syncs every write, and it retains finished workflows for a day.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from antom_refunds.domain.refund import RefundState
from antom_refunds.settings import SettingsError
from bench.peers.common.parts import ROOT, size_of
from bench.peers.peer import End
from bench.peers.restate_app.workflow import NAME, STATE
from starter.ports import ANY, HOST, free_ports

_TOOLS: Final = ROOT / ".venv-peers" / "node" / "node_modules" / "@restatedev"
_JSON: Final = {"accept": "application/json"}
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
# The workflow's own state and the moment of its completion, both from Restate's records.
_ENDS: Final = f"""
SELECT i.target_service_key AS id, s.value_utf8 AS state, i.completed_at AS at
FROM sys_invocation i
JOIN state s ON s.service_name = i.target_service_name AND s.service_key = i.target_service_key
WHERE i.target_service_name = '{NAME}' AND i.target_handler_name = 'run'
  AND i.status = 'completed' AND s.key = '{STATE}'
"""  # noqa: S608 - constants of ours


class Server:
    """The server's command, its two doors, and what it has recorded."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError if it is not installed."""
        self._data = folder / "restate"
        self._file = folder / "restate.toml"
        self._ports = free_ports([ANY] * 3)
        _, ingress, admin = self._ports
        self.ingress = f"http://{HOST}:{ingress}"
        self._admin = httpx.AsyncClient(
            base_url=f"http://{HOST}:{admin}", trust_env=False, timeout=30
        )
        self._binary = _binary()

    async def aclose(self) -> None:
        await self._admin.aclose()

    def prepare(self) -> None:
        """Write the configuration."""
        node, ingress, admin = self._ports
        told = {"data": self._data, "host": HOST, "node": node, "ingress": ingress, "admin": admin}
        self._data.mkdir(parents=True, exist_ok=True)
        self._file.write_text(_CONFIGURATION.format(**told))

    def command(self) -> list[str]:
        return [str(self._binary), "--no-logo", "--config-file", str(self._file)]

    async def is_ready(self) -> bool:
        """Whether it takes invocations and answers questions."""
        async with httpx.AsyncClient(base_url=self.ingress, trust_env=False) as ingress:
            return await _is_well(ingress, "/restate/health") and await _is_well(
                self._admin, "/health"
            )

    async def register(self, services: str) -> None:
        """Have it know the services at this address; raises httpx.HTTPError."""
        answer = await self._admin.post("/deployments", json={"uri": services})
        answer.raise_for_status()

    async def ends(self) -> dict[str, End]:
        """Every refund that has ended; raises httpx.HTTPError while it is away."""
        answer = await self._admin.post("/query", json={"query": _ENDS}, headers=_JSON)
        answer.raise_for_status()
        return {row["id"]: _end(row) for row in answer.json()["rows"]}

    def stored_bytes(self) -> int:
        return size_of(self._data)


def _binary() -> Path:
    found = next(_TOOLS.glob("restate-server-*/bin/restate-server"), None)
    if found is None:
        raise SettingsError("Restate's server is missing: run scripts/setup-peers")
    return found


async def _is_well(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).is_success
    except httpx.TransportError:
        return False


def _end(row: dict[str, Any]) -> End:
    # The state is kept as the JSON that the workflow wrote.
    return End(RefundState(row["state"].strip('"')), datetime.fromisoformat(row["at"]))
