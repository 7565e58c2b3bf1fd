"""A merchant's keys, loaded from files at startup and reloaded when a file changes."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from antom_refunds.antom.key_files import KeyFileError, read_private_key, read_public_key

log = logging.getLogger(__name__)

Key = TypeVar("Key")
Stamp = tuple[int, ...] | None

# An equal stamp does not prove equal content: a file can change twice within one tick of the file
# system's clock, keep its size and have its times reset. So the content is also read this often.
READ_INTERVAL: Final = timedelta(seconds=5)


class KeyFile(Generic[Key]):
    """One key that follows its file, so that a corrected or rotated key needs no restart.

    A changed stamp is detected on the next use, changed content within READ_INTERVAL at the
    latest. The constructor raises KeyFileError if the file is unusable or `check` rejects its key.
    Later the last valid key stays in use, with one warning for each new unusable content.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Key],
        *,
        check: Callable[[Key], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._check = check
        self._now = now
        self._stamp = _stamp(path)
        self._digest = _digest(path)
        self._key = self._read_checked()
        # Rejected content is tried again: the other key that `check` compares with may change.
        self._is_in_use = True
        self._read_at = now()

    @property
    def key(self) -> Key:
        stamp, now = _stamp(self._path), self._now()
        if stamp != self._stamp or now - self._read_at >= READ_INTERVAL.total_seconds():
            self._stamp, self._read_at = stamp, now
            self._reload_if_changed()
        return self._key

    def _reload_if_changed(self) -> None:
        # Computed before the key is read, so that a change in between is detected next time.
        digest = _digest(self._path)
        is_new = digest != self._digest
        if not is_new and self._is_in_use:
            return
        self._digest = digest
        try:
            self._key = self._read_checked()
        except KeyFileError as error:
            self._is_in_use = False
            if is_new:
                log.warning("key.unusable", extra={"reason": str(error)})
        else:
            self._is_in_use = True
            log.info("key.reloaded", extra={"file": str(self._path)})

    def _read_checked(self) -> Key:
        key = self._read(self._path)
        if self._check is not None:
            self._check(key)
        return key


class KeyRing:
    """Our private key and Antom's public keys for one merchant.

    Several public keys are valid simultaneously, so that Antom can rotate its key at any time.
    Raises KeyFileError if a public key belongs to our own private key: the merchant's public key
    was configured instead of Antom's, and anyone with our private key could impersonate Antom.
    """

    def __init__(self, private_key: Path, public_keys: Sequence[Path]) -> None:
        self._public: tuple[KeyFile[RSAPublicKey], ...] = ()
        self._private = KeyFile(private_key, read_private_key, check=self._require_not_antoms)
        self._public = tuple(
            KeyFile(path, read_public_key, check=self._require_not_ours) for path in public_keys
        )

    @property
    def private(self) -> RSAPrivateKey:
        return self._private.key

    @property
    def public(self) -> tuple[RSAPublicKey, ...]:
        return tuple(file.key for file in self._public)

    def _require_not_antoms(self, private: RSAPrivateKey) -> None:
        for public in self.public:
            _require_different(private, public)

    def _require_not_ours(self, public: RSAPublicKey) -> None:
        _require_different(self.private, public)


def _require_different(private: RSAPrivateKey, public: RSAPublicKey) -> None:
    if private.public_key() == public:
        raise KeyFileError(
            "our private key and one of Antom's public keys are a pair, so one of them is wrong: "
            "configure the public key that Antom shows in its Dashboard, not the one uploaded there"
        )


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, ValueError):
        return None


def _stamp(path: Path) -> Stamp:
    """The identity, size and times of the file that the path currently points to."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
