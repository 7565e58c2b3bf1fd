"""Reads RSA keys from files: PEM or bare base64, in all common formats."""

import base64
import binascii
import codecs
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_PEM_LINES: Final = re.compile(rb"-----(BEGIN|END) [A-Z ]+-----|\s")


class KeyFileError(ValueError):
    """A key file is unusable; the text names the file and the reason."""


def read_private_key(path: Path) -> RSAPrivateKey:
    """The RSA private key in this file: PEM or bare base64, PKCS#8 or PKCS#1.

    Ignores a byte order mark at the start. Raises KeyFileError, which names the file.
    """
    der = _der(path)
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no unencrypted private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeyFileError(f"{path} holds a private key that is not RSA")
    return key


def read_public_key(path: Path) -> RSAPublicKey:
    """The RSA public key in this file: PEM or bare base64, X.509 or PKCS#1.

    Ignores a byte order mark at the start. Raises KeyFileError, which names the file.
    """
    der = _der(path)
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no public key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyFileError(f"{path} holds a public key that is not RSA")
    return key


def _der(path: Path) -> bytes:
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path} cannot be read: {_reason(error)}") from error
    try:
        return base64.b64decode(_PEM_LINES.sub(b"", content), validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"{path} is neither PEM nor base64") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
