"""From settings to what a process needs of each merchant: accounts, clients, keys."""

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
    """Who may send notifications for a merchant: whoever holds the other half of these keys."""

    merchant: str
    keys: tuple[KeyFile[RSAPublicKey], ...]


def _ignore_skew(_merchant: str, _skew: timedelta) -> None:
    """Nobody watches the clocks."""


def build_clients(
    settings: Settings, *, observe_skew: Callable[[str, timedelta], None] = _ignore_skew
) -> Mapping[str, AntomClient]:
    """A client for each merchant, by its name; raises SettingsError naming file and setting.

    `observe_skew` gets the merchant and how far Antom's clock is ahead of ours.
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
    """Antom's keys for each client-id; raises SettingsError. Needs no private key."""
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
        raise SettingsError(f"{setting} is required here: the file with the merchant's own key")
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
    """No key of Antom's may belong to a private key of ours, whichever merchant's it is.

    Merchants may share keys. Files that cannot be read are left to whoever needs them.
    """
    ours = {
        key.public_key().public_numbers(): _private_setting(name)
        for name, each in settings.merchants.items()
        for key in _readable(each.private_key_file, read_private_key)
    }
    for name, each in settings.merchants.items():
        for path in each.antom_public_key_files:
            for key in _readable(path, read_public_key):
                if own := ours.get(key.public_numbers()):
                    raise SettingsError(
                        f"{_public_setting(name)}: {path} is the public half of {own}: "
                        "name the file with the public key that Antom shows in its Dashboard"
                    )


def _readable(path: Path | None, read: Callable[[Path], Key]) -> tuple[Key, ...]:
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
