"""Which hosts are this machine."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether this host is this machine, judged by its name or its address alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
