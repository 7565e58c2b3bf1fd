"""The connection to Temporal that every process uses (docs/operators.md#connecting).

`temporalio.envconfig` reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS and API key from the
environment and from temporal.toml.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from antom_refunds.connect_failures import permanent_cause, speaks_tls, transient_cause
from antom_refunds.temporal_config import TemporalSettingsError, temporal_config

__all__ = [
    "TemporalSettingsError",
    "TemporalUnavailableError",
    "connect",
    "is_no_such_workflow",
    "open_client",
    "temporal_errors",
]

_CONNECT_LIMIT: Final = timedelta(seconds=15)
_DEFAULT_ADDRESS: Final = "localhost:7233"
# A connection that breaks mid-call surfaces as UNKNOWN. A server that is shutting down returns
# UNKNOWN, INTERNAL or ABORTED. The SDK itself retries all of them for a while.
_UNAVAILABLE: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.ABORTED,
    }
)
_REFUSED: Final = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED})


class TemporalUnavailableError(Exception):
    """Temporal is unavailable; the call had no effect, or its effect is unknown."""


async def connect(*, is_lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A Temporal client; a lazy one connects on its first call.

    Raises TemporalUnavailableError, which names the address, or TemporalSettingsError.
    """
    config = temporal_config()
    address = config.setdefault("target_host", _DEFAULT_ADDRESS)
    try:
        # The SDK waits without limit for a server that accepts connections and never responds.
        async with asyncio.timeout(_CONNECT_LIMIT.total_seconds()):
            return await open_client(config, is_lazy=is_lazy, runtime=runtime)
    except TimeoutError as error:
        raise TemporalUnavailableError(
            f"Temporal at {address} accepts connections, but does not respond"
        ) from error
    except ValueError as error:
        raise TemporalSettingsError(f"TEMPORAL_ADDRESS: {address}: {error}") from error
    except RuntimeError as error:
        if not _is_failed_connection(error):
            raise
        if not config.get("tls") and await speaks_tls(address):
            raise TemporalSettingsError(
                f"Temporal at {address} speaks TLS only: set TEMPORAL_TLS to true"
            ) from error
        raise _failed_connection(error, address) from error


async def open_client(
    config: ClientConnectConfig, *, is_lazy: bool = False, runtime: Runtime | None = None
) -> Client:
    """A client with our data converter; raises RuntimeError if no server is ready."""
    return await Client.connect(
        **config,
        data_converter=pydantic_data_converter,
        lazy=is_lazy,
        runtime=runtime,
        # A refund's messages have a few hundred bytes: compressing them costs more than it saves.
        grpc_compression=GrpcCompression.NONE,
    )


@contextmanager
def temporal_errors() -> Iterator[None]:
    """Translate the SDK's errors to TemporalUnavailableError or TemporalSettingsError."""
    try:
        yield
    except RPCError as error:
        if error.status in _REFUSED or _is_about_the_namespace(error):
            raise TemporalSettingsError(
                f"Temporal refuses the call: {error.message}; "
                "check TEMPORAL_NAMESPACE and TEMPORAL_API_KEY"
            ) from error
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
            raise TemporalSettingsError(
                f"{error.message}: run 'antom-refunds register-attributes'"
            ) from error
        if error.status not in _UNAVAILABLE:
            raise
        raise TemporalUnavailableError(f"Temporal is unavailable: {error.message}") from error
    except RuntimeError as error:
        if not _is_failed_connection(error):
            raise
        raise _failed_connection(error, "the configured address") from error


def _is_failed_connection(error: RuntimeError) -> bool:
    """Only the error's text distinguishes a failed connection from a defect."""
    return "client connect" in str(error)


def _failed_connection(error: RuntimeError, address: str) -> Exception:
    if permanent := permanent_cause(str(error), address):
        return TemporalSettingsError(permanent)
    return TemporalUnavailableError(transient_cause(str(error), address))


def is_no_such_workflow(error: RPCError) -> bool:
    """Whether there is no workflow with that id, or no running one."""
    return error.status is RPCStatusCode.NOT_FOUND and not _is_about_the_namespace(error)


def _is_about_the_namespace(error: RPCError) -> bool:
    """Missing namespaces and missing workflows have the same status; only the text differs."""
    return error.status is RPCStatusCode.NOT_FOUND and error.message.startswith("Namespace")
