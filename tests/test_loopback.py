"""Which hosts are this machine."""

import pytest

from antom_refunds.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.7.6", "::1", "localhost"])
def test_loopback_is_recognised_by_name_and_address(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "localhost.example.com", ""])
def test_any_other_host_is_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
