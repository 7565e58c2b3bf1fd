"""Each setting is read from the environment, and each error is reported in one line."""

import os
import re
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from antom_refunds.merchants import build_clients, load_notification_keys
from antom_refunds.settings import (
    Address,
    LogFormat,
    MerchantSettings,
    Settings,
    SettingsError,
    env_name,
)
from antom_refunds.telemetry import make_runtime

EXAMPLE = Path(__file__).parents[1] / ".env.example"
MERCHANT = "ANTOM_REFUNDS_MERCHANTS__DEFAULT__"
KeyFiles = tuple[Path, Path]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of the environment that runs the tests."""
    for name in os.environ:
        if name.upper().startswith("ANTOM_REFUNDS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def one_merchant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{MERCHANT}CLIENT_ID", "5X01")
    monkeypatch.setenv(f"{MERCHANT}ANTOM_PUBLIC_KEY_FILES", "/keys/a.pem")


def test_without_an_environment_the_defaults_apply() -> None:
    settings = Settings.from_env()

    assert settings.merchants == {}
    assert settings.health_listen is None
    assert settings.policy.speedup == 1
    assert settings.policy.overdue_after == timedelta(days=10)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("antom_calls_per_second", "7.5", 7.5),
        ("concurrent_calls_max", "3", 3),
        ("cached_workflows_max", "0", 0),
        ("shutdown_seconds", "5", 5.0),
        ("speedup", "1000", 1000.0),
        ("overdue_days", "2.5", 2.5),
        ("webhook_listen", "0.0.0.0:80", Address(host="0.0.0.0", port=80)),  # noqa: S104
        ("webhook_path", "/antom", "/antom"),
        ("webhook_public_path", "/shop/antom", "/shop/antom"),
        ("health_listen", "::1:8081", Address(host="::1", port=8081)),
        ("metrics_listen", "127.0.0.1:9100", Address(host="127.0.0.1", port=9100)),
        ("log_format", "json", LogFormat.JSON),
        ("log_level", "DEBUG", "DEBUG"),
        ("ui_url", "https://temporal.example.com", "https://temporal.example.com"),
    ],
)
def test_each_setting_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(env_name(name), text)

    assert getattr(Settings.from_env(), name) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("client_id", "5X02", "5X02"),
        ("private_key_file", "/keys/own.pem", Path("/keys/own.pem")),
        ("antom_public_key_files", "/a.pem, /b.pem", [Path("/a.pem"), Path("/b.pem")]),
        ("key_version", "2", "2"),
        ("gateway", "https://open-de-global.alipay.com", "https://open-de-global.alipay.com"),
        ("sandbox", "true", True),
        ("connect_timeout", "2", 2.0),
        ("response_timeout", "10", 10.0),
        ("clock_skew_max", "60", 60.0),
    ],
)
def test_each_setting_of_a_merchant_is_read(
    monkeypatch: pytest.MonkeyPatch, one_merchant: None, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(env_name("merchants", "default", name), text)

    assert getattr(Settings.from_env().merchants["default"], name) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("SPEEDUP", "0", "ANTOM_REFUNDS_SPEEDUP"),
        ("SPEEDUP", "fast", "ANTOM_REFUNDS_SPEEDUP"),
        ("ANTOM_CALLS_PER_SECOND", "0.5", "ANTOM_REFUNDS_ANTOM_CALLS_PER_SECOND"),
        ("CONCURRENT_CALLS_MAX", "-1", "ANTOM_REFUNDS_CONCURRENT_CALLS_MAX"),
        ("HEALTH_LISTEN", "8080", "ANTOM_REFUNDS_HEALTH_LISTEN: must be written like"),
        ("HEALTH_LISTEN", "127.0.0.1:99999", "ANTOM_REFUNDS_HEALTH_LISTEN"),
        ("WEBHOOK_PATH", "antom", "ANTOM_REFUNDS_WEBHOOK_PATH"),
        ("UI_URL", "temporal", "ANTOM_REFUNDS_UI_URL"),
        ("LOG_FORMAT", "xml", "ANTOM_REFUNDS_LOG_FORMAT"),
        ("NO_SUCH", "1", "ANTOM_REFUNDS_NO_SUCH: no such setting; see .env.example"),
        ("MERCHANTS", "shop", "ANTOM_REFUNDS_MERCHANTS is not a JSON object"),
        ("MERCHANTS__DEFAULT__GATEWAY", "antom", f"{MERCHANT}GATEWAY"),
        ("MERCHANTS__DEFAULT__COLOUR", "red", f"{MERCHANT}COLOUR"),
        ("MERCHANTS__DEFAULT__RESPONSE_TIMEOUT", "20", "must not exceed 25 seconds"),
        ("MERCHANTS__SHOP__CLIENT_ID", "5X03", "ANTOM_REFUNDS_MERCHANTS__SHOP__ANTOM_PUBLIC_KEY"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", " 5X01", f"{MERCHANT}CLIENT_ID: must be ASCII without"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", "5X01 ", f"{MERCHANT}CLIENT_ID: must be ASCII without"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", "5X 01", f"{MERCHANT}CLIENT_ID: must be ASCII without"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", "5X01\n", f"{MERCHANT}CLIENT_ID: must be ASCII without"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", "5\u042501", f"{MERCHANT}CLIENT_ID: must be ASCII"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", '"5X01"', f"{MERCHANT}CLIENT_ID: must have no quotes"),
        ("MERCHANTS__DEFAULT__CLIENT_ID", "", f"{MERCHANT}CLIENT_ID is empty, but required"),
        ("MERCHANTS__DEFAULT__KEY_VERSION", " 2", f"{MERCHANT}KEY_VERSION: must be ASCII without"),
        ("MERCHANTS__DEFAULT__KEY_VERSION", "1,2", f"{MERCHANT}KEY_VERSION: must have no quotes"),
        ("MERCHANTS__DEFAULT__KEY_VERSION", "\u0662", f"{MERCHANT}KEY_VERSION: must be ASCII"),
        (
            "MERCHANTS__DEFAULT__ANTOM_PUBLIC_KEY_FILES",
            "",
            "KEY_FILES is empty, but required",
        ),
        ("MERCHANTS__DEFAULT__GATEWAY", "http://open.example.com", "must begin with https://"),
        ("MERCHANTS__DEFAULT__GATEWAY", "http://192.0.2.1:80", "must begin with https://"),
        ("MERCHANTS__SHOP__PRIVATE_KEY_FILE", "a", "SHOP__CLIENT_ID: is required"),
        ("SPEEDUP", "inf", "ANTOM_REFUNDS_SPEEDUP: "),
        ("SPEEDUP", "nan", "ANTOM_REFUNDS_SPEEDUP: "),
        ("OVERDUE_DAYS", "1e300", "ANTOM_REFUNDS_OVERDUE_DAYS: "),
        ("SHUTDOWN_SECONDS", "inf", "ANTOM_REFUNDS_SHUTDOWN_SECONDS: "),
        ("MERCHANTS__DEFAULT__RESPONSE_TIMEOUT", "nan", f"{MERCHANT}RESPONSE_TIMEOUT: "),
        ("WEBHOOK_PATH", "/antom/{id}", "ANTOM_REFUNDS_WEBHOOK_PATH: "),
        ("SPEEDUP", "\ufeff1", "ANTOM_REFUNDS_SPEEDUP: there is a byte order mark"),
        ("SPEEDUP", "\udcff", "ANTOM_REFUNDS_SPEEDUP: the value is not UTF-8"),
    ],
)
def test_an_invalid_value_is_reported_in_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, one_merchant: None, name: str, text: str, message: str
) -> None:
    monkeypatch.setenv(f"ANTOM_REFUNDS_{name}", text)

    with pytest.raises(SettingsError) as error:
        Settings.from_env()

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_does_not_hide_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some editors write it at the start of a settings file."""
    monkeypatch.setenv("\ufeffANTOM_REFUNDS_SPEEDUP", "7")

    with pytest.raises(SettingsError, match=r"^ANTOM_REFUNDS_SPEEDUP: there is a byte order mark"):
        Settings.from_env()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(env_name(name), "")

    assert Settings.from_env() == Settings()


@pytest.mark.parametrize(
    "name", ["private_key_file", "key_version", "gateway", "sandbox", "connect_timeout"]
)
def test_an_empty_value_of_a_merchant_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, one_merchant: None, name: str
) -> None:
    expected = Settings.from_env()
    monkeypatch.setenv(env_name("merchants", "default", name), "")

    assert Settings.from_env() == expected


@pytest.mark.parametrize(
    ("client_id", "gateway"),
    [
        ("5X01", "http://127.0.0.1:8870"),
        ("5X01", "http://localhost:8870"),
        ("5X01", "http://[::1]:8870"),
        ("SANDBOX_5X01", "http://simulator:8870"),
    ],
)
def test_a_gateway_without_tls_is_accepted_where_no_money_moves(
    client_id: str, gateway: str
) -> None:
    merchant = MerchantSettings(
        client_id=client_id, gateway=gateway, antom_public_key_files=[Path("a.pem")]
    )

    assert merchant.gateway == gateway


def test_our_own_public_key_is_rejected_as_antoms(merchant_keys: KeyFiles) -> None:
    """Nor is that of another merchant; the webhook rejects it as the worker does."""
    settings = Settings(merchants={"shop": _merchant(*merchant_keys)})
    message = (
        r"SHOP__ANTOM_PUBLIC_KEY_FILES: .*merchant-public\.pem is the public key of "
        r"ANTOM_REFUNDS_MERCHANTS__SHOP__PRIVATE_KEY_FILE"
    )

    for build in (build_clients, load_notification_keys):
        with pytest.raises(SettingsError, match=message):
            build(settings)


async def test_two_merchants_may_share_their_keys(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    one = _merchant(merchant_keys[0], antom_keys[1])
    settings = Settings(merchants={"one": one, "two": one.model_copy(update={"client_id": "5X02"})})

    clients = build_clients(settings)

    assert set(clients) == {"one", "two"}
    for client in clients.values():
        await client.aclose()


def test_a_webhook_starts_without_access_to_the_private_key(
    antom_keys: KeyFiles, tmp_path: Path
) -> None:
    settings = Settings(merchants={"shop": _merchant(tmp_path / "hidden.pem", antom_keys[1])})

    assert set(load_notification_keys(settings)) == {"5X01"}


def test_an_unusable_proxy_is_an_invalid_setting(
    monkeypatch: pytest.MonkeyPatch, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://localhost:1080")
    settings = Settings(merchants={"shop": _merchant(merchant_keys[0], antom_keys[1])})

    with pytest.raises(SettingsError, match=r"^ALL_PROXY: SOCKS"):
        build_clients(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_metrics_address_in_use_is_reported_in_one_sentence(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        settings = Settings(metrics_listen=Address(host=host, port=port))

        with pytest.raises(SettingsError, match=r"METRICS_LISTEN: cannot listen on .* in use"):
            make_runtime(settings)


def test_a_metrics_host_name_is_reported_in_one_sentence() -> None:
    settings = Settings(metrics_listen=Address(host="metrics.invalid", port=9100))

    with pytest.raises(SettingsError, match="METRICS_LISTEN: cannot listen on metrics"):
        make_runtime(settings)


def test_two_merchants_cannot_share_a_client_id(
    monkeypatch: pytest.MonkeyPatch, one_merchant: None
) -> None:
    monkeypatch.setenv("ANTOM_REFUNDS_MERCHANTS__SHOP__CLIENT_ID", "5X01")
    monkeypatch.setenv("ANTOM_REFUNDS_MERCHANTS__SHOP__ANTOM_PUBLIC_KEY_FILES", "/keys/a.pem")

    with pytest.raises(SettingsError, match="same CLIENT_ID"):
        Settings.from_env()


@pytest.mark.parametrize(
    ("client_id", "sandbox", "is_sandbox"),
    [
        ("SANDBOX_5X01", None, True),
        ("5X01", None, False),
        ("5X01", True, True),
        ("SANDBOX_5X01", False, False),
    ],
)
def test_the_sandbox_follows_the_client_id_unless_set(
    client_id: str, *, sandbox: bool | None, is_sandbox: bool
) -> None:
    merchant = MerchantSettings(
        client_id=client_id, antom_public_key_files=[Path("a.pem")], sandbox=sandbox
    )

    assert merchant.is_sandbox is is_sandbox


def test_overdue_days_set_the_policy() -> None:
    assert Settings(overdue_days=3, speedup=24).policy.scaled_overdue_after == timedelta(hours=3)


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(Address(host="127.0.0.1", port=80)) == "127.0.0.1:80"


async def test_each_merchant_has_a_client_and_notification_keys(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    settings = Settings(merchants={"shop": _merchant(merchant_keys[0], antom_keys[1])})

    clients, senders = build_clients(settings), load_notification_keys(settings)

    assert set(clients) == {"shop"}
    assert senders["5X01"].merchant == "shop"
    await clients["shop"].aclose()


def test_notification_keys_need_no_private_key(antom_keys: KeyFiles) -> None:
    settings = Settings(merchants={"default": _merchant(None, antom_keys[1])})

    assert set(load_notification_keys(settings)) == {"5X01"}
    with pytest.raises(SettingsError, match=f"{MERCHANT}PRIVATE_KEY_FILE is required"):
        build_clients(settings)


def test_an_unusable_key_names_file_and_setting(
    antom_keys: KeyFiles, merchant_keys: KeyFiles, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"

    with pytest.raises(SettingsError, match=rf"{MERCHANT}ANTOM_PUBLIC_KEY_FILES: .*missing\.pem"):
        load_notification_keys(Settings(merchants={"default": _merchant(None, missing)}))
    with pytest.raises(SettingsError, match=rf"{MERCHANT}PRIVATE_KEY_FILE: .*missing\.pem"):
        build_clients(Settings(merchants={"default": _merchant(missing, antom_keys[1])}))


def test_the_example_lists_exactly_the_settings_with_their_defaults() -> None:
    lines = EXAMPLE.read_text().splitlines()
    found = (re.fullmatch(r"# ?(ANTOM_REFUNDS_[A-Z0-9_]+)=(.*)", line) for line in lines)

    assert {match[1]: match[2] for match in found if match} == _defaults()


def test_the_example_sets_nothing_and_explains_every_setting() -> None:
    blocks = EXAMPLE.read_text().strip().split("\n\n")

    for block in blocks:
        *sentences, last = block.splitlines()
        assert all(line.startswith("# ") for line in block.splitlines())
        if "=" in last:
            assert sentences
            assert sentences[-1].endswith(".")


def _defaults() -> dict[str, str]:
    plain = {
        env_name(name): "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
        if name != "merchants"
    }
    merchant = {
        env_name("merchants", "default", name): (
            "" if field.is_required() or field.default is None else str(field.default)
        )
        for name, field in MerchantSettings.model_fields.items()
    }
    return {**merchant, **plain}


def _merchant(private: Path | None, public: Path) -> MerchantSettings:
    return MerchantSettings(
        client_id="5X01", private_key_file=private, antom_public_key_files=[public]
    )
