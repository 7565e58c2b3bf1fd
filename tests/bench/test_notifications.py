"""Notifications of the measurements are genuine for the product."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.interpret import from_notification
from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.antom.signing import WrongSignatureError, verify
from antom_refunds.antom.wire import RefundNotification
from antom_refunds.domain.evidence import EvidenceKind
from antom_refunds.simulator.authentication import Signers
from bench.environment import limited_gather
from bench.notifications import FORGED, MISMATCHED, ConnectionPool, NotificationSigner
from bench.webhook import check_seconds
from starter.key_pairs import write_pair
from tests.bench.builders import ORDER, PROCESSING

PATH = "/antom/refund-notify"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    write_pair(folder, "antom")
    return folder


@pytest.fixture
def signer(keys: Path) -> NotificationSigner:
    return NotificationSigner(Signers(read_private_key(keys / "antom-private.pem")), PATH)


async def test_a_notice_is_accepted_by_the_product(signer: NotificationSigner, keys: Path) -> None:
    (notice,) = signer.sign([PROCESSING])

    verify(notice.signed, notice.signature, [read_public_key(keys / "antom-public.pem")])
    evidence = from_notification(RefundNotification.model_validate_json(notice.signed.body))

    assert evidence.kind is EvidenceKind.SUCCEEDED
    assert not evidence.mismatches(ORDER)


async def test_a_forged_notice_is_refused_by_the_product(
    signer: NotificationSigner, keys: Path
) -> None:
    (notice,) = signer.sign([PROCESSING], FORGED)

    with pytest.raises(WrongSignatureError):
        verify(
            notice.signed,
            notice.signature,
            [read_public_key(keys / "antom-public.pem")],
        )


async def test_a_mismatched_notice_is_genuine_and_about_another_amount(
    signer: NotificationSigner, keys: Path
) -> None:
    (notice,) = signer.sign([PROCESSING], MISMATCHED)

    verify(notice.signed, notice.signature, [read_public_key(keys / "antom-public.pem")])
    evidence = from_notification(RefundNotification.model_validate_json(notice.signed.body))

    assert evidence.mismatches(ORDER)


async def test_forged_notifications_are_checked_too(signer: NotificationSigner, keys: Path) -> None:
    notices = signer.sign([PROCESSING]) + signer.sign([PROCESSING], FORGED)

    assert check_seconds(notices, keys / "antom-public.pem") > 0


async def test_what_is_sent_is_what_was_signed(signer: NotificationSigner) -> None:
    (notice,) = signer.sign([PROCESSING])

    head, _, body = notice.wire_form.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = httpx.Headers(dict(line.split(": ", 1) for line in lines))

    assert first == "POST /antom/refund-notify HTTP/1.1"
    assert headers["signature"] == notice.signature
    assert headers["content-length"] == str(len(body))
    assert body.encode() == notice.signed.body


@asynccontextmanager
async def echo(answers_max: int) -> AsyncIterator[str]:
    """Returns two bytes at a time, and closes the connection after this many responses."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answers_max):
            if not (message := await reader.read(2)):
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + message)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_every_message_has_one_response() -> None:
    messages = [f"{number:02}".encode() for number in range(20)]

    async with echo(answers_max=20) as url, ConnectionPool(url) as pool:
        answers = await limited_gather(messages, pool.exchange, 3)

    assert sorted(answers) == [(200, message) for message in messages]


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    async with echo(answers_max=1) as url, ConnectionPool(url) as pool:
        first = await pool.exchange(b"01")
        await asyncio.sleep(0.05)  # the end of the connection has no event of ours
        second = await pool.exchange(b"02")

    assert (first, second) == ((200, b"01"), (200, b"02"))
