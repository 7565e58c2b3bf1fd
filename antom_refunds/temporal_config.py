"""Validates Temporal's own settings, so that each error names its variable.

`temporalio.envconfig` reads them (docs/operators.md#connecting).
"""

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
    """Temporal's own settings are invalid, or Temporal refuses access with them; fix them."""


def temporal_config() -> ClientConnectConfig:
    """The connection's settings; empty variables count as unset. Raises TemporalSettingsError."""
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
        raise TemporalSettingsError(f"{_CERTIFICATE} and {_KEY} must be set together")
    return config


def _checked(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that are set; raises TemporalSettingsError, which names an invalid one."""
    for raw_name, value in environment.items():
        name = raw_name.removeprefix(_BYTE_ORDER_MARK)
        if name.startswith(_PREFIX) and (name != raw_name or not _is_text(value)):
            raise TemporalSettingsError(
                f"{name}: there is a byte order mark, or it is not UTF-8: "
                "save the file that sets it as UTF-8 without a byte order mark"
            )
    variables = {name: value for name, value in environment.items() if value and _is_text(value)}
    for name in _WITHOUT_BLANKS:
        if not re.fullmatch(r"[!-~]+", variables.get(name, "-")):
            # The value is not shown: it may be the API key.
            raise TemporalSettingsError(f"{name} must be ASCII without blanks")
    if variables.get("TEMPORAL_TLS", "true").lower() not in {"true", "false", "1", "0"}:
        raise TemporalSettingsError("TEMPORAL_TLS must be true or false")
    _require_files(variables)
    return variables


def _require_files(variables: Mapping[str, str]) -> None:
    for name, marker in _PEM.items():
        if name in variables and marker not in _content(name, variables[name]):
            kind = "private key" if name == _KEY else "certificate"
            raise TemporalSettingsError(f"{name}: {variables[name]} contains no {kind} in PEM form")
    if _CERTIFICATE in variables and _KEY in variables:
        _require_pair(variables[_CERTIFICATE], variables[_KEY])
    if "TEMPORAL_CONFIG_FILE" in variables:
        _content("TEMPORAL_CONFIG_FILE", variables["TEMPORAL_CONFIG_FILE"])


def _require_pair(certificate: str, key: str) -> None:
    try:
        # Without a password argument, OpenSSL would prompt for an encrypted key's password.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise TemporalSettingsError(
            f"{_CERTIFICATE} and {_KEY} do not match: set them to a PEM certificate and its "
            "unencrypted PEM key"
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
