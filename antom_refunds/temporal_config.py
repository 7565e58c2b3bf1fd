"""Temporal's own settings: read by `temporalio.envconfig`, checked here, so that each flaw is one
sentence that names the variable (docs/operators.md#connecting)."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import TLSConfig

_PREFIX: Final = "TEMPORAL_"
_BYTE_ORDER_MARK: Final = "\ufeff"
_CERTIFICATE: Final = "TEMPORAL_TLS_CLIENT_CERT_PATH"
_KEY: Final = "TEMPORAL_TLS_CLIENT_KEY_PATH"
_AUTHORITY: Final = "TEMPORAL_TLS_SERVER_CA_CERT_PATH"
_WITHOUT_BLANKS: Final = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY")
_PEM: Final = {
    _CERTIFICATE: b"CERTIFICATE-----",
    _KEY: b"PRIVATE KEY-----",
    _AUTHORITY: b"CERTIFICATE-----",
}


class TemporalSettingsError(ValueError):
    """Temporal's own settings are wrong, or it refuses us for them; a person must correct them."""


def temporal_config() -> ClientConnectConfig:
    """How to connect; an empty variable counts as not set. Raises TemporalSettingsError."""
    environment = _checked(os.environ)
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=dict(environment))
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise TemporalSettingsError(
            f"Temporal's settings (TEMPORAL_..., temporal.toml) cannot be read: {reason}"
        ) from error
    tls = config.get("tls")
    if isinstance(tls, TLSConfig) and bool(tls.client_cert) != bool(tls.client_private_key):
        raise TemporalSettingsError(f"{_CERTIFICATE} and {_KEY} are needed together")
    return config


def _checked(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that are set; raises TemporalSettingsError naming one that is wrong."""
    for name, value in environment.items():
        bare = name.removeprefix(_BYTE_ORDER_MARK)
        if bare.startswith(_PREFIX) and (bare != name or not _is_text(value)):
            raise TemporalSettingsError(
                f"{bare}: there is a byte order mark, or it is not UTF-8: "
                "save the file that sets it as UTF-8 without a byte order mark"
            )
    given = {name: value for name, value in environment.items() if value and _is_text(value)}
    for name in _WITHOUT_BLANKS:
        if not re.fullmatch(r"[!-~]+", given.get(name, "-")):
            # The value is not shown: it may be the API key.
            raise TemporalSettingsError(f"{name} must be ASCII without blanks")
    if given.get("TEMPORAL_TLS", "true").lower() not in {"true", "false", "1", "0"}:
        raise TemporalSettingsError("TEMPORAL_TLS must be true or false")
    _require_files(given)
    return given


def _require_files(given: Mapping[str, str]) -> None:
    for name, kind in _PEM.items():
        if name in given and kind not in _content(name, given[name]):
            word = "private key" if name == _KEY else "certificate"
            raise TemporalSettingsError(f"{name}: {given[name]} holds no {word} in PEM form")
    if _CERTIFICATE in given and _KEY in given:
        _require_pair(given[_CERTIFICATE], given[_KEY])
    if "TEMPORAL_CONFIG_FILE" in given:
        _content("TEMPORAL_CONFIG_FILE", given["TEMPORAL_CONFIG_FILE"])


def _require_pair(certificate: str, key: str) -> None:
    try:
        # Without a password an encrypted key would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise TemporalSettingsError(
            f"{_CERTIFICATE} and {_KEY} cannot be used together: a PEM certificate and the "
            "unencrypted PEM key that belongs to it are needed"
        ) from error


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise TemporalSettingsError(f"{name}: {path} cannot be read: {reason}") from error


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return _BYTE_ORDER_MARK not in value
