"""The rehearsal's accounts at Antom, with keys made anew."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starter.key_pairs import write_pair


@dataclass(frozen=True, slots=True)
class LocalMerchant:
    """An account of the rehearsal and where its own key stands."""

    name: str
    client_id: str
    private_key: Path
    public_key: Path
    balance: Mapping[str, int] | None = None


def create_merchants(keys: Path) -> tuple[LocalMerchant, ...]:
    """One merchant in order, one that signs with a wrong key; their keys go into this folder."""
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
