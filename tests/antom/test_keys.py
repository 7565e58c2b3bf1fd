import base64
import codecs
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from antom_refunds.antom.key_files import KeyFileError, read_private_key, read_public_key
from antom_refunds.antom.keys import READ_INTERVAL, KeyFile, KeyRing
from starter.key_pairs import write_pair

KeyFiles = tuple[Path, Path]


def _write(file: Path, content: str) -> None:
    """Write the file and advance its modification time, even on a coarse file system clock."""
    changed_at = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(content)
    os.utime(file, ns=(changed_at + 10**9, changed_at + 10**9))


@pytest.fixture
def file(tmp_path: Path, merchant_keys: KeyFiles) -> Path:
    copy = tmp_path / "antom.pem"
    _write(copy, merchant_keys[1].read_text())
    return copy


def test_a_key_follows_its_file(
    file: Path, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antom_refunds")
    key_file = KeyFile(file, read_public_key)
    before = key_file.key.public_numbers()

    _write(file, antom_keys[1].read_text())

    assert key_file.key.public_numbers() == read_public_key(antom_keys[1]).public_numbers()
    assert key_file.key.public_numbers() != before
    assert [(record.message, vars(record)["file"]) for record in caplog.records] == [
        ("key.reloaded", str(file))
    ]


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    reads = []

    def read(path: Path) -> int:
        reads.append(path)
        return len(reads)

    key_file = KeyFile(file, read)

    assert [key_file.key, key_file.key] == [1, 1]


@pytest.mark.parametrize("content", ["", "no key at all", None])
def test_the_last_good_key_stays_in_use_and_the_log_says_why(
    content: str | None, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key_file = KeyFile(file, read_public_key)
    good = key_file.key

    if content is None:
        file.unlink()
    else:
        _write(file, content)

    assert key_file.key is good
    assert key_file.key is good
    [record] = caplog.records
    assert (record.levelname, record.message) == ("WARNING", "key.unusable")
    assert str(file) in vars(record)["reason"]


def test_a_fixed_file_is_loaded_again(file: Path, antom_keys: KeyFiles) -> None:
    key_file = KeyFile(file, read_public_key)
    _write(file, "broken")
    broken = key_file.key

    _write(file, antom_keys[1].read_text())

    assert key_file.key.public_numbers() != broken.public_numbers()


def test_an_unusable_file_is_rejected_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"missing\.pem cannot be read"):
        KeyFile(tmp_path / "missing.pem", read_private_key)


def test_a_ring_holds_our_key_and_all_of_antoms(
    merchant_keys: KeyFiles, antom_keys: KeyFiles, tmp_path: Path
) -> None:
    _, next_public = write_pair(tmp_path, "next")
    ring = KeyRing(merchant_keys[0], [antom_keys[1], next_public])

    assert ring.private.public_key() == read_public_key(merchant_keys[1])
    assert ring.public == (read_public_key(antom_keys[1]), read_public_key(next_public))


class Clock:
    """A clock in seconds that the test advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _replace_unseen(file: Path, content: str) -> None:
    """Write other content of the same length and time: only reading the file shows the change."""
    stat = file.stat()
    file.write_text(content[: stat.st_size].ljust(stat.st_size))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_change_without_a_new_timestamp_is_noticed_within_seconds(
    file: Path, antom_keys: KeyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("antom_refunds.antom.keys._stamp", lambda _path: (1,))
    key_file = KeyFile(file, read_public_key, now=clock)
    old = key_file.key
    _replace_unseen(file, antom_keys[1].read_text())

    clock.seconds = READ_INTERVAL.total_seconds() - 1
    before = key_file.key
    clock.seconds = READ_INTERVAL.total_seconds()

    assert before is old
    assert key_file.key == read_public_key(antom_keys[1])


def test_a_key_of_the_same_size_with_its_time_set_back_is_noticed_immediately(
    file: Path, antom_keys: KeyFiles
) -> None:
    key_file = KeyFile(file, read_public_key)

    _replace_unseen(file, antom_keys[1].read_text())

    assert key_file.key == read_public_key(antom_keys[1])


def test_a_symbolic_link_with_a_new_target_is_noticed(
    tmp_path: Path, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    """As when Kubernetes updates a secret: the path is the same, a link in it is replaced."""
    for name, (_, public) in (("old", merchant_keys), ("new", antom_keys)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "antom.pem").write_text(public.read_text())
    (tmp_path / "data").symlink_to("old")
    key_file = KeyFile(tmp_path / "data" / "antom.pem", read_public_key)

    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(tmp_path / "data")

    assert key_file.key == read_public_key(antom_keys[1])


def test_a_file_that_was_only_touched_is_not_loaded_again(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antom_refunds")
    key_file = KeyFile(file, read_public_key)

    _write(file, file.read_text())

    assert key_file.key == read_public_key(file)
    assert caplog.records == []


def test_an_incomplete_file_is_logged_once_for_each_content(
    file: Path, antom_keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    key_file = KeyFile(file, read_public_key, now=clock)
    good, text = key_file.key, antom_keys[1].read_text()

    for length in (100, 101):
        _write(file, text[:length])
        for _ in range(3):
            clock.seconds += READ_INTERVAL.total_seconds()
            os.utime(file)
            assert key_file.key is good
    warnings = [record.message for record in caplog.records]
    _write(file, text)

    assert warnings == ["key.unusable"] * 2
    assert key_file.key == read_public_key(antom_keys[1])


@pytest.mark.parametrize("form", ["pem", "bare"])
def test_a_byte_order_mark_before_a_key_is_ignored(
    form: str, tmp_path: Path, merchant_keys: KeyFiles
) -> None:
    for source, read in zip(merchant_keys, (read_private_key, read_public_key), strict=True):
        text = source.read_bytes()
        bare = b"".join(line for line in text.splitlines() if b"-----" not in line)
        marked = tmp_path / source.name
        marked.write_bytes(codecs.BOM_UTF8 + (text if form == "pem" else bare))

        assert type(read(marked)) is type(read(source))


@pytest.mark.parametrize("content", ["caf\u00e9".encode(), b"\xff\xfeM\x00I\x00", b"*"])
def test_a_file_without_a_key_is_reported_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.pem"
    file.write_bytes(content)

    for read in (read_private_key, read_public_key):
        with pytest.raises(KeyFileError, match=r"odd\.pem is neither PEM nor base64"):
            read(file)


def test_an_impossible_path_is_reported_in_one_sentence() -> None:
    with pytest.raises(KeyFileError, match="cannot be read"):
        KeyFile(Path("a\0b"), read_private_key)


def test_a_key_of_another_kind_is_reported_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "elliptic.pem"
    for elliptic, read in _elliptic():
        file.write_bytes(base64.b64encode(elliptic))
        with pytest.raises(KeyFileError, match="key that is not RSA"):
            read(file)


def test_private_and_public_keys_are_not_confused(merchant_keys: KeyFiles) -> None:
    with pytest.raises(KeyFileError, match="holds no unencrypted private key"):
        read_private_key(merchant_keys[1])
    with pytest.raises(KeyFileError, match="holds no public key"):
        read_public_key(merchant_keys[0])


def test_our_own_public_key_is_rejected_as_antoms_key(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    with pytest.raises(KeyFileError, match="are a pair"):
        KeyRing(merchant_keys[0], [antom_keys[1], merchant_keys[1]])


@pytest.mark.parametrize("changed", ["private", "public"])
def test_a_change_to_our_own_key_as_antoms_is_not_loaded(
    changed: str,
    tmp_path: Path,
    merchant_keys: KeyFiles,
    antom_keys: KeyFiles,
    caplog: pytest.LogCaptureFixture,
) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    _write(private, merchant_keys[0].read_text())
    _write(public, antom_keys[1].read_text())
    ring = KeyRing(private, [public])
    before = ring.private, ring.public

    if changed == "private":
        _write(private, antom_keys[0].read_text())
    else:
        _write(public, merchant_keys[1].read_text())

    assert (ring.private, ring.public) == before
    [record] = caplog.records
    assert "are a pair" in vars(record)["reason"]


def test_a_rejected_key_is_loaded_once_the_other_file_is_corrected(
    tmp_path: Path,
    merchant_keys: KeyFiles,
    antom_keys: KeyFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("antom_refunds.antom.keys.READ_INTERVAL", timedelta(0))
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    _write(private, antom_keys[0].read_text())
    _write(public, write_pair(tmp_path, "other")[1].read_text())
    ring = KeyRing(private, [public])
    _write(public, antom_keys[1].read_text())
    refused = ring.public

    _write(private, merchant_keys[0].read_text())

    assert ring.private.public_key() == read_public_key(merchant_keys[1])
    assert refused != ring.public == (read_public_key(antom_keys[1]),)


def _elliptic() -> tuple[tuple[bytes, Callable[[Path], object]], ...]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return (private, read_private_key), (public, read_public_key)
