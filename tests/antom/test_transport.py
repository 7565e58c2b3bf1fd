"""Connections over real sockets: errors outside httpx, and a pool that loses connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx
import pytest

from antom_refunds.antom import antom_client as client_module
from antom_refunds.antom import transport as transport_module
from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import (
    AntomError,
    ConnectionSettingsError,
    NoResponseError,
    NotSentError,
)
from antom_refunds.antom.transport import Connections, RawResponse
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.domain.policy import CALL_TIMEOUT

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ORDER: Final = RefundOrder(
    refund_request_id="rf-1", payment_id="pay-1", amount=Money(currency="EUR", minor=1250)
)
EMPTY: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def _listening(handle: Handle) -> AsyncIterator[str]:
    """A server that handles each connection with `handle`."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Server:
    """A server that responds 200 to every request once it is open, and counts requests."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.requests = 0
        self.running = 0
        self.running_max = 0
        self.arrived = asyncio.Condition()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
            async with self.arrived:
                self.requests += 1
                self.running += 1
                self.running_max = max(self.running, self.running_max)
                self.arrived.notify_all()
            await self.opened.wait()
            self.running -= 1
            writer.write(EMPTY)
            await writer.drain()

    async def until(self, requests: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.requests >= requests)


@asynccontextmanager
async def _connections(
    server: Server, *, calls_max: int, connections_max: int | None = None
) -> AsyncIterator[Connections]:
    async with _listening(server.handle) as gateway:
        connections = Connections(
            gateway,
            connect_timeout=timedelta(milliseconds=100),
            response_timeout=timedelta(seconds=30),
            calls_max=calls_max,
            connections_max=connections_max,
        )
        try:
            yield connections
        finally:
            await connections.aclose()


async def _post(connections: Connections) -> RawResponse:
    async with connections.slot():
        return await connections.post("/x", b"{}", {})


# --- the pool


async def test_more_callers_than_slots_wait_and_do_not_block_the_pool() -> None:
    server = Server()
    async with _connections(server, calls_max=2) as connections:
        crowd = [asyncio.ensure_future(_post(connections)) for _ in range(20)]
        await server.until(2)
        for waiting in crowd[10:15]:
            waiting.cancel()
        ends = await asyncio.gather(*crowd[2:], return_exceptions=True)
        server.opened.set()
        first = await asyncio.gather(*crowd[:2])

        after = await asyncio.gather(*[_post(connections) for _ in range(2)])

    assert [received.status for received in (*first, *after)] == [200] * 4
    assert {type(end) for end in ends} == {NotSentError, asyncio.CancelledError}
    assert "2 calls are running and none finished within 0.1 s" in str(ends[0])
    assert server.running_max == 2
    assert (connections.pool_rebuilds, connections.pool_is_stalled) == (0, False)


async def test_running_calls_that_are_cancelled_give_their_slots_back() -> None:
    server = Server()
    async with _connections(server, calls_max=3) as connections:
        for round_ in range(1, 4):
            running = [asyncio.ensure_future(_post(connections)) for _ in range(3)]
            await server.until(3 * round_)
            for call in running:
                call.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        server.opened.set()

        after = await asyncio.gather(*[_post(connections) for _ in range(3)])

    assert [received.status for received in after] == [200] * 3


async def test_a_stalled_pool_is_replaced_without_affecting_running_calls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    async with _connections(server, calls_max=10, connections_max=1) as connections:
        old = connections._pool.http
        running = asyncio.ensure_future(_post(connections))
        await server.until(1)
        for _ in range(4):
            await _times_out(connections)
        before = (connections.pool_rebuilds, connections.pool_is_stalled)
        await _times_out(connections)
        then = (connections.pool_rebuilds, connections.pool_is_stalled)
        was_closed_before = old.is_closed
        server.opened.set()
        received = await running
        await asyncio.gather(*connections._closing)

        after = await _post(connections)

    assert (before, then) == ((0, False), (1, True))
    assert (received.status, after.status) == (200, 200)
    assert (connections.pool_rebuilds, connections.pool_is_stalled) == (1, False)
    assert (was_closed_before, old.is_closed) == (False, True)
    ours = [record.getMessage() for record in caplog.records if "antom_refunds" in record.name]
    assert ours == ["antom.pool_rebuilt"]


async def _times_out(connections: Connections) -> None:
    with pytest.raises(NotSentError, match="PoolTimeout"):
        await _post(connections)


async def test_many_callers_of_a_stalled_pool_replace_it_once() -> None:
    server = Server()
    async with _connections(server, calls_max=20, connections_max=1) as connections:
        running = asyncio.ensure_future(_post(connections))
        await server.until(1)
        waiting = [_post(connections) for _ in range(15)]
        await asyncio.gather(*waiting, return_exceptions=True)
        server.opened.set()
        await running

        after = await _post(connections)

    assert after.status == 200
    assert connections.pool_rebuilds == 1


async def test_a_retired_pool_is_closed_with_the_client() -> None:
    server = Server()
    async with _connections(server, calls_max=10, connections_max=1) as connections:
        old = connections._pool.http
        running = asyncio.ensure_future(_post(connections))
        await server.until(1)
        await asyncio.gather(*[_post(connections) for _ in range(5)], return_exceptions=True)

        await connections.aclose()

        with pytest.raises(NoResponseError):
            await running
        assert old.is_closed
        with pytest.raises(NotSentError, match="the client is closed"):
            await _post(connections)


async def test_a_pool_that_cannot_be_closed_is_only_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(_: httpx.AsyncClient) -> None:
        raise RuntimeError("a socket in a bad state")

    pool = transport_module._Pool(httpx.AsyncClient(transport=httpx.MockTransport(_nothing)))
    with monkeypatch.context() as patched:
        patched.setattr(httpx.AsyncClient, "aclose", breaks)
        await transport_module._close(pool)
    await pool.http.aclose()

    assert "antom.pool_not_closed" in caplog.text


def _nothing(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


async def test_connections_that_httpcore_loses_are_replaced() -> None:
    """Goal: a known defect of httpcore does not stall the client. Method: more callers than
    connections, cancelled while they wait and connect, until the pool is replaced."""
    server = Server()
    server.opened.set()
    async with _connections(server, calls_max=100, connections_max=2) as connections:
        for _ in range(300):
            crowd = [asyncio.ensure_future(_post(connections)) for _ in range(12)]
            for call in crowd[:-1]:
                await asyncio.sleep(0)
                call.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            if connections.pool_rebuilds:
                break

        after = [await _post(connections) for _ in range(3)]

    assert [received.status for received in after] == [200] * 3
    assert connections.pool_rebuilds >= 1


async def test_a_transport_that_is_not_ours_is_never_replaced(account: MerchantAccount) -> None:
    def no_connection(_: httpx.Request) -> httpx.Response:
        raise httpx.PoolTimeout("none")

    transport = httpx.MockTransport(no_connection)
    async with AntomClient(account, transport=transport) as antom:
        for _ in range(6):
            with pytest.raises(NotSentError, match="PoolTimeout"):
                await antom.refund(ORDER)

        assert (antom.pool_rebuilds, antom.pool_is_stalled) == (0, True)


async def test_concurrent_calls_are_limited_to_the_size_of_the_client(
    account: MerchantAccount,
) -> None:
    server = Server()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(_listening(server.handle))
        local = replace(account, gateway=gateway, connect_timeout=timedelta(milliseconds=100))
        antom = await stack.enter_async_context(AntomClient(local, calls_max=1))
        running = asyncio.ensure_future(antom.refund(ORDER))
        await server.until(1)

        with pytest.raises(NotSentError, match="1 calls are running"):
            await antom.inquire_refund("rf-1")

        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# --- errors outside httpx


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (httpx.ProxyError("407"), NotSentError, "not_sent"),
        (ssl.SSLError("a corrupted record"), NoResponseError, "no_response"),
        (ConnectionResetError("reset"), NoResponseError, "no_response"),
        (TimeoutError("a socket's own"), NoResponseError, "no_response"),
        (httpx.StreamConsumed(), NoResponseError, "no_response"),
        (httpx.InvalidURL("a redirect's"), NoResponseError, "internal_error"),
        (httpx.CookieConflict("two"), NoResponseError, "internal_error"),
        (RuntimeError("closed"), NoResponseError, "internal_error"),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"), NoResponseError, "internal_error"),
        (ExceptionGroup("several", [OSError("one")]), NoResponseError, "internal_error"),
        (RecursionError("deep"), NoResponseError, "internal_error"),
    ],
)
async def test_any_error_outside_httpx_is_doubt_unless_certainly_not_sent(
    account: MerchantAccount, error: Exception, expected: type[AntomError], code: str
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        raise error

    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(expected) as conclusion:
            await antom.refund(ORDER)

    assert type(conclusion.value) is expected
    assert conclusion.value.code == code
    assert type(error).__name__ in str(conclusion.value)


async def test_a_broken_encoding_is_doubt(account: MerchantAccount) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        headers = {"content-encoding": "gzip"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"no gzip"))

    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(NoResponseError, match="DecodingError"):
            await antom.refund(ORDER)


async def test_no_content_encoding_is_requested(account: MerchantAccount) -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500)

    async with AntomClient(account, transport=httpx.MockTransport(respond)) as antom:
        with pytest.raises(AntomError):
            await antom.refund(ORDER)

    assert requests[0].headers["accept-encoding"] == "identity"


async def test_an_unexpected_error_around_a_call_is_doubt_and_logged(
    account: MerchantAccount, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    async with AntomClient(
        account,
        transport=httpx.MockTransport(_nothing),
        now=breaks,  # type: ignore[arg-type]
    ) as antom:
        with pytest.raises(NoResponseError, match="see the log") as conclusion:
            await antom.refund(ORDER)

    assert conclusion.value.code == "internal_error"
    assert "ZeroDivisionError" in caplog.text


async def test_a_closed_client_sends_nothing(account: MerchantAccount) -> None:
    antom = AntomClient(account, transport=httpx.MockTransport(_nothing))
    await antom.aclose()

    with pytest.raises(NotSentError, match="the client is closed"):
        await antom.refund(ORDER)


async def test_a_proxy_that_opens_no_tunnel_receives_no_request(
    account: MerchantAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with _listening(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        async with AntomClient(account) as antom:
            with pytest.raises(NotSentError, match="ProxyError"):
                await antom.refund(ORDER)


@pytest.mark.parametrize(
    ("gateway", "proxy"),
    [
        ("https://antom.example.com", "socks5://127.0.0.1:1"),
        ("https://antom.example.com", "ftp://user:secret@127.0.0.1"),
        ("https://antom.example.com:port", ""),
    ],
)
def test_unusable_proxy_settings_are_named_without_their_values(
    account: MerchantAccount, monkeypatch: pytest.MonkeyPatch, gateway: str, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(
        ConnectionSettingsError, match=r"check the gateway and .* ALL_PROXY"
    ) as error:
        AntomClient(replace(account, gateway=gateway))

    assert "secret" not in str(error.value)


# --- deadlines


def test_the_deadline_is_before_temporals_and_after_all_phases(
    account: MerchantAccount,
) -> None:
    deadline = client_module._DEADLINE
    slot = connect = account.connect_timeout

    assert deadline < CALL_TIMEOUT
    assert slot + transport_module._POOL_WAIT_MAX + connect + account.response_timeout < deadline
