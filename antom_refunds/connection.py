"""The way to Temporal, the same for every process (docs/operators.md#connecting).

Where to connect is Temporal's own business: `temporalio.envconfig` reads TEMPORAL_ADDRESS,
TEMPORAL_NAMESPACE, TLS and API key from the environment and from temporal.toml.
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
# UNKNOWN is what a connection that broke under a call comes home as, and with INTERNAL and
# ABORTED what a server says that is being stopped: the SDK itself repeats them all for a while.
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
    """Temporal cannot be reached right now; nothing was done, or it is not known to be done."""


async def connect(*, is_lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client of Temporal; a lazy one connects with its first call.

    Raises TemporalUnavailableError, naming the address, or TemporalSettingsError.
    """
    config = temporal_config()
    address = config.setdefault("target_host", _DEFAULT_ADDRESS)
    try:
        # A server that accepts and says nothing would be waited for without end.
        async with asyncio.timeout(_CONNECT_LIMIT.total_seconds()):
            return await open_client(config, is_lazy=is_lazy, runtime=runtime)
    except TimeoutError as error:
        raise TemporalUnavailableError(
            f"Temporal at {address} accepts connections and does not answer"
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
    """A client that speaks as all of ours do; raises RuntimeError if nobody is ready there."""
    return await Client.connect(
        **config,
        data_converter=pydantic_data_converter,
        lazy=is_lazy,
        runtime=runtime,
        # A refund's messages have some hundred bytes: to pack them costs both ends more than it
        # saves the way between.
        grpc_compression=GrpcCompression.NONE,
    )


@contextmanager
def temporal_errors() -> Iterator[None]:
    """Raises TemporalUnavailableError or TemporalSettingsError instead of the transport's."""
    try:
        yield
    except RPCError as error:
        if error.status in _REFUSED or _is_about_the_namespace(error):
            raise TemporalSettingsError(
                f"Temporal refuses this: {error.message}; check TEMPORAL_NAMESPACE and API key"
            ) from error
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
            raise TemporalSettingsError(
                f"{error.message}: run 'antom-refunds register-attributes'"
            ) from error
        if error.status not in _UNAVAILABLE:
            raise
        raise TemporalUnavailableError(f"Temporal does not answer: {error.message}") from error
    except RuntimeError as error:
        if not _is_failed_connection(error):
            raise
        raise _failed_connection(error, "the configured address") from error


def _is_failed_connection(error: RuntimeError) -> bool:
    """All that tells a failed connection from a defect is the error's text."""
    return "client connect" in str(error)


def _failed_connection(error: RuntimeError, address: str) -> Exception:
    if lasting := permanent_cause(str(error), address):
        return TemporalSettingsError(lasting)
    return TemporalUnavailableError(transient_cause(str(error), address))


def is_no_such_workflow(error: RPCError) -> bool:
    """Whether Temporal knows no workflow of that id, or none that still runs."""
    return error.status is RPCStatusCode.NOT_FOUND and not _is_about_the_namespace(error)


def _is_about_the_namespace(error: RPCError) -> bool:
    """A missing namespace is answered like a missing workflow; only the text tells them apart."""
    return error.status is RPCStatusCode.NOT_FOUND and error.message.startswith("Namespace")
