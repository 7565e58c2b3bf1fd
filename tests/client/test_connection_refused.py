"""A Temporal that rejects us is distinguished from an unavailable one, with real handshakes."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from antom_refunds.connection import (
    TemporalSettingsError,
    TemporalUnavailableError,
    connect,
    temporal_errors,
)
from tests.client.tls import Authority, context, refusing, served, tls_before

SetEnvironment = Callable[..., None]
CA = "TEMPORAL_TLS_SERVER_CA_CERT_PATH"
CERTIFICATE, KEY = "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"


@pytest.fixture
def set_environment(monkeypatch: pytest.MonkeyPatch) -> SetEnvironment:
    """Set TEMPORAL_ADDRESS to this port, and these variables."""

    def set_variables(port: object, host: str = "localhost", **variables: object) -> None:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"{host}:{port}")
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return set_variables


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "stranger")


@pytest.fixture
def plain(dev_server: WorkflowEnvironment) -> str:
    return dev_server.client.service_client.config.target_host


async def refusal() -> str:
    """The error message, for an eager client and for a lazy one."""
    with pytest.raises(TemporalSettingsError) as error:
        await connect()
    return str(error.value)


async def test_a_trusted_certificate_is_accepted(
    set_environment: SetEnvironment, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        set_environment(port, **{CA: authority.certificate})

        assert (await connect()).namespace == "default"


async def test_a_certificate_of_an_unknown_authority_is_named(
    set_environment: SetEnvironment, authority: Authority, stranger: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        set_environment(port, TEMPORAL_TLS="true")
        assert f"is not trusted: set {CA}" in await refusal()

        set_environment(port, **{CA: stranger.certificate})
        assert f"is not trusted: set {CA}" in await refusal()
        lazy = await connect(is_lazy=True)
        with pytest.raises(TemporalSettingsError, match="is not trusted"), temporal_errors():
            await lazy.get_workflow_handle("any").describe()


async def test_a_certificate_for_another_name_is_named(
    set_environment: SetEnvironment, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("temporal.test"))) as port:
        set_environment(port, **{CA: authority.certificate})

        assert "is for another name: set TEMPORAL_TLS_SERVER_NAME" in await refusal()


async def test_an_expired_certificate_is_named(
    set_environment: SetEnvironment, authority: Authority, plain: str
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=30)
    async with tls_before(plain, context(authority.issue("localhost", now=long_ago))) as port:
        set_environment(port, **{CA: authority.certificate})

        assert "has expired" in await refusal()


async def test_a_server_that_speaks_tls_only_is_named(
    set_environment: SetEnvironment, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        set_environment(port)

        assert "speaks TLS only: set TEMPORAL_TLS to true" in await refusal()


@pytest.mark.parametrize("variables", [{"TEMPORAL_TLS": "true"}, {"TEMPORAL_API_KEY": "secret"}])
async def test_a_server_that_does_not_speak_tls_is_named(
    set_environment: SetEnvironment, plain: str, variables: dict[str, str]
) -> None:
    set_environment(plain.rpartition(":")[2], host="127.0.0.1", **variables)

    message = await refusal()

    assert "does not speak TLS: unset TEMPORAL_TLS" in message
    assert "secret" not in message


async def test_a_wrong_api_key_is_named_and_not_shown(set_environment: SetEnvironment) -> None:
    async with served(refusing) as port:
        set_environment(port, host="127.0.0.1", TEMPORAL_API_KEY="secret", TEMPORAL_TLS="false")

        message = await refusal()

    assert "refuses access: check TEMPORAL_API_KEY" in message
    assert "secret" not in message


async def test_a_missing_client_certificate_is_hinted_at(
    set_environment: SetEnvironment, authority: Authority, stranger: Authority, plain: str
) -> None:
    """A server that becomes unavailable looks the same, so this counts as temporary."""
    tls = context(authority.issue("localhost"), clients=authority)
    async with tls_before(plain, tls) as port:
        set_environment(port, **{CA: authority.certificate})
        with pytest.raises(TemporalUnavailableError, match=f"another client certificate.*{KEY}"):
            await connect()

        theirs = stranger.issue("client")
        set_environment(port, **{CERTIFICATE: theirs.certificate, KEY: theirs.key})
        with pytest.raises(TemporalUnavailableError, match="another client certificate"):
            await connect()

        ours = authority.issue("client")
        set_environment(port, **{CERTIFICATE: ours.certificate, KEY: ours.key})
        assert (await connect()).namespace == "default"


async def test_a_server_that_is_not_temporal_is_reported(set_environment: SetEnvironment) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with served(web) as port:
        set_environment(port, host="127.0.0.1")

        with pytest.raises(TemporalUnavailableError, match="does not speak Temporal's gRPC"):
            await connect()


async def test_a_server_that_never_responds_is_awaited_for_a_limited_time(
    set_environment: SetEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antom_refunds.connection._CONNECT_LIMIT", timedelta(seconds=0.2))

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with served(mute) as port:
        set_environment(port, host="127.0.0.1")

        with pytest.raises(TemporalUnavailableError, match="does not respond"):
            await connect()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (CA, "/nowhere/ca.pem", "/nowhere/ca.pem cannot be read: No such file"),
        (CERTIFICATE, "/nowhere/c.pem", "/nowhere/c.pem cannot be read: No such file"),
        (KEY, "/nowhere/k.pem", "/nowhere/k.pem cannot be read: No such file"),
        (CA, "/", "/ cannot be read: Is a directory"),
        (CA, os.devnull, "contains no certificate in PEM form"),
        (KEY, os.devnull, "contains no private key in PEM form"),
        ("TEMPORAL_CONFIG_FILE", "/nowhere/temporal.toml", "cannot be read: No such file"),
        ("TEMPORAL_TLS", "maybe", "must be true or false"),
        ("TEMPORAL_NAMESPACE", " default", "must be ASCII without blanks"),
        ("TEMPORAL_API_KEY", "secret\n", "must be ASCII without blanks"),
        ("TEMPORAL_ADDRESS", "localhost:7233 ", "must be ASCII without blanks"),
        ("TEMPORAL_ADDRESS", "localhost:99999", "invalid port number"),
        ("TEMPORAL_ADDRESS", "\ufefflocalhost:7233", "byte order mark"),
        ("TEMPORAL_ADDRESS", "\udcff:7233", "not UTF-8"),
    ],
)
async def test_a_wrong_setting_of_temporals_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)

    text = await refusal()

    assert text.startswith(name)
    assert message in text
    assert "secret" not in text
    assert "\n" not in text


async def test_a_byte_order_mark_does_not_hide_temporals_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("\ufeffTEMPORAL_NAMESPACE", "payments")

    assert (await refusal()).startswith("TEMPORAL_NAMESPACE: there is a byte order mark")


async def test_a_certificate_without_its_key_is_named(
    set_environment: SetEnvironment, authority: Authority
) -> None:
    set_environment(1, **{CERTIFICATE: authority.issue("client").certificate})

    assert await refusal() == f"{CERTIFICATE} and {KEY} must be set together"


async def test_an_invalid_client_key_is_named(
    set_environment: SetEnvironment, authority: Authority, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt.key"
    spoilt.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    another = authority.issue("another").key
    for key in (spoilt, another):
        set_environment(1, **{CERTIFICATE: authority.issue("client").certificate, KEY: key})

        assert f"{CERTIFICATE} and {KEY} do not match" in await refusal()


@pytest.mark.parametrize("content", [b"[profile", b"\xff\xfe"])
async def test_an_unreadable_settings_file_is_reported_in_one_line(
    set_environment: SetEnvironment, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_bytes(content)
    set_environment(1, TEMPORAL_CONFIG_FILE=file)

    message = await refusal()

    assert "temporal.toml) cannot be read" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["TEMPORAL_API_KEY", "TEMPORAL_NAMESPACE", "TEMPORAL_TLS", CA])
async def test_an_empty_temporal_setting_counts_as_unset(
    set_environment: SetEnvironment, plain: str, name: str
) -> None:
    set_environment(plain.rpartition(":")[2], host="127.0.0.1", **{name: ""})

    client = await connect()

    assert client.namespace == "default"
