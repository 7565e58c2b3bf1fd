"""Who signs what the simulator sends: Antom, or a key that is not Antom's; or it is unsigned."""

from enum import StrEnum
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from antom_refunds.antom.signing import SignedMessage, sign

KEY_VERSION: Final = "1"
_KEY_BITS: Final = 2048


class SignedBy(StrEnum):
    """The signer of a message."""

    ANTOM = "antom"
    WRONG_KEY = "wrong_key"
    UNSIGNED = "unsigned"


@cache
def _wrong_key() -> rsa.RSAPrivateKey:
    """One per process, because generating a key is slow; its public key is never published."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)


class Signers:
    """Antom's private key, and one that no merchant knows."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._keys = {SignedBy.ANTOM: private_key, SignedBy.WRONG_KEY: _wrong_key()}

    def header(self, signed: SignedMessage, signed_by: SignedBy) -> dict[str, str]:
        """The signature header; empty for UNSIGNED."""
        key = self._keys.get(signed_by)
        return {} if key is None else {"signature": sign(signed, key, key_version=KEY_VERSION)}
