"""Restate: its server as one node with its defaults, the services that it calls, and a webhook.

`python -m bench.peers.restate_peer app|webhook INGRESS` is one of its processes. Hypercorn is
the web server that Restate's documentation names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from importlib import metadata
from typing import Final

import httpx
import restate
from hypercorn import Config
from hypercorn.asyncio import serve as serve_http2
from restate import RunOptions, TerminalError, Workflow, WorkflowContext, select
from restate import WorkflowSharedContext as SharedContext

from antom_refunds import Policy, RefundOrder, RefundState
from antom_refunds.domain.evidence import Evidence
from antom_refunds.domain.refund import Refund
from antom_refunds.merchants import build_clients
from antom_refunds.settings import Settings, SettingsError
from bench.environment import ROOT
from bench.peers.antom_calls import AntomCalls, PollingState
from bench.peers.engine import End, Engine
from bench.peers.webhook import run_role, serve_webhook
from starter.tcp_ports import ANY_PORT, HOST, find_free_ports

NAME: Final = "Refund"
# Where the final state can be read, as long as Restate retains the workflow.
STATE: Final = "state"
# A promise resolves once, so each notification has its own; Antom sends few.
_NOTIFICATIONS_MAX: Final = 20
_EVIDENCE: Final = RunOptions[Evidence](type_hint=Evidence)
_JSON: Final = {"content-type": "application/json"}
_INSTALLED: Final = ROOT / ".venv-peers" / "node" / "node_modules" / "@restatedev"
_CONFIGURATION: Final = """\
node-name = "refunds"
base-dir = "{data}"
listen-mode = "tcp"
bind-address = "{host}:{node}"
disable-telemetry = true
log-disable-ansi-codes = true
ingress.bind-address = "{host}:{ingress}"
admin.bind-address = "{host}:{admin}"
admin.disable-web-ui = true
"""
# The workflow's own state and when it completed, both from Restate's records.
_ENDS: Final = f"""
SELECT i.target_service_key AS id, s.value_utf8 AS state, i.completed_at AS at
FROM sys_invocation i
JOIN state s ON s.service_name = i.target_service_name AND s.service_key = i.target_service_key
WHERE i.target_service_name = '{NAME}' AND i.target_handler_name = 'run'
  AND i.status = 'completed' AND s.key = '{STATE}'
"""  # noqa: S608 - constants of ours


@dataclass(slots=True)
class RefundRun:
    """One refund: each call is a `run`, each wait a race of a promise and a timer."""

    context: WorkflowContext
    calls: AntomCalls
    received: int = 0

    async def notified(self, wait: timedelta) -> Evidence | None:
        """The next notification; None if none arrives in time."""
        promise = self.context.promise(_promise(self.received), type_hint=Evidence)
        match await select(evidence=promise.value(), wait=self.context.sleep(wait)):
            case ["evidence", Evidence() as evidence]:
                self.received += 1
                return evidence
            case _:
                return None

    async def call(self, refund: Refund) -> Evidence:
        return await self.context.run_typed("call", self.calls.call, _EVIDENCE, refund)  # type: ignore[no-any-return, unused-ignore]


def refund_workflow(calls: AntomCalls, policy: Policy) -> Workflow:
    """The workflow with these calls; its key is the refundRequestId."""
    workflow = Workflow(NAME)

    @workflow.main()
    async def run(context: WorkflowContext, order: RefundOrder) -> str:
        its = RefundRun(context, calls)
        refund = await PollingState(Refund(order=order)).run(policy, its.notified, its.call)
        context.set(STATE, refund.state.value)
        return refund.state.value

    @workflow.handler()
    async def notify(context: SharedContext, evidence: Evidence) -> None:
        """Resolve the first promise that is still open."""
        for number in range(_NOTIFICATIONS_MAX):
            try:
                await context.promise(_promise(number), type_hint=Evidence).resolve(evidence)
            except TerminalError:
                continue  # resolved before
            return

    return workflow


def _promise(number: int) -> str:
    return f"notification-{number}"


async def run_app(settings: Settings, _: str) -> None:
    """Until it is killed."""
    config = Config()
    config.bind = [str(settings.health_listen)]
    async with build_clients(settings)["default"] as antom:
        workflow = refund_workflow(AntomCalls(antom), settings.policy)
        await serve_http2(restate.app([workflow]), config)


async def run_webhook(settings: Settings, ingress: str) -> None:
    """Until SIGTERM. A notification is a message to the workflow, durable when it is sent."""
    async with restate.create_client(f"http://{ingress}") as client:

        async def deliver(refund_request_id: str, evidence: Evidence, delivery_id: str) -> None:
            body, ids = evidence.model_dump_json().encode(), (refund_request_id, delivery_id)
            await client.generic_send(
                NAME, "notify", body, key=ids[0], idempotency_key=ids[1], headers=_JSON
            )

        await serve_webhook(settings, deliver)


class RestateEngine(Engine):
    """A workflow for each refund, whose key is the refundRequestId."""

    roles = ("app", "server", "webhook")  # the server calls the app
    module = "bench.peers.restate_peer"

    @property
    def about(self) -> str:
        pins = json.loads((ROOT / "bench/peers/restate/package.json").read_text())
        server = pins["dependencies"]["@restatedev/restate-server"]
        sdk = metadata.version("restate-sdk")
        return f"restate-sdk {sdk}, restate-server {server}; one node, log synced"

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
        path, headers = f"/{NAME}/{order.refund_request_id}/run/send", _JSON
        answer = await self._ingress.post(path, content=order.model_dump_json(), headers=headers)
        answer.raise_for_status()

    async def ends(self) -> Mapping[str, End]:
        answer = await self._admin.post(
            "/query", json={"query": _ENDS}, headers={"accept": _JSON["content-type"]}
        )
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


async def _is_healthy(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    run_role(run_app, run_webhook)
