"""Who signs what leaves the simulator: Antom, a stranger, or nobody."""

from enum import StrEnum
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from antom_refunds.antom.signing import Signed, sign

KEY_VERSION: Final = "1"
_KEY_BITS: Final = 2048


class Seal(StrEnum):
    """Whose signature stands on a message."""

    ANTOM = "antom"
    STRANGER = "stranger"
    NOBODY = "nobody"


@cache
def _stranger() -> rsa.RSAPrivateKey:
    """One for the process: it takes time to make, and nobody ever learns it."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)


class Seals:
    """Antom's private key, and a stranger's that was never shown to anybody."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._keys = {
            Seal.ANTOM: private_key,
            Seal.STRANGER: _stranger(),
        }

    def header(self, signed: Signed, seal: Seal) -> dict[str, str]:
        """The signature header, empty if nobody signs."""
        key = self._keys.get(seal)
        return {} if key is None else {"signature": sign(signed, key, key_version=KEY_VERSION)}
