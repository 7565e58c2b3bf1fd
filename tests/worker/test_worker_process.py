"""The worker process: it executes refunds, reports its health and stops without losing a call."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from antom_refunds.connection import open_client
from antom_refunds.contract import CallInput
from antom_refunds.domain.refund import Refund, RefundState
from antom_refunds.settings import Settings
from antom_refunds.simulator.faults import Fault, Operation
from antom_refunds.simulator.requests import CallKind
from tests.harness import Harness, KeyFiles
from tests.servers import start_temporal
from tests.worker.conftest import fetched, free_port, started
from worker import build_workers

# Each starts one or more processes.
pytestmark = pytest.mark.slow

DEFAULT = "ANTOM_REFUNDS_MERCHANTS__DEFAULT__"


async def own_client(harness: Harness) -> Client:
    """A client for one worker: Temporal rejects two workers of a kind on one client."""
    address = harness.temporal.service_client.config.target_host
    return await open_client(ClientConnectConfig(target_host=address))


async def test_a_worker_executes_refunds_reports_its_health_and_stops_on_sigterm(
    harness: Harness, serving: dict[str, str]
) -> None:
    health, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    serving["ANTOM_REFUNDS_HEALTH_LISTEN"] = health
    serving["ANTOM_REFUNDS_METRICS_LISTEN"] = metrics

    async with started(serving) as worker:
        running = await worker.until_logged("worker.running")
        order = await harness.start(harness.payable_order())
        outcome = await harness.wait_for_outcome(order)
        live, ready = (
            await fetched(f"http://{health}/live"),
            await fetched(f"http://{health}/ready"),
        )
        page = await fetched(f"http://{metrics}/metrics")
        code = await worker.stop()

    assert running["queues"] == ["refunds", "antom-calls"]
    assert outcome.state is RefundState.SUCCEEDED
    assert harness.movements(order) == 1
    assert (live.status_code, ready.status_code) == (200, 200)
    assert 'call="request_refund"' in page.text
    assert "refund_antom_calls{" in page.text
    assert code == 0
    assert any("worker.stopped" in line for line in worker.lines)


async def test_calls_are_limited_in_each_worker_as_in_the_whole_namespace(harness: Harness) -> None:
    _, calls = build_workers(await own_client(harness), {}, Settings(antom_calls_per_second=7))

    config = calls.config()

    assert config["max_activities_per_second"] == 7
    assert config["max_task_queue_activities_per_second"] == 7


async def test_a_call_waits_for_its_share_of_the_rate_limit(harness: Harness) -> None:
    one_an_hour = Settings().model_copy(update={"antom_calls_per_second": 1 / 3600})
    _, calls = build_workers(await own_client(harness), {"default": harness.antom}, one_an_hour)
    ask, *_ = calls.config()["activities"]
    first, second = (CallInput(refund=Refund(order=harness.payable_order())) for _ in range(2))

    await ActivityEnvironment().run(ask, first)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await ActivityEnvironment().run(ask, second)

    assert [harness.movements(each.refund.order) for each in (first, second)] == [1, 0]


async def test_a_call_in_flight_is_completed_when_the_worker_stops(
    harness: Harness, serving: dict[str, str]
) -> None:
    order = harness.payable_order()
    harness.script(order, Operation.REFUND, Fault(delay=timedelta(seconds=1)))

    async with started(serving) as first:
        await first.until_logged("worker.running")
        await harness.start(order)
        await harness.until_called(order, CallKind.REFUND, times=1)
        code = await first.stop()
    async with started(serving) as second:
        await second.until_logged("worker.running")
        outcome = await harness.wait_for_outcome(order)
        await second.stop()

    assert code == 0
    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1
    assert harness.movements(order) == 1


async def test_a_worker_that_was_killed_loses_nothing(
    harness: Harness, serving: dict[str, str]
) -> None:
    order = harness.payable_order(is_async=True)

    async with started(serving) as first:
        await first.until_logged("worker.running")
        await harness.start(order)
        await harness.until_called(order, CallKind.INQUIRY, times=6)
        await harness.until_waiting(order)
        assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
    harness.settle(order)
    async with started(serving) as second:
        await second.until_logged("worker.running")
        outcome = await harness.wait_for_outcome(order)
        assert await second.stop(signal.SIGINT) == 0

    assert outcome.state is RefundState.SUCCEEDED
    assert harness.calls(order, CallKind.REFUND) == 1
    assert harness.movements(order) == 1


async def test_each_invalid_setting_is_named_in_one_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    elliptic = tmp_path / "elliptic.pem"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    elliptic.write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    bare = {name: value for name, value in environment.items() if not name.startswith(DEFAULT)}
    private, theirs = f"{DEFAULT}PRIVATE_KEY_FILE", f"{DEFAULT}ANTOM_PUBLIC_KEY_FILES"
    keyless = {name: value for name, value in environment.items() if name != private}
    missing = str(tmp_path / "missing.pem")

    await asyncio.gather(
        _is_refused(bare, "no merchant is configured"),
        _is_refused(keyless, f"{private} is required"),
        _is_refused({**environment, private: missing}, private, "missing.pem cannot be read"),
        _is_refused({**environment, theirs: str(elliptic)}, theirs, "elliptic.pem", "not RSA"),
        _is_refused({**environment, "ANTOM_REFUNDS_PAECE": "7"}, "PAECE: no such setting"),
        _is_refused({**environment, f"{DEFAULT}CLIENT_ID": " 5X"}, f"{DEFAULT}CLIENT_ID", "blanks"),
        _is_refused({**environment, "ALL_PROXY": "socks5://localhost:1"}, "ALL_PROXY: SOCKS"),
        _is_refused({**environment, "NO_PROXY": "[::1]"}, "NO_PROXY: "),
        _is_refused({**environment, "SSL_CERT_FILE": missing}, "SSL_CERT_FILE: ", missing),
        _is_refused(
            {**environment, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": missing},
            *("TEMPORAL_TLS_SERVER_CA_CERT_PATH", missing),
        ),
        _is_refused({**environment, "ANTOM_REFUNDS_LOG_LEVEL": "LOUD"}, "ANTOM_REFUNDS_LOG_LEVEL"),
    )


async def test_an_address_in_use_is_named_in_one_line(
    harness: Harness, serving: dict[str, str], gateway: str
) -> None:
    taken = gateway.removeprefix("http://")
    serving["ANTOM_REFUNDS_HEALTH_LISTEN"] = taken

    await _is_refused(serving, f"cannot listen on {taken}")


async def test_missing_search_attributes_are_named_in_one_line(
    environment: dict[str, str], bare_server: WorkflowEnvironment
) -> None:
    environment["TEMPORAL_ADDRESS"] = bare_server.client.service_client.config.target_host

    await _is_refused(environment, "RefundState", "antom-refunds register-attributes")


async def test_a_temporal_that_rejects_us_is_named_and_not_retried(
    serving: dict[str, str],
) -> None:
    await _is_refused({**serving, "TEMPORAL_API_KEY": "secret"}, "does not speak TLS")


async def test_our_own_public_key_as_antoms_is_named_by_worker_and_webhook(
    environment: dict[str, str], merchant_keys: KeyFiles
) -> None:
    environment[f"{DEFAULT}ANTOM_PUBLIC_KEY_FILES"] = str(merchant_keys[1])

    for module in (("worker",), ("starter", "webhook")):
        await _is_refused(environment, "is the public key of", module=module)


async def test_a_temporal_that_rejects_us_is_named_by_the_webhook(
    serving: dict[str, str],
) -> None:
    serving["TEMPORAL_TLS"] = "true"
    serving["ANTOM_REFUNDS_WEBHOOK_LISTEN"] = f"127.0.0.1:{free_port()}"

    await _is_refused(serving, "does not speak TLS", module=("starter", "webhook"))


async def test_an_unknown_namespace_is_named_in_one_line(serving: dict[str, str]) -> None:
    serving["TEMPORAL_NAMESPACE"] = "nowhere"

    await _is_refused(serving, "nowhere")


async def test_a_worker_waits_for_temporal_and_notices_when_it_becomes_unavailable(
    environment: dict[str, str], runtime: Runtime
) -> None:
    port, health = free_port(), f"127.0.0.1:{free_port()}"
    environment["TEMPORAL_ADDRESS"] = f"127.0.0.1:{port}"
    environment["ANTOM_REFUNDS_HEALTH_LISTEN"] = health
    environment["ANTOM_REFUNDS_SHUTDOWN_SECONDS"] = "1"

    async with started(environment) as worker:
        away = await worker.until_logged("temporal.unavailable")
        assert f"127.0.0.1:{port}" in away["reason"]
        assert (await fetched(f"http://{health}/live")).status_code == 200
        assert (await fetched(f"http://{health}/ready")).status_code == 503

        async with await start_temporal(runtime, port=port):
            await worker.until_logged("worker.running")
            assert (await fetched(f"http://{health}/ready")).status_code == 200

        assert (await fetched(f"http://{health}/ready")).status_code == 503
        assert (await fetched(f"http://{health}/live")).status_code == 200
        assert await worker.stop() == 0


async def test_a_worker_that_waits_for_temporal_stops_on_sigterm(
    environment: dict[str, str],
) -> None:
    async with started(environment) as worker:
        await worker.until_logged("temporal.unavailable")

        assert await worker.stop() == 0


async def _is_refused(
    environment: dict[str, str], *parts: str, module: tuple[str, ...] = ("worker",)
) -> None:
    async with started(environment, *module) as worker:
        code = await worker.end()

    assert code == 2, worker.lines
    (line,) = worker.lines
    for part in ("antom-refunds: ", *parts):
        assert part in line
