"""A Temporal that refuses us is told apart from one that is away, by real handshakes."""

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

Told = Callable[..., None]
CA = "TEMPORAL_TLS_SERVER_CA_CERT_PATH"
CERTIFICATE, KEY = "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Sets TEMPORAL_ADDRESS to this port, and these variables."""

    def tell(port: object, host: str = "localhost", **variables: object) -> None:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"{host}:{port}")
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return tell


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
    """What the person is told, now and where a lazy client finds out later."""
    with pytest.raises(TemporalSettingsError) as error:
        await connect()
    return str(error.value)


async def test_a_trusted_certificate_is_accepted(
    told: Told, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        told(port, **{CA: authority.certificate})

        assert (await connect()).namespace == "default"


async def test_a_certificate_of_an_unknown_authority_is_named(
    told: Told, authority: Authority, stranger: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        told(port, TEMPORAL_TLS="true")
        assert f"is not trusted: set {CA}" in await refusal()

        told(port, **{CA: stranger.certificate})
        assert f"is not trusted: set {CA}" in await refusal()
        lazy = await connect(is_lazy=True)
        with pytest.raises(TemporalSettingsError, match="is not trusted"), temporal_errors():
            await lazy.get_workflow_handle("any").describe()


async def test_a_certificate_for_another_name_is_named(
    told: Told, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("temporal.test"))) as port:
        told(port, **{CA: authority.certificate})

        assert "is for another name: set TEMPORAL_TLS_SERVER_NAME" in await refusal()


async def test_an_expired_certificate_is_named(
    told: Told, authority: Authority, plain: str
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=30)
    async with tls_before(plain, context(authority.issue("localhost", now=long_ago))) as port:
        told(port, **{CA: authority.certificate})

        assert "has expired" in await refusal()


async def test_a_server_that_speaks_tls_only_is_named(
    told: Told, authority: Authority, plain: str
) -> None:
    async with tls_before(plain, context(authority.issue("localhost"))) as port:
        told(port)

        assert "speaks TLS only: set TEMPORAL_TLS to true" in await refusal()


@pytest.mark.parametrize("variables", [{"TEMPORAL_TLS": "true"}, {"TEMPORAL_API_KEY": "secret"}])
async def test_a_server_that_does_not_speak_tls_is_named(
    told: Told, plain: str, variables: dict[str, str]
) -> None:
    told(plain.rpartition(":")[2], host="127.0.0.1", **variables)

    said = await refusal()

    assert "does not speak TLS: unset TEMPORAL_TLS" in said
    assert "secret" not in said


async def test_a_wrong_api_key_is_named_and_not_shown(told: Told) -> None:
    async with served(refusing) as port:
        told(port, host="127.0.0.1", TEMPORAL_API_KEY="secret", TEMPORAL_TLS="false")

        said = await refusal()

    assert "refuses access: check TEMPORAL_API_KEY" in said
    assert "secret" not in said


async def test_a_missing_client_certificate_is_hinted_at(
    told: Told, authority: Authority, stranger: Authority, plain: str
) -> None:
    """A server that goes away looks the same, so this may pass."""
    tls = context(authority.issue("localhost"), clients=authority)
    async with tls_before(plain, tls) as port:
        told(port, **{CA: authority.certificate})
        with pytest.raises(TemporalUnavailableError, match=f"another client certificate.*{KEY}"):
            await connect()

        theirs = stranger.issue("client")
        told(port, **{CERTIFICATE: theirs.certificate, KEY: theirs.key})
        with pytest.raises(TemporalUnavailableError, match="another client certificate"):
            await connect()

        ours = authority.issue("client")
        told(port, **{CERTIFICATE: ours.certificate, KEY: ours.key})
        assert (await connect()).namespace == "default"


async def test_what_is_no_temporal_at_all_is_said_so(told: Told) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with served(web) as port:
        told(port, host="127.0.0.1")

        with pytest.raises(TemporalUnavailableError, match="does not speak Temporal's gRPC"):
            await connect()


async def test_a_server_that_says_nothing_is_not_waited_for_without_end(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antom_refunds.connection._CONNECT_LIMIT", timedelta(seconds=0.2))

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with served(mute) as port:
        told(port, host="127.0.0.1")

        with pytest.raises(TemporalUnavailableError, match="does not respond"):
            await connect()


@pytest.mark.parametrize(
    ("name", "value", "said"),
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
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    text = await refusal()

    assert text.startswith(name)
    assert said in text
    assert "secret" not in text
    assert "\n" not in text


async def test_a_byte_order_mark_does_not_hide_temporals_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("\ufeffTEMPORAL_NAMESPACE", "payments")

    assert (await refusal()).startswith("TEMPORAL_NAMESPACE: there is a byte order mark")


async def test_a_certificate_without_its_key_is_named(told: Told, authority: Authority) -> None:
    told(1, **{CERTIFICATE: authority.issue("client").certificate})

    assert await refusal() == f"{CERTIFICATE} and {KEY} must be set together"


async def test_a_client_key_that_is_none_is_named(
    told: Told, authority: Authority, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt.key"
    spoilt.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    another = authority.issue("another").key
    for key in (spoilt, another):
        told(1, **{CERTIFICATE: authority.issue("client").certificate, KEY: key})

        assert f"{CERTIFICATE} and {KEY} do not match" in await refusal()


@pytest.mark.parametrize("content", [b"[profile", b"\xff\xfe"])
async def test_a_file_of_settings_that_cannot_be_read_is_one_line(
    told: Told, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_bytes(content)
    told(1, TEMPORAL_CONFIG_FILE=file)

    said = await refusal()

    assert "temporal.toml) cannot be read" in said
    assert "\n" not in said


@pytest.mark.parametrize("name", ["TEMPORAL_API_KEY", "TEMPORAL_NAMESPACE", "TEMPORAL_TLS", CA])
async def test_an_empty_setting_of_temporals_is_as_good_as_none(
    told: Told, plain: str, name: str
) -> None:
    told(plain.rpartition(":")[2], host="127.0.0.1", **{name: ""})

    client = await connect()

    assert client.namespace == "default"
