"""The merchants of the local stack, each with a new key pair."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starter.key_pairs import write_pair


@dataclass(frozen=True, slots=True)
class LocalMerchant:
    """A merchant of the local stack and the paths of its key files."""

    name: str
    client_id: str
    private_key: Path
    public_key: Path
    balance: Mapping[str, int] | None = None


def create_merchants(keys: Path) -> tuple[LocalMerchant, ...]:
    """Create a working merchant and one that signs with a wrong key; write their keys to `keys`."""
    default, default_public = write_pair(keys, "default")
    right, kiosk_public = write_pair(keys, "kiosk")
    wrong, _ = write_pair(keys, "stranger")
    in_use = keys / "kiosk-in-use.pem"
    shutil.copy(wrong, in_use)
    shutil.copy(right, keys / "kiosk-right.pem")
    return (
        LocalMerchant(
            "default", "SANDBOX_5X00000000000000", default, default_public,
            {"EUR": 10**9, "USD": 10**9, "JPY": 10**9, "GBP": 100},
        ),
        LocalMerchant("kiosk", "SANDBOX_5X00000000000001", in_use, kiosk_public),
    )  # fmt: skip
