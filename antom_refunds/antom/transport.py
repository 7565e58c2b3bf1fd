"""Sends bytes to Antom over a connection pool that is replaced when it loses connections.

Only this module sends requests with httpx. It translates the errors of httpx and the layers below
it to one of two conclusions: certainly not sent, or possibly executed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx

from antom_refunds.antom.call_errors import (
    AntomError,
    ConnectionSettingsError,
    NoResponseError,
    NotSentError,
)
from antom_refunds.limited_body import read_limited

log = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 256 * 1024
OK: Final = 200
# The pool has one connection per concurrent call, so a call waits only if connections were lost.
_POOL_WAIT_MAX: Final = timedelta(seconds=1)
_POOL_TIMEOUTS_MAX: Final = 5
# The body of an error status is only informative, so it must not delay the error for long.
_ERROR_BODY_WAIT_MAX: Final = timedelta(seconds=2)
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,  # the proxy opened no tunnel
    httpx.UnsupportedProtocol,
)

BaseTransport = httpx.AsyncBaseTransport


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An unverified response; `body` is None if it was longer than BODY_BYTES_MAX."""

    status: int
    response_time: str
    signature: str | None
    body: bytes | None


@dataclass(eq=False, slots=True)
class _Pool:
    http: httpx.AsyncClient
    calls: int = 0
    timeouts: int = 0


class Connections:
    """At most `calls_max` concurrent calls over persistent connections.

    `response_timeout` is per read. `connections_max` is for tests; it defaults to `calls_max`.
    Raises ConnectionSettingsError if the gateway or the machine's proxy settings are unusable.
    """

    def __init__(
        self,
        gateway: str,
        *,
        connect_timeout: timedelta,
        response_timeout: timedelta,
        calls_max: int,
        connections_max: int | None = None,
        transport: BaseTransport | None = None,
    ) -> None:
        self._gateway = gateway
        self._calls_max = calls_max
        self._connections_max = connections_max or calls_max
        self._slot_wait_max = connect_timeout
        self._timeout = httpx.Timeout(
            response_timeout.total_seconds(),
            connect=connect_timeout.total_seconds(),
            pool=min(connect_timeout, _POOL_WAIT_MAX).total_seconds(),
        )
        self._transport = transport
        self._slots = asyncio.Semaphore(calls_max)
        self._pool = self._new_pool()
        self._retired: set[_Pool] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._timeouts_in_a_row = 0
        self._is_closed = False
        self.pool_rebuilds = 0

    @property
    def pool_is_stalled(self) -> bool:
        """Whether the latest calls all timed out waiting for a connection; a response resets it."""
        return self._timeouts_in_a_row >= _POOL_TIMEOUTS_MAX

    async def aclose(self) -> None:
        """Close all connections; calls in progress are aborted."""
        self._is_closed = True
        for pool in (self._pool, *self._retired):
            await pool.http.aclose()
        await asyncio.gather(*self._closing)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A slot for one call; raises NotSentError if none is free within the connect timeout."""
        seconds = self._slot_wait_max.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            message = f"{self._calls_max} calls are running and none finished within {seconds:g} s"
            raise NotSentError("not_sent", message) from error
        try:
            yield
        finally:
            self._slots.release()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> RawResponse:
        """Send these bytes and return the response; call it within `slot()`.

        Raises NotSentError only if nothing was sent, and NoResponseError in all other cases.
        """
        if self._is_closed:
            raise NotSentError("not_sent", "the client is closed")
        pool = self._pool
        pool.calls += 1
        try:
            received = await _send(pool.http, path, body, headers)
        except Exception as error:
            if isinstance(error, httpx.PoolTimeout):
                self._count_timeout(pool)
            raise _to_antom_error(error) from error
        else:
            self._timeouts_in_a_row = 0
            return received
        finally:
            pool.calls -= 1
            self._close_if_unused(pool)

    def _new_pool(self) -> _Pool:
        try:
            http = httpx.AsyncClient(
                base_url=self._gateway,
                timeout=self._timeout,
                # Keep all connections: each burst would otherwise open most of its own again.
                limits=httpx.Limits(
                    max_connections=self._connections_max,
                    max_keepalive_connections=self._connections_max,
                ),
                transport=self._transport,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConnectionSettingsError(
                f"no connection is possible ({type(error).__name__}): check the gateway and the "
                "variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
            ) from error
        return _Pool(http)

    def _count_timeout(self, pool: _Pool) -> None:
        """Replace the pool after repeated timeouts: it never recovers lost connections.

        This is a known fault of the library (encode/httpcore#1093).
        """
        self._timeouts_in_a_row += 1
        pool.timeouts += 1
        is_ours = self._transport is None
        if is_ours and pool is self._pool and pool.timeouts >= _POOL_TIMEOUTS_MAX:
            self._pool = self._new_pool()
            self._retired.add(pool)
            self.pool_rebuilds += 1
            log.warning("antom.pool_rebuilt", extra={"calls_on_old_pool": pool.calls - 1})

    def _close_if_unused(self, pool: _Pool) -> None:
        if pool in self._retired and not pool.calls:
            self._retired.remove(pool)
            closing = asyncio.create_task(_close(pool))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


async def _close(pool: _Pool) -> None:
    try:
        await pool.http.aclose()
    except Exception as error:  # noqa: BLE001 - nothing depends on the old pool any more
        log.warning("antom.pool_not_closed", extra={"reason": type(error).__name__})


async def _send(
    http: httpx.AsyncClient, path: str, body: bytes, headers: Mapping[str, str]
) -> RawResponse:
    async with http.stream("POST", path, content=body, headers=headers) as response:
        whole = await (
            _body(response) if response.status_code == OK else _read_error_body(response)
        )
    return RawResponse(
        status=response.status_code,
        response_time=response.headers.get("response-time", ""),
        signature=response.headers.get("signature"),
        body=whole,
    )


async def _body(response: httpx.Response) -> bytes | None:
    return await read_limited(response.aiter_bytes(), BODY_BYTES_MAX)


async def _read_error_body(response: httpx.Response) -> bytes | None:
    try:
        async with asyncio.timeout(_ERROR_BODY_WAIT_MAX.total_seconds()):
            return await _body(response)
    except (httpx.HTTPError, httpx.StreamError, OSError):
        return None


def _to_antom_error(error: Exception) -> AntomError:
    """Name only the error's class, because its text may contain addresses."""
    name = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return NotSentError("not_sent", f"no connection to Antom: {name}")
    # httpx does not wrap the ssl.SSLError (an OSError) of a corrupted TLS record.
    if not isinstance(error, httpx.HTTPError | httpx.StreamError | OSError):
        log.error("antom.internal_error", exc_info=error)
        return NoResponseError("internal_error", f"the call failed ({name}): see the log")
    return NoResponseError("no_response", f"no response from Antom: {name}")
