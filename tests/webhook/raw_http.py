"""The webhook over a real socket, byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from antom_refunds.asgi_server import serve_in_background
from antom_refunds.settings import Address
from tests.harness import TEST_TIMEOUT, WEBHOOK_PATH


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection; every wait has a time limit."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the next response."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(status.split()[1]), headers, body

    async def rest(self) -> bytes:
        """All data until the server closes the connection."""
        async with asyncio.timeout(TEST_TIMEOUT.total_seconds()):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def listening(app: Any, **limits: timedelta) -> AsyncIterator[int]:
    """The app behind our own server; yields the port."""
    async with serve_in_background(app, Address(host="127.0.0.1", port=0), **limits) as port:
        yield port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield connection
    finally:
        await connection.close()


def head(
    headers: Mapping[str, str],
    *more: bytes,
    length: int | None = None,
    version: str = "1.1",
    path: str = WEBHOOK_PATH,
) -> bytes:
    """The head of a POST; `more` are further header lines, unchanged."""
    lines = [f"POST {path} HTTP/{version}".encode(), b"host: shop.test"]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    lines += more
    if length is not None:
        lines.append(f"content-length: {length}".encode())
    return b"\r\n".join([*lines, b"", b""])
