"""What tests everywhere share: real key pairs, made anew for each session."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KeyFiles = tuple[Path, Path]


def _made(folder: Path) -> KeyFiles:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@pytest.fixture(scope="session")
def merchant_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    """The merchant's RSA-2048 pair: the private and the public key's file, both PEM."""
    return _made(tmp_path_factory.mktemp("merchant_keys"))


@pytest.fixture(scope="session")
def antom_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    """Antom's RSA-2048 pair: the private and the public key's file, both PEM."""
    return _made(tmp_path_factory.mktemp("antom_keys"))
