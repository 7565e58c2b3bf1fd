"""The same job on other engines, for comparison; nothing of this is shipped."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.peers.measuring import PEERS

__all__ = ["PEERS"]


def __getattr__(name: str) -> Any:
    """PEERS on demand: competitors' processes start from this package and need nothing of it."""
    if name != "PEERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench.peers.measuring import PEERS  # noqa: PLC0415 - see above

    return PEERS
