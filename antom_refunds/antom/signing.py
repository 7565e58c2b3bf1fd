"""RSA signatures over raw bytes, as Antom defines them (docs/antom.md#signing).

SignatureError                 not verified as the sender's
├── MissingSignatureError      no signature header
├── MalformedSignatureError    an unreadable header, or another algorithm
└── WrongSignatureError        no known key created the signature
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote_plus, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

ALGORITHM: Final = "RSA256"


class SignatureError(Exception):
    """The message is not verified as the sender's."""


class MissingSignatureError(SignatureError):
    """There is no signature header."""


class MalformedSignatureError(SignatureError):
    """The signature header cannot be read, or names another algorithm than RSA256."""


class WrongSignatureError(SignatureError):
    """None of the known keys created this signature over these bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """What a signature covers, byte for byte.

    `path` is the URI without scheme and host, including its query; `time` is the header's text.
    """

    path: str
    client_id: str
    time: str
    body: bytes

    def to_sign(self) -> bytes:
        return f"POST {self.path}\n{self.client_id}.{self.time}.".encode() + self.body


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """A parsed signature header: `algorithm=RSA256, keyVersion=1, signature=...`."""

    key_version: str
    value: bytes

    @classmethod
    def parse(cls, header: str | None) -> Self:
        """Raises MissingSignatureError or MalformedSignatureError."""
        if not header:
            raise MissingSignatureError("there is no signature header")
        fields = dict(_fields(header))
        if fields.get("algorithm") != ALGORITHM:
            raise MalformedSignatureError(f"the signature's algorithm is not {ALGORITHM}")
        try:
            # In an unencoded signature, a form decoder has turned plus signs into blanks.
            encoded = unquote(fields["signature"], errors="strict").replace(" ", "+")
            value = base64.b64decode(encoded, validate=True)
        except (KeyError, ValueError) as error:
            raise MalformedSignatureError("the signature is not URL-encoded base64") from error
        return cls(key_version=fields.get("keyversion", "1"), value=value)

    def __str__(self) -> str:
        encoded = quote_plus(base64.b64encode(self.value))
        return f"algorithm={ALGORITHM}, keyVersion={self.key_version}, signature={encoded}"


def _fields(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(","):
        name, separator, value = part.partition("=")
        if separator:
            yield name.strip().lower(), value.strip()


def sign(signed: SignedMessage, key: RSAPrivateKey, *, key_version: str) -> str:
    """The signature header for these bytes: RSASSA-PKCS1-v1_5 with SHA-256."""
    value = key.sign(signed.to_sign(), padding.PKCS1v15(), hashes.SHA256())
    return str(SignatureHeader(key_version, value))


def verify(signed: SignedMessage, header: str | None, keys: Iterable[RSAPublicKey]) -> None:
    """Return if one of the keys created this signature over exactly these bytes.

    Otherwise raises SignatureError. Several keys are valid while the sender rotates its key.
    """
    signature = SignatureHeader.parse(header)
    content = signed.to_sign()
    if not any(_verifies(key, signature.value, content) for key in keys):
        raise WrongSignatureError("no known key created this signature over these bytes")


def _verifies(key: RSAPublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
