"""Ports on this machine: the usual ones where nobody has them, else any that are free."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from antom_refunds.settings import SettingsError

HOST: Final = "127.0.0.1"
ANY_PORT: Final = 0
# In the order of Ports. The worker's may be any: it is started again while others look for ports.
_DEFAULTS: Final = (7233, 8233, 8870, 8080, ANY_PORT)
# Below those that systems give to outgoing connections: these would take a port before we listen,
# or while a process of ours is down for a moment.
_FALLBACK_RANGE: Final = range(15_000, 32_000)
_TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens."""

    temporal: int
    ui: int
    simulator: int
    webhook: int
    worker: int


def default_ports() -> Ports:
    """The usual ports where nobody has them, else any that differ; raises SettingsError."""
    return Ports(*find_free_ports(_DEFAULTS))


def find_free_ports(preferred: Sequence[int]) -> list[int]:
    """As many different ports that nobody has, each as wished where possible.

    ANY wishes for none. Raises SettingsError if there are not enough.
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
    """Whether somebody listens there."""
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
