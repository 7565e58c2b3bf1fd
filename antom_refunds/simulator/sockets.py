"""Connections that die without an HTTP answer, as those of a broken network do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_SOCKET: Final = "antom_refunds.socket"


class ConnectionCutError(httpx.ReadError):
    """There is no socket to cut, so the client in the same process sees what a cut would show."""


class CuttableProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose application can reach its own socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _showing(self.app, transport)


def _showing(app: Callable[..., Awaitable[None]], transport: asyncio.Transport) -> Any:
    async def shown(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {_SOCKET: transport}
        await app(scope, receive, send)

    return shown


class CutResponse(Response):
    """No answer: the socket is closed at once, or after half of the body if there is one."""

    def __init__(self, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope.get("extensions", {}).get(_SOCKET)
        if self.body:
            await self._begin(send)
        if transport is None:
            raise ConnectionCutError("the connection was cut")
        if self.body:
            transport.close()  # what was begun still goes out
        else:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _begin(self, send: Send) -> None:
        half = bytes(self.body)[: len(self.body) // 2]
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send({"type": "http.response.body", "body": half, "more_body": True})
