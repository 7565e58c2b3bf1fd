"""Checks the HTTP client's environment variables: proxies and trusted certificates.

httpx reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR itself,
but its errors do not name the variable.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_UNUSABLE: Final = (ImportError, ValueError, httpx.InvalidURL)


class HttpEnvironmentError(ValueError):
    """A variable of the HTTP client is unusable; the text names it and what to do."""


def require_usable_environment() -> None:
    """Raises HttpEnvironmentError if no HTTP client can be built in this environment."""
    _require_certificates(os.environ)
    for name, value in _set(os.environ, *_PROXIES):
        _require_proxy(name, value)
    try:
        httpx.AsyncClient()
    except _UNUSABLE as error:
        names = ", ".join(name for name, _ in _set(os.environ, "NO_PROXY")) or "NO_PROXY"
        raise HttpEnvironmentError(
            f"{names}: {error}: write hosts and IPv4 networks separated by commas, "
            "and IPv6 addresses without brackets or prefix length"
        ) from error


def _require_certificates(environment: Mapping[str, str]) -> None:
    file, folder = (environment.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    if file:
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            raise HttpEnvironmentError(
                f"SSL_CERT_FILE: {file} cannot be used: {error.strerror or error}"
            ) from error
    elif folder and not Path(folder).is_dir():
        raise HttpEnvironmentError(f"SSL_CERT_DIR: {folder} is not a directory")


def _require_proxy(name: str, value: str) -> None:
    url = value if "://" in value else f"http://{value}"
    try:
        httpx.AsyncHTTPTransport(proxy=url, trust_env=False)
    except ImportError as error:
        raise HttpEnvironmentError(
            f"{name}: SOCKS proxies are not supported: use an http:// or https:// proxy"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise HttpEnvironmentError(
            f"{name} is not the address of a proxy: write it like http://proxy.example.com:3128"
        ) from error


def _set(environment: Mapping[str, str], *names: str) -> list[tuple[str, str]]:
    """The variables that have a value, in upper or lower case."""
    return [
        (name, environment[name])
        for upper in names
        for name in (upper, upper.lower())
        if environment.get(name)
    ]
