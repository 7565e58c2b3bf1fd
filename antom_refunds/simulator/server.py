"""The simulator over HTTP: as a process of its own, or within a running event loop.

Every call gets HTTP 200 and a signed response. What the gate rejects gets an unsigned one, as the
real gateway seems to do.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from antom_refunds.antom.signing import SignedMessage
from antom_refunds.antom.wire import RefundResponse
from antom_refunds.embedded_server import embedded_server, open_listener
from antom_refunds.limited_body import read_limited
from antom_refunds.simulator.authentication import (
    BODY_BYTES_MAX,
    IncomingRequest,
    SignedBy,
    Signers,
)
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.control_api import ControlApi
from antom_refunds.simulator.fault_effects import CutPoint, PlannedResponse
from antom_refunds.simulator.requests import CallRejectedError
from antom_refunds.simulator.responses import format_time, serialise
from antom_refunds.simulator.result_codes import result
from antom_refunds.simulator.simulator import AntomSimulator

log = logging.getLogger(__name__)

_SHUTDOWN_SECONDS: Final = 1
_KEEP_ALIVE_SECONDS: Final = 75
_SOCKET: Final = "antom_refunds.socket"


async def serve(config: SimulatorConfig) -> None:
    """Serve until the process is stopped; raises KeyFileError or OSError if it cannot start."""
    async with config.build_simulator() as simulator:
        with open_listener(config.host, config.port) as listener:
            listening = {"address": _address(listener), "speedup": config.speedup}
            log.info("simulator.listening", extra=listening)
            await uvicorn.Server(_settings(simulator)).serve(sockets=[listener])


@asynccontextmanager
async def serve_simulator(
    simulator: AntomSimulator, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve this simulator in the running event loop while inside; yields its base URL.

    Raises OSError if the address cannot be used.
    """
    with open_listener(host, port) as listener:
        async with embedded_server(_settings(simulator), listener):
            yield _address(listener)


def create_app(simulator: AntomSimulator) -> Starlette:
    """An ASGI app with Antom's endpoints and the control API of this simulator."""
    app = Starlette(routes=[ControlApi(simulator).mount()])
    app.mount("", AntomApi(simulator))
    return app


class AntomApi:
    """Antom's API: every path outside the control API, with any method."""

    def __init__(self, simulator: AntomSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _incoming(Request(scope, receive))
        planned = await self._respond(request)
        simulator = self._simulator
        response = _to_http(planned, request, signers=simulator.signers, now=simulator.now())
        await response(scope, receive, send)

    async def _respond(self, request: IncomingRequest) -> PlannedResponse:
        simulator = self._simulator
        try:
            call = simulator.authenticator.authenticate(request)
        except CallRejectedError as error:
            signs = simulator.signs_gate_refusals
            return _rejection(error, SignedBy.ANTOM if signs else SignedBy.UNSIGNED)
        try:
            return await simulator.handlers.handle(call)
        except CallRejectedError as error:
            return _rejection(error, SignedBy.ANTOM)


def _rejection(error: CallRejectedError, signed_by: SignedBy) -> PlannedResponse:
    return PlannedResponse(serialise(RefundResponse(result=result(error.code))), signed_by)


async def _incoming(request: Request) -> IncomingRequest:
    headers = request.headers
    return IncomingRequest(
        method=request.method,
        path=request.scope["raw_path"].decode("latin-1"),
        query=request.url.query,
        content_type=headers.get("content-type", ""),
        client_id=headers.get("client-id", ""),
        time=headers.get("request-time", ""),
        signature=headers.get("signature"),
        body=await read_limited(request.stream(), BODY_BYTES_MAX),
    )


def _to_http(
    planned: PlannedResponse, request: IncomingRequest, *, signers: Signers, now: datetime
) -> Response:
    """The HTTP response, signed over the requested path (docs/antom.md#signing)."""
    if planned.cut is CutPoint.BEFORE_RESPONSE:
        return CutResponse()
    headers = _headers(planned, request, signers, now)
    if planned.cut is CutPoint.MID_BODY:
        return CutResponse(planned.body, headers)
    return Response(planned.body, planned.status, headers)


def _headers(
    planned: PlannedResponse, request: IncomingRequest, signers: Signers, now: datetime
) -> dict[str, str]:
    """An unsigned response has no `response-time` either."""
    plain = {"content-type": "application/json; charset=UTF-8", "client-id": request.client_id}
    if planned.signed_by is SignedBy.UNSIGNED:
        return plain
    time = format_time(now - planned.age)
    signed = SignedMessage(
        path=request.target, client_id=request.client_id, time=time, body=planned.body
    )
    return {**plain, "response-time": time, **signers.header(signed, planned.signed_by)}


class ConnectionCutError(httpx.ReadError):
    """Stands for a cut connection to a client in the same process, where there is no socket."""


class CutResponse(Response):
    """Cuts the connection: before any response, or after half of the body if there is one."""

    def __init__(self, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope.get("extensions", {}).get(_SOCKET)
        if self.body:
            await self._send_half(send)
        if transport is None:
            raise ConnectionCutError("the connection was cut")
        if self.body:
            transport.close()  # sends what has been written
        else:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _send_half(self, send: Send) -> None:
        half = bytes(self.body)[: len(self.body) // 2]
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send({"type": "http.response.body", "body": half, "more_body": True})


class _CuttableProtocol(HttpToolsProtocol):
    """HTTP/1.1 that gives the app access to its own socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_socket(self.app, transport)


def _with_socket(app: Callable[..., Awaitable[None]], transport: asyncio.Transport) -> Any:
    async def with_socket(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {_SOCKET: transport}
        await app(scope, receive, send)

    return with_socket


def _settings(simulator: AntomSimulator) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(simulator),
        http=_CuttableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Closing a connection just as the client reuses it would be a fault that was not planned.
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
