"""What checking signatures costs by itself: the webhook's own call, on the same bytes."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.keys import KeyFile
from antom_refunds.antom.signing import SignatureError, verify
from antom_refunds.merchants import Sender
from bench.webhook.notices import Notice


def antom_as_sender(public_key: Path) -> Sender:
    """Antom as the webhook knows it: by a key that follows its file."""
    return Sender("default", (KeyFile(public_key, read_public_key),))


def checking_seconds(notices: Iterable[Notice], sender: Sender) -> float:
    """CPU time to verify each of them, looking up the key each time as the webhook does."""
    arrived = [(notice.signed, notice.signature) for notice in notices]
    begun = time.thread_time()
    for signed, signature in arrived:
        with suppress(SignatureError):
            verify(signed, signature, [file.key for file in sender.keys])
    return time.thread_time() - begun
