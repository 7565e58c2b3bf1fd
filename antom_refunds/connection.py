"""The way to Temporal, the same for every process (docs/operators.md#connecting).

Where to connect is Temporal's own business: `temporalio.envconfig` reads TEMPORAL_ADDRESS,
TEMPORAL_NAMESPACE, TLS and API key from the environment and from temporal.toml.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

_DEFAULT_ADDRESS: Final = "localhost:7233"
# UNKNOWN is what a connection that broke under a call comes home as, and with INTERNAL and
# ABORTED what a server says that is being stopped: the SDK itself repeats them all for a while.
_AWAY: Final = frozenset(
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


class TemporalSettingsError(ValueError):
    """Temporal's own settings are wrong, or it refuses us for them; a person must mend them."""


class TemporalUnavailableError(Exception):
    """Temporal cannot be reached right now; nothing was done, or it is not known to be done."""


async def connect(*, is_lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client of Temporal; a lazy one connects with its first call.

    Raises TemporalUnavailableError, naming the address, or TemporalSettingsError.
    """
    config = _config()
    address = config.setdefault("target_host", _DEFAULT_ADDRESS)
    try:
        return await client_of(config, is_lazy=is_lazy, runtime=runtime)
    except RuntimeError as error:
        raise TemporalUnavailableError(
            f"Temporal is not reachable at {address}: start it or set TEMPORAL_ADDRESS"
        ) from error


async def client_of(
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


def _config() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError) as error:
        raise TemporalSettingsError(
            f"Temporal's settings (TEMPORAL_..., temporal.toml) cannot be read: {error}"
        ) from error


@contextmanager
def reaching_temporal() -> Iterator[None]:
    """Raises TemporalUnavailableError or TemporalSettingsError instead of the transport's."""
    try:
        yield
    except RPCError as error:
        if error.status in _REFUSED or is_about_the_namespace(error):
            raise TemporalSettingsError(
                f"Temporal refuses this: {error.message}; check TEMPORAL_NAMESPACE and API key"
            ) from error
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
            raise TemporalSettingsError(
                f"{error.message}: run 'antom-refunds register-attributes'"
            ) from error
        if error.status not in _AWAY:
            raise
        raise TemporalUnavailableError(f"Temporal does not answer: {error.message}") from error
    except RuntimeError as error:
        # All that tells a lazy client's failed connection from a defect is its text.
        if "client connect" not in str(error):
            raise
        raise TemporalUnavailableError("Temporal is not reachable") from error


def is_about_the_namespace(error: RPCError) -> bool:
    """A missing namespace is answered like a missing workflow; only the text tells them apart."""
    return error.status is RPCStatusCode.NOT_FOUND and error.message.startswith("Namespace")
