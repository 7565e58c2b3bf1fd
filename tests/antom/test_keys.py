import logging
import os
from pathlib import Path

import pytest

from antom_refunds.antom.keys import KeyFile, KeyRing
from antom_refunds.antom.signing import KeyFileError, read_private_key, read_public_key

KeyFiles = tuple[Path, Path]


def _write(file: Path, content: str) -> None:
    """Writes and moves the time of change on, however coarse the file system's clock is."""
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
        ("key.read_again", str(file))
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


def test_a_mended_file_is_taken_up_again(file: Path, antom_keys: KeyFiles) -> None:
    key_file = KeyFile(file, read_public_key)
    _write(file, "broken")
    broken = key_file.key

    _write(file, antom_keys[1].read_text())

    assert key_file.key.public_numbers() != broken.public_numbers()


def test_a_file_that_is_of_no_use_at_start_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"missing\.pem cannot be read"):
        KeyFile(tmp_path / "missing.pem", read_private_key)


def test_a_ring_holds_our_key_and_all_of_antoms(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> None:
    ring = KeyRing(merchant_keys[0], [antom_keys[1], merchant_keys[1]])

    assert ring.private.public_key() == ring.public[1]
    assert ring.public[0] == read_public_key(antom_keys[1])
