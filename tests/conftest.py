"""Fixtures of all tests: real key pairs, real Temporal servers and harnesses on them."""

import signal
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime
from temporalio.testing import WorkflowEnvironment

from antom_refunds.domain.policy import Policy
from antom_refunds.namespace import register_attributes
from antom_refunds.process import exit_process
from antom_refunds.settings import Settings
from antom_refunds.telemetry import make_runtime
from starter.key_pairs import write_pair
from starter.temporal_server import FAST_OPTIONS
from tests.harness import FAST_POLICY, Harness, KeyFiles, harness_on, own_queues
from tests.servers import BIN, start_temporal


def pytest_configure() -> None:
    """Restore SIGINT, which a shell ignores for background processes and their children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def merchant_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    """The merchant's RSA-2048 pair: the private and the public key's file, both PEM."""
    return write_pair(tmp_path_factory.mktemp("merchant_keys"), "merchant")


@pytest.fixture(scope="session")
def antom_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    """Antom's RSA-2048 pair: the private and the public key's file, both PEM."""
    return write_pair(tmp_path_factory.mktemp("antom_keys"), "antom")


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """The Temporal runtime of the session, with the logging of our processes."""
    return make_runtime(Settings())


@pytest.fixture(scope="session")
async def dev_server(runtime: Runtime) -> AsyncIterator[WorkflowEnvironment]:
    """One real Temporal server for the whole session, started as by `make up`."""
    async with await start_temporal(runtime, options=FAST_OPTIONS) as environment:
        yield environment


@pytest.fixture
async def bare_server(runtime: Runtime) -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server without our search attributes."""
    async with await start_temporal(runtime, has_attributes=False) as environment:
        yield environment


@pytest.fixture
async def skipping_server(runtime: Runtime) -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping Temporal server; one for each test, because its clock runs ahead."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BIN / "temporal-test-server"),
        data_converter=pydantic_data_converter,
        runtime=runtime,
    )
    async with environment:
        await register_attributes(environment.client)
        yield environment


@pytest.fixture
async def idle_harness(
    dev_server: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[Harness]:
    """A harness without a worker."""
    with own_queues():
        async with harness_on(dev_server, merchant_keys, antom_keys, policy=FAST_POLICY) as harness:
            yield harness


@pytest.fixture
async def harness(idle_harness: Harness) -> AsyncIterator[Harness]:
    """A harness on a real server, 1,000 times faster than real time."""
    async with idle_harness.running_worker():
        yield idle_harness


@pytest.fixture
async def unscaled_harness(
    dev_server: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[Harness]:
    """A harness on a real server with unscaled waits: no scheduled call within seconds."""
    with own_queues():
        async with (
            harness_on(dev_server, merchant_keys, antom_keys, policy=Policy()) as harness,
            harness.running_worker(),
        ):
            yield harness


@pytest.fixture
async def time_skipping_harness(
    skipping_server: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[Harness]:
    """A harness with unscaled waits, on a server that skips them."""
    with own_queues():
        async with (
            harness_on(skipping_server, merchant_keys, antom_keys, policy=Policy()) as harness,
            harness.running_worker(),
        ):
            yield harness


# The duration of an example depends more on the machine than on the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_SESSION = pytest.StashKey[pytest.Session]()


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_SESSION] = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """After the report: end as our processes do, with the exit code of the session."""
    session = config.stash.get(_SESSION, None)
    if session is not None:
        exit_process(int(session.exitstatus))
