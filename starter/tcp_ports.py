"""Chooses TCP ports on this machine: the default ones where they are free, else others."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from antom_refunds.settings import SettingsError

HOST: Final = "127.0.0.1"
ANY_PORT: Final = 0
# In the order of Ports. No default for the worker: it restarts while other stacks choose.
_DEFAULTS: Final = (7233, 8233, 8870, 8080, ANY_PORT)
# Below the range for outgoing connections, which could occupy a port before we listen on it, or
# while one of our processes restarts.
_FALLBACK_RANGE: Final = range(15_000, 32_000)
_TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of all processes of a stack."""

    temporal: int
    ui: int
    simulator: int
    webhook: int
    worker: int


def default_ports() -> Ports:
    """The default ports where they are free, else others. Raises SettingsError if none is free."""
    return Ports(*find_free_ports(_DEFAULTS))


def find_free_ports(preferred: Sequence[int]) -> list[int]:
    """One free port for each preference, all different, the preferred one where it is free.

    ANY_PORT means no preference. Raises SettingsError if there are not enough free ports.
    """
    found: list[int] = []
    for preference in preferred:
        candidates = [preference, *SystemRandom().sample(_FALLBACK_RANGE, _TRIES)]
        port = next((each for each in candidates if each not in found and _is_free(each)), None)
        if port is None:
            raise SettingsError("there is no free port on this machine")
        found.append(port)
    return found


def is_open(port: int) -> bool:
    """Whether a process listens on this port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return port != ANY_PORT
