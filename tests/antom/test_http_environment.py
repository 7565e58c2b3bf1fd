"""Proxy and TLS variables that httpx cannot use are rejected in one sentence with their name."""

import os
from pathlib import Path

import pytest

from antom_refunds.antom.http_environment import HttpEnvironmentError, require_usable_environment


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().endswith("_PROXY") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ALL_PROXY", "socks5://localhost:1080", "SOCKS proxies are not supported"),
        ("all_proxy", "socks5h://localhost:1080", "SOCKS proxies are not supported"),
        ("HTTPS_PROXY", "ftp://proxy", "is not the address of a proxy"),
        ("https_proxy", "http://[::1", "is not the address of a proxy"),
        ("HTTP_PROXY", " http://proxy:3128", "is not the address of a proxy"),
        ("HTTPS_PROXY", "\udcff", "is not the address of a proxy"),
        ("NO_PROXY", "localhost,[::1]", "without brackets"),
        ("no_proxy", "fd00::/8", "prefix length"),
        ("NO_PROXY", "fd00::/8", "prefix length"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(HttpEnvironmentError, match=f"^{name}\\b.*{message}"):
        require_usable_environment()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://user:word@proxy.example.com:3128"),
        ("ALL_PROXY", "proxy.example.com:3128"),
        ("HTTPS_PROXY", ""),
        ("NO_PROXY", "::1, .example.com, 10.0.0.0/8, localhost"),
        ("SSL_CERT_FILE", ""),
    ],
)
def test_usable_settings_are_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    require_usable_environment()


def test_missing_certificates_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(HttpEnvironmentError, match=r"^SSL_CERT_DIR: .*none is not a directory"):
        require_usable_environment()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    require_usable_environment()

    for file, content in (("missing.pem", None), ("empty.pem", "")):
        if content is not None:
            (tmp_path / file).write_text(content)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / file))
        with pytest.raises(HttpEnvironmentError, match=f"^SSL_CERT_FILE: .*{file} cannot be used"):
            require_usable_environment()
