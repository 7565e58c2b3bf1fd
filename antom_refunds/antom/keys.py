"""A merchant's keys, read from files at start and again whenever a file changes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from antom_refunds.antom.signing import KeyFileError, read_private_key, read_public_key

log = logging.getLogger(__name__)

Key = TypeVar("Key")


class KeyFile(Generic[Key]):
    """One key that follows its file, so that a mended or rotated key needs no restart.

    Raises KeyFileError at once if the file is unusable; later the last good key stays in use.
    """

    def __init__(self, path: Path, read: Callable[[Path], Key]) -> None:
        self._path = path
        self._read = read
        self._seen = self._stamp()
        self._key = read(path)

    @property
    def key(self) -> Key:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._reload()
        return self._key

    def _reload(self) -> None:
        try:
            self._key = self._read(self._path)
        except KeyFileError as error:
            log.warning("key.unusable", extra={"reason": str(error)})
        else:
            log.info("key.read_again", extra={"file": str(self._path)})

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


class KeyRing:
    """Our private key and Antom's public keys for one merchant.

    Several public keys are valid at once, so Antom's rotation needs no moment of truth.
    """

    def __init__(self, private_key: Path, public_keys: Sequence[Path]) -> None:
        self._private = KeyFile(private_key, read_private_key)
        self._public = tuple(KeyFile(path, read_public_key) for path in public_keys)

    @property
    def private(self) -> RSAPrivateKey:
        return self._private.key

    @property
    def public(self) -> tuple[RSAPublicKey, ...]:
        return tuple(file.key for file in self._public)
