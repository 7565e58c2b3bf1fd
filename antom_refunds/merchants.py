"""Builds each merchant's account, client and keys from the settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.call_errors import ConnectionSettingsError
from antom_refunds.antom.http_environment import HttpEnvironmentError, require_usable_environment
from antom_refunds.antom.key_files import KeyFileError, read_private_key, read_public_key
from antom_refunds.antom.keys import KeyFile, KeyRing
from antom_refunds.settings import MerchantSettings, Settings, SettingsError, env_name

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class NotificationKeys:
    """Antom's public keys with which a merchant's notifications are verified."""

    merchant: str
    keys: tuple[KeyFile[RSAPublicKey], ...]


def _ignore_skew(_merchant: str, _skew: timedelta) -> None:
    """The default for `observe_skew`."""


def build_clients(
    settings: Settings, *, observe_skew: Callable[[str, timedelta], None] = _ignore_skew
) -> Mapping[str, AntomClient]:
    """A client per merchant, by name; raises SettingsError, which names file and setting.

    `observe_skew` receives the merchant, and Antom's clock minus ours.
    """
    _reject_key_pairs(settings)
    try:
        require_usable_environment()
    except HttpEnvironmentError as error:
        raise SettingsError(str(error)) from error
    return {
        name: _client(name, _account(name, each), settings, partial(observe_skew, name))
        for name, each in settings.merchants.items()
    }


def _client(
    name: str,
    account: MerchantAccount,
    settings: Settings,
    observe_skew: Callable[[timedelta], None],
) -> AntomClient:
    try:
        return AntomClient(
            account, calls_max=settings.concurrent_calls_max, observe_skew=observe_skew
        )
    except ConnectionSettingsError as error:
        raise SettingsError(f"{env_name('merchants', name, 'gateway')}: {error}") from error


def load_notification_keys(settings: Settings) -> Mapping[str, NotificationKeys]:
    """Antom's keys by client-id; needs no private key. Raises SettingsError."""
    _reject_key_pairs(settings)
    return {
        each.client_id: NotificationKeys(name, _public_keys(name, each))
        for name, each in settings.merchants.items()
    }


def _account(name: str, merchant: MerchantSettings) -> MerchantAccount:
    _public_keys(name, merchant)
    return MerchantAccount(
        client_id=merchant.client_id,
        keys=KeyRing(_private_key_file(name, merchant), merchant.antom_public_key_files),
        gateway=merchant.gateway,
        key_version=merchant.key_version,
        is_sandbox=merchant.is_sandbox,
        connect_timeout=timedelta(seconds=merchant.connect_timeout),
        response_timeout=timedelta(seconds=merchant.response_timeout),
        clock_skew_max=timedelta(seconds=merchant.clock_skew_max),
    )


def _private_key_file(name: str, merchant: MerchantSettings) -> Path:
    setting = _private_setting(name)
    path = merchant.private_key_file
    if path is None:
        raise SettingsError(
            f"{setting} is required for this process: set it to the merchant's private key file"
        )
    try:
        read_private_key(path)
    except KeyFileError as error:
        raise SettingsError(f"{setting}: {error}") from error
    return path


def _public_keys(name: str, merchant: MerchantSettings) -> tuple[KeyFile[RSAPublicKey], ...]:
    try:
        return tuple(KeyFile(path, read_public_key) for path in merchant.antom_public_key_files)
    except KeyFileError as error:
        raise SettingsError(f"{_public_setting(name)}: {error}") from error


def _reject_key_pairs(settings: Settings) -> None:
    """Raise SettingsError if a key configured as Antom's belongs to any merchant's private key.

    Merchants may share keys. Unreadable files are ignored; they are reported when they are loaded.
    """
    ours = {
        key.public_key().public_numbers(): _private_setting(name)
        for name, each in settings.merchants.items()
        for key in _read_if_valid(each.private_key_file, read_private_key)
    }
    for name, each in settings.merchants.items():
        for path in each.antom_public_key_files:
            for key in _read_if_valid(path, read_public_key):
                if own := ours.get(key.public_numbers()):
                    raise SettingsError(
                        f"{_public_setting(name)}: {path} is the public key of {own}: "
                        "use the public key that Antom shows in its Dashboard"
                    )


def _read_if_valid(path: Path | None, read: Callable[[Path], Key]) -> tuple[Key, ...]:
    if path is None:
        return ()
    try:
        return (read(path),)
    except KeyFileError:
        return ()


def _private_setting(name: str) -> str:
    return env_name("merchants", name, "private_key_file")


def _public_setting(name: str) -> str:
    return env_name("merchants", name, "antom_public_key_files")
